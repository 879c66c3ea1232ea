# SPDX-License-Identifier: MIT
"""FrozenLake: cross a slippery lake to the goal without falling into a hole.

## Description
The lake is a grid of cells: S (start), F (frozen), H (hole), G (goal). On slippery ice a step goes where it was meant
to with the probability ``success_rate``, else to one of the two sides. The numbers and their order are those of
``gymnasium/envs/toy_text/frozen_lake.py`` (1.4); the rules are those of all tabular games, ``tabular.py``.

## Action Space
``Discrete(4)``: 0 left, 1 down, 2 right, 3 up. A step off the grid stays where it is.

## Observation Space
``Discrete(rows * columns)``: ``row * columns + column``.

## Rewards
``reward_schedule``, by default 1 for the goal and 0 for all else. ``info["prob"]`` is the probability of the outcome
that was drawn, and 1 after a reset.

## Starting State
A cell S, each equally likely; the first cell if there is none.

## Episode End
Terminated on G and H. Truncated after 100 steps (``FrozenLake-v1``) or 200 (``FrozenLake8x8-v1``).

## Arguments
``desc=None``: the map, a list of strings or an array of single bytes; any other letter counts as F.
``map_name="4x4"``: ``"4x4"`` or ``"8x8"``, where there is no ``desc``; with both None a random map of 8 x 8, one for the
whole batch. ``generate_random_map(size, p, seed)`` makes maps that can be had again. ``is_slippery=True``.
``success_rate=1/3``. ``reward_schedule=(1, 0, 0)``: for G, H, and F or S. ``desc``, ``nrow``, ``ncol``, ``P`` and
``initial_state_distrib`` are attributes to read.

## Differences from Gymnasium
``prob`` is float64 in a batch, always (Gymnasium cuts it to an integer when its first environment has just been
reset). With ``map_name=None`` the environments of a batch share their random map. Rewards are floats.
``generate_random_map`` refuses sizes and probabilities with which Gymnasium's looks for a map for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import numpy as np
from gymnasium.envs.toy_text import frozen_lake as gymnasium_frozen_lake

from ..spec import Id, Spec
from ..table import Table
from .tabular import BOUNDS, Options, Params, State, observe, reset, step

__all__ = ["Options", "Params", "State", "generate_random_map", "observe", "reset", "step"]

LEFT, DOWN, RIGHT, UP = range(4)
MAPS = {
    "4x4": ("SFFF", "FHFH", "FFFH", "HFFG"),
    "8x8": (
        "SFFFFFFF",
        "FFFFFFFF",
        "FFFHFFFF",
        "FFFFFHFF",
        "FFFHFFFF",
        "FHHFFFHF",
        "FHFFHFHF",
        "FFFHFFFG",
    ),
}


def generate_random_map(size: int = 8, p: float = 0.8, seed: int | None = None) -> list[str]:
    """A square map with a way from S to G, that of ``gymnasium.envs.toy_text.frozen_lake.generate_random_map``.

    Args:
        size: of a side, at least 2.
        p: probability of a cell to be frozen, above 0; 1 and more give a map without holes.
        seed: at least 0; None draws it from the operating system.

    Raises:
        ValueError: with such a size or probability there is no such map.
    """
    if size < 2:
        raise ValueError(f"size is {size}; allowed: 2 and more")
    if not p > 0:
        raise ValueError(f"p is {p}; allowed: a probability above 0")
    return gymnasium_frozen_lake.generate_random_map(size, p, seed)


def params(
    desc: Any = None,
    map_name: str | None = "4x4",
    is_slippery: bool = True,
    success_rate: float = 1.0 / 3.0,
    reward_schedule: Sequence[float] = (1, 0, 0),
) -> dict[str, float | str]:
    return {}


def _cells(desc: Any, map_name: str | None) -> Any:
    """The map as an array of single bytes, (rows, columns)."""
    if desc is None and map_name is None:
        desc = generate_random_map()
    elif desc is None:
        if map_name not in MAPS:
            raise ValueError(f"map_name is {map_name!r}; allowed: {', '.join(MAPS)}, or None")
        desc = MAPS[map_name]
    try:
        cells = np.asarray(desc, dtype="c")
    except (TypeError, ValueError, UnicodeEncodeError):
        cells = np.empty(0, "c")
    if cells.ndim != 2 or not cells.size:
        raise ValueError(f"desc is {desc!r}; allowed: strings of one length, one for each row")
    return cells


def table(
    desc: Any = None,
    map_name: str | None = "4x4",
    is_slippery: bool = True,
    success_rate: float = 1.0 / 3.0,
    reward_schedule: Sequence[float] = (1, 0, 0),
) -> Table:
    cells = _cells(desc, map_name)
    letters = [[bytes(cell).decode("latin-1") for cell in row] for row in cells]
    nrow, ncol = cells.shape
    try:
        goal, hole, frozen = reward_schedule
    except (TypeError, ValueError):
        raise ValueError(f"reward_schedule is {reward_schedule!r}; allowed: three numbers") from None
    fail_rate = (1.0 - success_rate) / 2.0

    def towards(row: int, col: int, action: int) -> tuple[int, float, bool]:
        """State, reward and termination of a step that goes where it was meant to."""
        row = min(row + 1, nrow - 1) if action == DOWN else max(row - 1, 0) if action == UP else row
        col = min(col + 1, ncol - 1) if action == RIGHT else max(col - 1, 0) if action == LEFT else col
        letter = letters[row][col]
        return row * ncol + col, {"G": goal, "H": hole}.get(letter, frozen), letter in ("G", "H")

    def outcomes(row: int, col: int, action: int) -> list[tuple[float, int, float, bool]]:
        if letters[row][col] in ("G", "H"):
            return [(1.0, row * ncol + col, 0, True)]
        if not is_slippery:
            return [(1.0, *towards(row, col, action))]
        return [
            (success_rate if way == action else fail_rate, *towards(row, col, way))
            for way in ((action - 1) % 4, action, (action + 1) % 4)
        ]

    starts = np.array(cells == b"S").astype(np.float64).ravel()
    if starts.any():
        starts /= starts.sum()
    else:
        starts[0] = 1.0
    transitions = {
        row * ncol + col: {action: outcomes(row, col, action) for action in range(4)}
        for row in range(nrow)
        for col in range(ncol)
    }
    return Table(transitions, starts, {"desc": cells, "nrow": nrow, "ncol": ncol})


def pose(params: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    return {"s": state["s"], "lastaction": None if state["lastaction"] < 0 else state["lastaction"]}


SPEC = Spec(
    ids={
        "FrozenLake-v1": Id(max_episode_steps=100, reward_threshold=0.7, kwargs={"map_name": "4x4"}),
        "FrozenLake8x8-v1": Id(max_episode_steps=200, reward_threshold=0.85, kwargs={"map_name": "8x8"}),
    },
    state=get_type_hints(State),
    observation=None,
    action=None,
    params=params,
    table=table,
    bounds=BOUNDS,
    info={"prob": 1},
    pose=pose,
    render_modes=("human", "ansi", "rgb_array"),
    render_fps=4,
    step_draws=True,
)
