# SPDX-License-Identifier: MIT
"""EnvPool: its C++ environments behind Gymnasium's interface, one thread."""

from __future__ import annotations

import envpool

import compute_layers as cl
import games
from compute_layers.measure import Contestant
from contestants import cycled, environments, random_actions, warmed_up
from protocol import Key, Protocol, absent
from results import GYMNASIUM_CALL

SIZES = (1, 64, 1024, 16384)
THEIRS = {"Taxi-v4": "Taxi-v3"}  # where the ids differ; the rules of these are the same


def opponent(game: str, n: int) -> Contestant:
    envs = envpool.make(THEIRS.get(game, game), env_type="gymnasium", num_envs=n, num_threads=1, seed=0)
    envs.reset()
    actions = random_actions(environments(game, n, "auto")).astype(envs.action_space.dtype)
    return cycled(warmed_up(envs.step, actions), actions, n)


def main() -> None:
    protocol = Protocol("envpool")
    for game in cl.games():
        if THEIRS.get(game, game) not in envpool.list_all_envs():
            absent("EnvPool does not have this game", game)
            continue
        theirs: dict[Key, Contestant] = {("EnvPool", GYMNASIUM_CALL, n): opponent(game, n) for n in SIZES}
        games.measure(protocol, game, theirs)


if __name__ == "__main__":
    main()
