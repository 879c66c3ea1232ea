# SPDX-License-Identifier: MIT
"""Gymnasium: its vector environments, a game's own one in NumPy and the one that loops over environments."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

import compute_layers as cl
import games
from contestants import SYNC_SIZES, cycled, random_actions, sync_environments, warmed_up
from protocol import Key, Protocol
from results import GYMNASIUM_CALL

OWN_SIZES = (1024, 4096, 16384, 65536)
ROWS = 32  # of random actions; a row for 1024 environments takes Gymnasium a tenth of a second


def opponents(game: str) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    entry_point = gym.spec(game).vector_entry_point
    if entry_point is not None:
        name = str(entry_point).rpartition(":")[2]
        found |= {(name, GYMNASIUM_CALL, n): gym.make_vec(game, n) for n in OWN_SIZES}
        for envs in found.values():
            envs.reset(seed=0)
    return found | {("SyncVectorEnv", GYMNASIUM_CALL, n): sync_environments(game, n) for n in SYNC_SIZES}


def main() -> None:
    protocol = Protocol("gymnasium")
    for game in cl.games():
        contestants = {}
        for key, envs in opponents(game).items():
            actions = random_actions(envs, ROWS)
            contestants[key] = cycled(warmed_up(envs.step, actions), actions, envs.num_envs)
        games.measure(protocol, game, contestants)


if __name__ == "__main__":
    main()
