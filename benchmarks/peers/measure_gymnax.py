# SPDX-License-Identifier: MIT
"""gymnax: environments in JAX, compiled, a scan over steps of a vector of them."""

from __future__ import annotations

import time
from typing import Any

import gymnax
import jax
import jax.numpy as jnp

import compute_layers as cl
import games
from compute_layers.measure import Contestant, timed
from contestants import environments, random_actions
from protocol import Key, Protocol, absent

STEPS = {4096: 64, 16384: 64, 65536: 16}  # of a scan, by environments; in longer scans a step takes as long
BOUNDARY = "jit + scan"
FROZEN_LAKE = "FrozenLake-misc"  # with Gymnasium's rules, maps and time limits
THEIRS: dict[str, tuple[str, dict[str, Any]]] = {  # where the names differ
    "FrozenLake-v1": (FROZEN_LAKE, {}),
    "FrozenLake8x8-v1": (FROZEN_LAKE, {"map_name": "8x8"}),
}


def opponent(game: str, n: int) -> tuple[Contestant, float]:
    """Steps with automatic resets and prepared actions, and the seconds that compiling them took. Nobody looks
    at the observations, and the compiler leaves out what only they need."""
    name, arguments = THEIRS.get(game, (game, {}))
    env, params = gymnax.make(name, **arguments)
    reset = jax.vmap(env.reset, in_axes=(0, None))
    step = jax.vmap(env.step, in_axes=(0, 0, 0, None))

    def advance(carry: Any, actions: Any) -> Any:
        key, state, total = carry
        key, used = jax.random.split(key)
        _, state, reward, *_ = step(jax.random.split(used, n), state, actions, params)
        return (key, state, total + reward), None

    def scan(carry: Any, actions: Any) -> Any:
        return jax.lax.scan(advance, carry, actions)[0]

    _, state = reset(jax.random.split(jax.random.key(0), n), params)
    carry = (jax.random.key(1), state, jnp.zeros(n))
    actions = jnp.asarray(random_actions(environments(game, n, "auto"), STEPS[n]))
    start = time.perf_counter()
    compiled = jax.jit(scan).lower(carry, actions).compile()
    seconds = time.perf_counter() - start
    states = [carry]

    def work() -> None:
        states[0] = jax.block_until_ready(compiled(states[0], actions))

    return timed(work, n * STEPS[n]), seconds


def main() -> None:
    protocol = Protocol("gymnax", "jax")
    for game in cl.games():
        if THEIRS.get(game, (game, {}))[0] not in gymnax.registered_envs:
            absent("gymnax does not have this game", game)
            continue
        theirs: dict[Key, Contestant] = {}
        compile_seconds: dict[Key, float] = {}
        for n in STEPS:
            key = ("gymnax", BOUNDARY, n)
            theirs[key], compile_seconds[key] = opponent(game, n)
        games.measure(protocol, game, theirs, compile_seconds)


if __name__ == "__main__":
    main()
