# SPDX-License-Identifier: MIT
"""Every learner of the registry: its widest assembly against its C++ and level python, and all of learning against a
loop over one environment of Gymnasium, as tutorials have it."""

from __future__ import annotations

import time
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from compute_layers import registry
from compute_layers.learning import LANES, Learning
from compute_layers.measure import Contestant
from conftest import Measure
from contestants import widest

GAMES = ("FrozenLake-v1", "Taxi-v4", "Blackjack-v1")  # 4, 6 and 2 actions
STEPS = 10**12  # more than are taken: alpha and epsilon stay what they are
RATES: dict[str, Any] = {"alpha": 0.1, "gamma": 0.99, "epsilon": 0.3}


def updating(game: str, method: str, level: str, isa: str | None) -> Contestant:
    """The learner alone, an update a unit, with what it saw after 1000 steps. Alpha is 0: the same update again and again
    would end among the denormals, which some CPUs are slow with."""
    learning = Learning(game, method, seed=0, steps=STEPS, level=level, isa=isa, **{**RATES, "alpha": 0.0})
    learning.run(1000 if isa else 10)
    return lambda times: (learning.repeat(times), float(times * LANES))


def learning_natively(game: str, method: str) -> Contestant:
    """Game and learner, a step a unit."""
    learning = Learning(game, method, seed=0, steps=STEPS, **RATES)
    return lambda times: (learning.run(times), float(times * LANES))


def learning_with_numpy(game: str, method: str) -> Contestant:
    """A table in NumPy and one environment of Gymnasium."""
    env: Any = gym.make(game)
    space, actions = env.observation_space, int(env.action_space.n)
    sizes = tuple(part.n for part in space) if isinstance(space, gym.spaces.Tuple) else (space.n,)
    q = np.zeros((*sizes, actions))
    rng = np.random.default_rng(0)
    alpha, gamma, epsilon = RATES["alpha"], RATES["gamma"], RATES["epsilon"]

    def choose(state: Any) -> int:
        return int(rng.integers(actions) if rng.random() < epsilon else q[state].argmax())

    state = env.reset(seed=0)[0]
    action = choose(state)

    def run(times: int) -> tuple[float, float]:
        nonlocal state, action
        start = time.perf_counter()
        for _ in range(times):
            seen, reward, terminated, truncated, _ = env.step(action)
            following = choose(seen)
            value = q[seen].max() if method == "q-learning" else q[seen][following]
            cell = (*state, action) if isinstance(state, tuple) else (state, action)
            q[cell] += alpha * (reward + gamma * value * (not terminated) - q[cell])
            state, action = seen, following
            if terminated or truncated:
                state = env.reset()[0]
                action = choose(state)
        return time.perf_counter() - start, float(times)

    return run


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("stem", registry.learners())
def test_learn(stem: str, game: str, measure: Measure) -> None:
    isas = registry.learner(stem).isas
    asm, cpp = widest(isas, "asm"), widest(isas, "cpp")
    if asm is None or cpp is None:
        pytest.skip(f"no level asm for learner {stem}")
    method = stem.replace("_", "-")
    contestants: dict[Any, Contestant] = {
        level: updating(game, method, level.name, level.isa) for level in (asm, cpp)
    }
    contestants["python"] = updating(game, method, "python", None)
    contestants["all"] = learning_natively(game, method)
    contestants["NumPy"] = learning_with_numpy(game, method)
    measurement = measure.interleaved(contestants, 101, 0.002)
    measure.ratio(stem, f"{asm} kernel, {game} / cpp-native", measurement, asm, cpp)
    measure.ratio(stem, f"{asm} kernel, {game} / python", measurement, asm, "python")
    measure.ratio(stem, f"game and learner, {game} / NumPy on Gymnasium", measurement, "all", "NumPy")
