# SPDX-License-Identifier: MIT
"""CliffWalking: walk along a cliff to the goal.

## Description
A grid of 4 rows and 12 columns. The start is the lower left corner, the goal the lower right one, and between them,
along the lower edge, lies the cliff. Sutton and Barto, *Reinforcement Learning: An Introduction* (2020), example 6.6;
the numbers and their order are those of ``gymnasium/envs/toy_text/cliffwalking.py`` (1.4); the rules are those of all
tabular games, ``tabular.py``.

## Action Space
``Discrete(4)``: 0 up, 1 right, 2 down, 3 left. A step off the grid stays where it is.

## Observation Space
``Discrete(48)``: ``row * 12 + column``.

## Rewards
-1 for every step; a step into the cliff costs 100 and leads back to the start. ``info["prob"]`` is the probability of
the outcome that was drawn, and 1 after a reset.

## Starting State
The start, state 36; one number is drawn all the same.

## Episode End
Terminated on the goal, state 47. There is no time limit.

## Arguments
``is_slippery=False``: with it a step goes, with a probability of 1/3 each, where it was meant to or to one of the two
sides (``CliffWalkingSlippery-v1``). ``P`` and ``initial_state_distrib`` are attributes to read.

## Differences from Gymnasium
``prob`` is float64 in a batch, always (Gymnasium cuts it to an integer when its first environment has just been
reset). Rewards are floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

from ..spec import Id, Spec
from ..table import Table
from .tabular import BOUNDS, Options, Params, State, observe, reset, step

__all__ = ["Options", "Params", "State", "observe", "reset", "step"]

ROWS, COLUMNS = 4, 12
START, GOAL = (ROWS - 1) * COLUMNS, ROWS * COLUMNS - 1
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left


def params(is_slippery: bool = False) -> dict[str, float | str]:
    return {}


def table(is_slippery: bool = False) -> Table:
    def outcome(state: int, move: tuple[int, int]) -> tuple[int, float, bool]:
        row = min(max(state // COLUMNS + move[0], 0), ROWS - 1)
        column = min(max(state % COLUMNS + move[1], 0), COLUMNS - 1)
        new = row * COLUMNS + column
        return (START, -100, False) if START < new < GOAL else (new, -1, new == GOAL)

    def outcomes(state: int, action: int) -> list[tuple[float, int, float, bool]]:
        ways = ((action - 1) % 4, action, (action + 1) % 4) if is_slippery else (action,)
        return [(1 / len(ways), *outcome(state, MOVES[way])) for way in ways]

    states = range(ROWS * COLUMNS)
    transitions = {state: {action: outcomes(state, action) for action in range(4)} for state in states}
    return Table(transitions, [float(state == START) for state in states])


def pose(params: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    return {"s": state["s"], "lastaction": None if state["lastaction"] < 0 else state["lastaction"]}


SPEC = Spec(
    ids={"CliffWalking-v1": Id(), "CliffWalkingSlippery-v1": Id(kwargs={"is_slippery": True})},
    state=get_type_hints(State),
    observation=None,
    action=None,
    params=params,
    table=table,
    bounds=BOUNDS,
    info={"prob": 1},
    pose=pose,
    render_modes=("human", "rgb_array", "ansi"),
    render_fps=4,
    step_draws=True,
)
