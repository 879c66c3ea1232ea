# SPDX-License-Identifier: MIT
"""Rules for FrozenLake by hand. Ice slips to the sides only, so a push against a wall, or along a hole, cannot end where
it points away from."""

LEFT, DOWN, RIGHT, UP = range(4)

# Down along the left wall, which a push against it never leaves; then past the holes with the back to them.
ARROWS = (
    "<^^^",
    "<.<.",
    "^v<.",
    ".>v.",
)


def arrows(s: int) -> int:
    """For the 4 x 4 map."""
    return max("<v>^".find(ARROWS[s // 4][s % 4]), 0)


def edge(s: int) -> int:
    """For the 8 x 8 map: along the upper edge to the right wall and, pushing against that, down to the goal. Nowhere on
    the way is there a hole beside."""
    row, column = divmod(s, 8)
    return RIGHT if row == 0 or column == 7 else UP
