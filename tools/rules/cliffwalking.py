# SPDX-License-Identifier: MIT
"""Rules for CliffWalking by hand."""

UP, RIGHT, DOWN, LEFT = range(4)


def straight(s: int) -> int:
    """The shortest way: up, along the cliff to its end, down."""
    row, column = divmod(s, 12)
    if column == 11:
        return DOWN
    return UP if row == 3 else RIGHT


def detour(s: int) -> int:
    """For slippery ground: along the upper edge."""
    row, column = divmod(s, 12)
    if column == 11:
        return DOWN
    return RIGHT if row == 0 else UP
