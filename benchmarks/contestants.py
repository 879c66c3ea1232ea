# SPDX-License-Identifier: MIT
"""Contestants that the speed table and the peers have in common: environments of ours and of Gymnasium."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import compute_layers as cl
from compute_layers.measure import Contestant, timed
from compute_layers.vector import VectorEnv

SYNC_SIZES = (1, 64, 1024)  # at which Gymnasium's sync vector environment is asked for its best


def widest(isas: Mapping[str, Sequence[str]], name: str) -> cl.Level | None:
    """The widest isa of a level that is served here, of those that a game or a family has kernels for."""
    found = [level for level in cl.levels() if level.available and level.name == name]
    found = [level for level in found if level.isa in isas[name]]
    return found[-1] if found else None


def environments(game: str, n: int, level: str, isa: str | None = None, copy: bool = True) -> VectorEnv:
    limit = gym.spec(f"compute_layers/{game}").max_episode_steps
    envs = VectorEnv(n, game=game, level=level, isa=isa, max_episode_steps=limit, copy=copy)
    envs.reset(seed=0)
    return envs


def gymnasium_environments(game: str, n: int) -> Any:
    """Gymnasium's own vector environment if it has one, else the sync one."""
    if gym.spec(game).vector_entry_point is None:
        return sync_environments(game, n)
    envs = gym.make_vec(game, num_envs=n)
    envs.reset(seed=0)
    return envs


def sync_environments(game: str, n: int) -> Any:
    """Gymnasium's sync vector environment with each environment at another step of its time limit, as if it had
    run for long: a turn of few calls has its share of resets."""
    envs = gym.make_vec(game, num_envs=n, vectorization_mode="sync")
    envs.reset(seed=0)
    limit = gym.spec(game).max_episode_steps
    if limit is not None:
        elapsed = np.random.default_rng(0).integers(limit, size=n)
        envs.set_attr("_elapsed_steps", elapsed.tolist())  # of the wrapper TimeLimit
    return envs


def random_actions(envs: Any, rows: int = 64) -> NDArray[Any]:
    envs.action_space.seed(0)
    return np.stack([envs.action_space.sample() for _ in range(rows)])


def steps_in(actions: NDArray[Any]) -> int:
    """Environment steps in (rows, num_envs, …) actions."""
    return actions.shape[0] * actions.shape[1]


def kernel(game: str, n: int, level: cl.Level, actions: NDArray[Any], reset: bool = False) -> Contestant:
    """The native loop; with ``reset`` it starts afresh before each pass, outside the clock."""
    envs = environments(game, n, level.name, level.isa)
    batch = envs._batch
    if not reset:
        return lambda times: (batch.repeat(actions, times), float(times * steps_in(actions)))

    def run(times: int) -> tuple[float, float]:
        seconds = 0.0
        for _ in range(times):
            envs.reset(seed=0)
            seconds += batch.repeat(actions, 1)
        return seconds, float(times * steps_in(actions))

    return run


def calls(step: Callable[[Any], Any], actions: NDArray[Any]) -> Contestant:
    rows = list(actions)

    def work() -> None:
        for row in rows:
            step(row)

    return timed(work, steps_in(actions))


def warmed_up(step: Callable[[Any], Any], actions: NDArray[Any]) -> Callable[[Any], Any]:
    """The same after these steps: episodes end and start again all over the batch, as they do later on."""
    for row in actions:
        step(row)
    return step


def cycled(call: Callable[[Any], Any], arguments: Iterable[Any], units: float) -> Contestant:
    """One call after the other, each with the next of the arguments: what was seen lately does not come again."""
    turn = cycle(arguments)

    def run(times: int) -> tuple[float, float]:
        chosen = list(islice(turn, times))
        start = time.perf_counter()
        for argument in chosen:
            call(argument)
        return time.perf_counter() - start, times * units

    return run
