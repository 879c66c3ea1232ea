# SPDX-License-Identifier: MIT
"""Rules for Taxi by hand."""

from collections import deque
from functools import cache

from compute_layers.games.taxi import ABOARD, DROP_OFF, PICK_UP, STANDS, decode, moved


@cache
def steps_to(place: tuple[int, int]) -> dict[tuple[int, int], int]:
    """How many moves each cell is away from a place."""
    steps, waiting = {place: 0}, deque([place])
    while waiting:
        cell = waiting.popleft()
        # Walls stand in the way from both sides: a move back leads where the move came from.
        for heading in range(4):
            before = moved(*cell, heading)
            if before not in steps:
                steps[before] = steps[cell] + 1
                waiting.append(before)
    return steps


def shortest_way(s: int) -> int:
    """Drive the shortest way to the passenger, and with them to their destination."""
    row, column, passenger, destination = decode(s)
    target = STANDS[destination if passenger == ABOARD else passenger]
    if (row, column) == target:
        return DROP_OFF if passenger == ABOARD else PICK_UP
    return min(range(4), key=lambda heading: steps_to(target)[moved(row, column, heading)])
