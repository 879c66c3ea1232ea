# SPDX-License-Identifier: MIT
"""Every policy family of the registry: its widest assembly against its C++, on made-up spaces."""

from __future__ import annotations

import numpy as np
import pytest

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import Agent, AgentFile
from compute_layers.check import file_of, largest_tensors, made_up_policies, with_spaces
from compute_layers.measure import Contestant
from compute_layers.spec import Box, Discrete, Space
from conftest import Measure

N = 1024
NUMBERS = 5000  # most parameters
OBSERVATIONS: list[Space] = [Box((-np.inf,) * 4, (np.inf,) * 4), Discrete(500)]


def example(stem: str) -> AgentFile:
    """A policy for the first observations that the family takes, with its first head and choices."""
    family, known = registry.family(stem), registry.game(cl.games()[0])
    spaces = [with_spaces(known, observation, Discrete(2)) for observation in OBSERVATIONS]
    made_up = next(made_up_policies(family, spaces))
    tensors = largest_tensors(family, made_up.head, made_up.game, NUMBERS)
    return file_of(family, made_up.game, made_up.head, made_up.choices, tensors)


def contestants(stem: str) -> list[cl.Level]:
    """The widest assembly and the widest C++, or the widest and the narrowest C++."""
    isas = registry.family(stem).isas
    served = [level for level in cl.levels() if level.available and level.isa in isas.get(level.name, ())]
    cpp = [level for level in served if level.name == "cpp"]
    if served[-1].name == "asm":
        return [served[-1], cpp[-1]]
    if len(cpp) < 2:
        pytest.skip(f"{stem} has one native level here: {cpp[0]}")
    return [cpp[-1], cpp[0]]


@pytest.mark.parametrize("stem", registry.families())
def test_kernel(stem: str, measure: Measure) -> None:
    file = example(stem)
    space, rng = file.game.observation, np.random.default_rng(0)
    if isinstance(space, Discrete):
        observations = rng.integers(0, space.n, N)
    else:
        observations = rng.standard_normal((N, space.size)).astype(np.float32)

    def repeat(level: cl.Level) -> Contestant:
        agent = Agent(file, level.name, level.isa, 0)
        return lambda times: (agent.repeat(observations, times), float(times * N))

    ours, theirs = contestants(stem)
    # Short turns and many: another process that takes a turn away does not move the median.
    measurement = measure.interleaved({level: repeat(level) for level in (ours, theirs)}, 101, 0.002)
    against = "cpp-native" if ours.name == "asm" else str(theirs)
    measure.ratio(stem, f"{ours} kernel, n = {N} / {against}", measurement, ours, theirs)
