# SPDX-License-Identifier: MIT
"""Proves what cpp/games/continuous_mountain_car.hpp says of its shorter cosine: for every float32 position in
play the pull that a kernel for play adds to the velocity is the float32 that the general kernel adds.

    python tools/swing.py [--level LEVEL[:ISA]] [--every N]

Half a billion positions at each native level, minutes; with N every N-th of them. Below 2**-30 the pull no
longer depends on the position. The exit status is 1 if any differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

import compute_layers as cl
from compute_layers import registry
from compute_layers.batch import Batch
from compute_layers.spec import Box

GAME = "MountainCarContinuous-v0"
LANES = 1 << 16
SMALLEST = np.float32(2.0**-30)


def positions(every: int) -> Iterator[NDArray[np.float32]]:
    """Every n-th float32 between the walls, by size, LANES at a time, the last of each sign repeated."""
    space = registry.game(GAME).observation
    assert isinstance(space, Box)
    for sign, wall in ((-1.0, space.low[0]), (1.0, space.high[0])):
        first, last = (int(number.view(np.uint32)) for number in (SMALLEST, np.float32(abs(wall))))
        for start in range(first, last + 1, every * LANES):
            patterns = np.minimum(start + every * np.arange(LANES), last).astype(np.uint32)
            yield np.float32(sign) * patterns.view(np.float32)


def resting(level: cl.Level) -> tuple[Batch, Batch]:
    """Two batches in play, with a goal that nobody reaches from rest: one for the general kernel."""
    batches = []
    for general in (False, True):
        batch = Batch(
            registry.game(GAME),
            LANES,
            level.name,
            level.isa,
            None,
            AutoresetMode.DISABLED,
            True,
            {"goal_velocity": 0.0625},
        )
        batch.start(np.arange(LANES), [0] * LANES, batch.parse_options(None))
        if general:
            batch.params = batch.params  # as if they had changed in mid-episode
        batches.append(batch)
    return batches[0], batches[1]


def velocities(batch: Batch, places: NDArray[np.float32]) -> NDArray[Any]:
    """What a step without force makes of cars at rest."""
    state = batch._views()
    state["position"][:], state["velocity"][:], state["fresh"][:] = places, 0.0, 0
    batch.step(np.zeros((LANES, 1), np.float32))
    return state["velocity"]


def differing(level: cl.Level, every: int = 1) -> tuple[list[float], int]:
    """The positions where the kernels of a level differ, and how many were tried."""
    in_play, anywhere = resting(level)
    found: list[float] = []
    tried = 0
    for places in positions(every):
        unequal = velocities(in_play, places) != velocities(anywhere, places)
        found += np.unique(places[unequal]).tolist()
        tried += LANES
    return found, tried


def main() -> int:
    """Prints what was tried; 0 if all are equal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--level", action="append", default=[], help="default: every native one")
    parser.add_argument("--every", type=int, default=1, help="%(default)s")
    given = parser.parse_args()
    written = registry.game(GAME).isas
    failed = False
    for level in registry.choose_levels(given.level):
        if level.isa is None or not level.available or level.isa not in written[level.name]:
            continue
        found, tried = differing(level, given.every)
        failed |= bool(found)
        print(f"{level}: {tried} positions, {len(found)} differ{': ' if found else ''}", flush=True, end="")
        print(", ".join(position.hex() for position in found[:10]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
