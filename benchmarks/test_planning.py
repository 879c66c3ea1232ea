# SPDX-License-Identifier: MIT
"""Every planner of the registry: its widest assembly against its C++, and against level python."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from compute_layers import _core, registry
from compute_layers.measure import Contestant
from compute_layers.models import model_of
from compute_layers.planners import backup
from compute_layers.table import Outcome
from conftest import Measure
from contestants import widest

TABLES = (
    "Taxi-v4",
    "FrozenLake8x8-v1",
    "Blackjack-v1",
)  # rows of one outcome, of three, and of three and thirteen
Rows = list[list[tuple[Outcome, ...]]]


def restless(game: str) -> Rows:
    """A game's table with 1 added to every reward and no end: without a discount its values never stand still."""
    return [
        [
            tuple(outcome._replace(reward=outcome.reward + 1.0, terminated=False) for outcome in row)
            for row in actions
        ]
        for actions in model_of(game, {}).rows
    ]


def sweeping(stem: str, rows: Rows, name: str, isa: str) -> Contestant:
    """Sweeps, each a unit; packing the table is left out."""
    outcomes: Any = zip(*(outcome for actions in rows for row in actions for outcome in row), strict=True)
    probabilities, states, rewards, terminated = map(np.array, outcomes)
    arguments = {
        "planner": stem,
        "level": name,
        "isa": isa,
        "counts": np.array([[len(row) for row in actions] for actions in rows]),
        "probabilities": probabilities,
        "rewards": rewards,
        "states": states,
        "terminated": terminated,
        "gamma": 1.0,
        "values": np.zeros(len(rows)),
        "tolerance": 0.0,
    }

    def run(times: int) -> tuple[float, float]:
        *_, sweeps, _, seconds = _core.sweep(**arguments, most=times)
        assert sweeps == times
        return seconds, float(sweeps)

    return run


def sweeping_in_python(rows: Rows) -> Contestant:
    def run(times: int) -> tuple[float, float]:
        values = [0.0] * len(rows)
        start = time.perf_counter()
        for _ in range(times):
            values, _, _ = backup.sweep(rows, 1.0, values)
        return time.perf_counter() - start, float(times)

    return run


@pytest.mark.parametrize("game", TABLES)
@pytest.mark.parametrize("stem", registry.planners())
def test_sweep(stem: str, game: str, measure: Measure) -> None:
    isas = registry.planner(stem).isas
    asm, cpp = widest(isas, "asm"), widest(isas, "cpp")
    if asm is None or cpp is None:
        pytest.skip(f"no level asm for planner {stem}")
    rows = restless(game)
    contestants: dict[Any, Contestant] = {
        level: sweeping(stem, rows, level.name, str(level.isa)) for level in (asm, cpp)
    }
    contestants["python"] = sweeping_in_python(rows)
    measurement = measure.interleaved(contestants, 51, 0.005)
    measure.ratio(stem, f"{asm} kernel, {game} / cpp-native", measurement, asm, cpp)
    measure.ratio(stem, f"{asm} kernel, {game} / python", measurement, asm, "python")
