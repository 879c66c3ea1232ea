# SPDX-License-Identifier: MIT
"""Writes tests/oracle/<name>.json: what Gymnasium plays in many long runs, hashed in blocks of 100 seeds.

    python tools/oracle.py [NAME …]

A discrete game is compared in every observation, reward, flag and info entry of 2000 seeds x 500 steps (500 seeds with
other arguments), across autoresets; of a continuous one the length of each episode counts, and whether it terminated. Only Gymnasium is played
here, for minutes a file; tests/test_oracle.py plays ours and wants the same hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from numpy.typing import NDArray
from rich.progress import track

from compute_layers import registry
from compute_layers.check import random_actions

ORACLE = Path(__file__).parents[1] / "tests" / "oracle"
BLOCK = 100  # seeds that share a hash
ACTION_KEY = (3,)  # spawn key of the actions: those of a seed do not depend on the others

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A game with arguments.

    Attributes:
        id, arguments: as `gym.make` takes them.
        seeds: how many, from 0 on.
        steps: of each seed in a discrete game, with autoresets; of a continuous one the most in an episode.
        episodes: whether only lengths and terminations of the first episodes count.
    """

    id: str
    arguments: dict[str, Any] = field(default_factory=dict)
    seeds: int = 2000
    steps: int = 500
    episodes: bool = False


def _maps() -> Iterator[tuple[str, Case]]:
    for seed, (size, p) in enumerate([(4, 0.8), (5, 0.7), (6, 0.9), (8, 0.8), (12, 0.85)]):
        desc = generate_random_map(size, p, seed)
        yield f"frozen_lake-map-{size}", Case("FrozenLake-v1", {"desc": desc}, 200)
    wide = ["SFFHFS", "FSFFFF", "HFFAFG"]
    yield "frozen_lake-map-wide", Case("FrozenLake-v1", {"desc": wide, "success_rate": 0.7}, 200)


CASES = {
    "frozen_lake": Case("FrozenLake-v1"),
    "frozen_lake-8x8": Case("FrozenLake8x8-v1"),
    "frozen_lake-dry": Case("FrozenLake-v1", {"is_slippery": False}, 500),
    "frozen_lake-rate": Case("FrozenLake-v1", {"success_rate": 0.07, "map_name": "8x8"}, 500),
    "frozen_lake-rewards": Case(
        "FrozenLake-v1", {"reward_schedule": [2.5, -1, 0.125], "success_rate": 0.34}, 500
    ),
    **dict(_maps()),
    "cliffwalking": Case("CliffWalking-v1"),
    "cliffwalking-slippery": Case("CliffWalkingSlippery-v1"),
    "taxi": Case("Taxi-v4"),
    "taxi-rainy": Case("Taxi-v4", {"is_rainy": True}, 500),
    "taxi-fickle": Case("Taxi-v4", {"fickle_passenger": True}, 500),
    "taxi-all": Case(
        "Taxi-v4",
        {"is_rainy": True, "fickle_passenger": True, "rainy_probability": 0.6, "fickle_probability": 0.9},
        500,
    ),
    "blackjack": Case("Blackjack-v1"),
    "blackjack-natural": Case("Blackjack-v1", {"natural": True, "sab": False}, 500),
    "blackjack-plain": Case("Blackjack-v1", {"natural": False, "sab": False}, 500),
    "blackjack-both": Case("Blackjack-v1", {"natural": True, "sab": True}, 500),
    "cartpole": Case("CartPole-v1", seeds=5000, episodes=True),
    "mountain_car": Case("MountainCar-v0", seeds=5000, episodes=True),
    "continuous_mountain_car": Case("MountainCarContinuous-v0", seeds=1000, steps=999, episodes=True),
    "acrobot": Case("Acrobot-v1", seeds=5000, steps=200, episodes=True),
}


def actions(case: Case, seeds: range) -> Array:
    """Random actions, (steps, seeds) int64 or (steps, seeds, k) float32."""
    return random_actions(registry.game(case.id).action, seeds, ACTION_KEY, case.steps)


def trajectory(env: gym.Env[Any, Any], seed: int, chosen: Array) -> list[tuple[Any, ...]]:
    """What Gymnasium shows of one seed, a row for the reset and one for each step: observation, reward, terminated,
    truncated, then the entries of info in the order of their names. As in NEXT_STEP, the step after the end of an
    episode is a reset."""
    rows = []

    def add(observation: Any, reward: float, terminated: bool, truncated: bool, info: dict[str, Any]) -> bool:
        rows.append((observation, reward, terminated, truncated, *(info[name] for name in sorted(info))))
        return terminated or truncated

    first, info = env.reset(seed=seed)
    ended = add(first, 0.0, False, False, info)
    for action in chosen:
        if ended:
            first, info = env.reset()
            ended = add(first, 0.0, False, False, info)
        else:
            ended = add(*env.step(action))  # type: ignore[arg-type]
    return rows


def episode(env: gym.Env[Any, Any], seed: int, chosen: Array) -> tuple[int, bool]:
    """Length of the first episode of a seed, at most that of ``chosen``, and whether it terminated."""
    env.reset(seed=seed)
    for k, action in enumerate(chosen, start=1):
        if env.step(action)[2]:
            return k, True
    return len(chosen), False


def hashed(columns: list[Array]) -> str:
    """Of arrays over (moments, seeds, …) or (seeds, …): integers as int64, numbers as float64, flags as bytes."""
    total = hashlib.sha256()
    for column in columns:
        dtype = {"b": "<u1", "i": "<i8", "f": "<f8"}[column.dtype.kind]
        total.update(np.ascontiguousarray(column, dtype).tobytes())
    return total.hexdigest()[:32]


def gymnasiums(case: Case, block: int) -> str:
    """The hash of a block of seeds, as Gymnasium plays them."""
    seeds = range(block * BLOCK, min((block + 1) * BLOCK, case.seeds))
    limit = {"max_episode_steps": -1} if case.episodes else {}
    env = gym.make(case.id, disable_env_checker=True, **limit, **case.arguments)
    chosen = actions(case, seeds)
    if case.episodes:
        found = [episode(env, seed, chosen[:, i]) for i, seed in enumerate(seeds)]
        return hashed([np.array(column) for column in zip(*found, strict=True)])
    runs = [trajectory(env, seed, chosen[:, i]) for i, seed in enumerate(seeds)]
    columns = list(zip(*(zip(*moment, strict=True) for moment in zip(*runs, strict=True)), strict=True))
    # Rewards and probabilities are ints now and then; a mask comes before a probability.
    floats = {1} | ({len(columns) - 1} if len(columns) > 4 else set())
    return hashed([np.array(column, np.float64 if k in floats else None) for k, column in enumerate(columns)])


def main(arguments: list[str] | None = None) -> int:
    """Writes the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="*", help=f"of {', '.join(CASES)}; default: all")
    ORACLE.mkdir(exist_ok=True)
    for name in parser.parse_args(arguments).name or CASES:
        case = CASES[name]
        blocks = range(-(-case.seeds // BLOCK))
        hashes = [gymnasiums(case, block) for block in track(blocks, description=name)]
        text = json.dumps({"gymnasium": gym.__version__, "hashes": hashes}, indent=1) + "\n"
        (ORACLE / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {len(hashes)} hashes of {case.id}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
