# SPDX-License-Identifier: MIT
"""Environments of a peer against ours: at each size by the same call, and at their best against our kernel at
its best."""

from __future__ import annotations

from collections.abc import Mapping

from compute_layers import registry
from compute_layers.measure import Contestant
from contestants import calls, environments, kernel, random_actions, widest
from protocol import Key, Protocol
from results import GYMNASIUM_CALL, KERNEL

KERNEL_SIZES = (256, 1024, 4096)


def measure(
    protocol: Protocol,
    game: str,
    theirs: Mapping[Key, Contestant],
    compile_seconds: Mapping[Key, float] | None = None,
) -> None:
    isas = registry.game(game).isas
    levels = [level for level in (widest(isas, "asm"), widest(isas, "cpp")) if level is not None]
    contestants = dict(theirs)
    for n in dict.fromkeys(n for _, boundary, n in theirs if boundary == GYMNASIUM_CALL):
        for level in levels:
            envs = environments(game, n, level.name, level.isa)
            contestants[str(level), GYMNASIUM_CALL, n] = calls(envs.step, random_actions(envs))
    for n in KERNEL_SIZES:
        actions = random_actions(environments(game, n, "auto"))
        for level in levels:
            contestants[str(level), KERNEL, n] = kernel(game, n, level, actions)

    measurement = protocol.measure(contestants)
    for key in theirs:
        if key[1] == GYMNASIUM_CALL:
            measurement.row(game, key, [(str(level), *key[1:]) for level in levels])
    _, _, n = measurement.best(str(levels[0]), boundary=KERNEL)
    kernels = [(str(level), KERNEL, n) for level in levels]
    for name in dict.fromkeys(key[0] for key in theirs):
        best = measurement.best(name)
        compiled = (compile_seconds or {}).get(best)
        measurement.row(game, best, kernels, compile_seconds=compiled)
