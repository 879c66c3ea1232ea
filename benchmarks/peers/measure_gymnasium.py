# SPDX-License-Identifier: MIT
"""Gymnasium: its vector environments, a game's own one in NumPy and the one that loops over environments."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

import compute_layers as cl
import games
from contestants import calls, random_actions
from protocol import GYMNASIUM_CALL, Key, Protocol

OWN_SIZES = (1024, 4096, 16384, 65536)
SYNC_SIZES = (1, 64)


def opponents(game: str) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    entry_point = gym.spec(game).vector_entry_point
    if entry_point is not None:
        name = str(entry_point).rpartition(":")[2]
        found |= {(name, GYMNASIUM_CALL, n): gym.make_vec(game, n) for n in OWN_SIZES}
    return found | {("SyncVectorEnv", GYMNASIUM_CALL, n): gym.make_vec(game, n, "sync") for n in SYNC_SIZES}


def main() -> None:
    protocol = Protocol("gymnasium")
    for game in cl.games():
        theirs = opponents(game)
        for envs in theirs.values():
            envs.reset(seed=0)
        games.measure(
            protocol,
            game,
            {key: calls(envs.step, random_actions(envs, 8)) for key, envs in theirs.items()},
        )


if __name__ == "__main__":
    main()
