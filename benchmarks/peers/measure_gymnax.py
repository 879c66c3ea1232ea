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

SIZES = (64, 1024, 4096, 16384)
STEPS = 64  # of a scan
BOUNDARY = "jit + scan"


def opponent(game: str, n: int) -> tuple[Contestant, float]:
    """Steps with automatic resets and prepared actions, and the seconds that compiling them took."""
    env, params = gymnax.make(game)
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
    actions = jnp.asarray(random_actions(environments(game, n, "auto"), STEPS))
    start = time.perf_counter()
    compiled = jax.jit(scan).lower(carry, actions).compile()
    seconds = time.perf_counter() - start
    states = [carry]

    def work() -> None:
        states[0] = jax.block_until_ready(compiled(states[0], actions))

    return timed(work, n * STEPS), seconds


def main() -> None:
    protocol = Protocol("gymnax", "jax")
    for game in cl.games():
        if game not in gymnax.registered_envs:
            absent("gymnax does not have this game", game)
            continue
        theirs: dict[Key, Contestant] = {}
        compile_seconds: dict[Key, float] = {}
        for n in SIZES:
            key = ("gymnax", BOUNDARY, n)
            theirs[key], compile_seconds[key] = opponent(game, n)
        games.measure(protocol, game, theirs, compile_seconds)


if __name__ == "__main__":
    main()
