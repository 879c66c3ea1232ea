# SPDX-License-Identifier: MIT
"""EnvPool: its C++ environments behind Gymnasium's interface, one thread."""

from __future__ import annotations

import envpool

import compute_layers as cl
import games
from compute_layers.measure import Contestant
from contestants import calls, environments, random_actions
from protocol import GYMNASIUM_CALL, Key, Protocol, absent

SIZES = (1, 64, 1024, 16384)


def opponent(game: str, n: int) -> Contestant:
    envs = envpool.make(game, env_type="gymnasium", num_envs=n, num_threads=1, seed=0)
    envs.reset()
    actions = random_actions(environments(game, n, "auto"), 8)
    return calls(envs.step, actions.astype(envs.action_space.dtype))


def main() -> None:
    protocol = Protocol("envpool")
    for game in cl.games():
        if game not in envpool.list_all_envs():
            absent("EnvPool does not have this game", game)
            continue
        theirs: dict[Key, Contestant] = {("EnvPool", GYMNASIUM_CALL, n): opponent(game, n) for n in SIZES}
        games.measure(protocol, game, theirs)


if __name__ == "__main__":
    main()
