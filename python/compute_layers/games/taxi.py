# SPDX-License-Identifier: MIT
"""Taxi: fetch a passenger and bring them to their destination.

## Description
A grid of 5 x 5 with walls and four stands: R, G, Y, B. The passenger waits at one of them and wants to go to another.
Dietterich, "Hierarchical Reinforcement Learning with the MAXQ Value Function Decomposition" (2000); the numbers and
their order are those of ``gymnasium/envs/toy_text/taxi.py`` (1.4). Its rules are those of all tabular games,
``tabular.py``, and a passenger who may change their mind.

## Action Space
``Discrete(6)``: 0 south, 1 north, 2 east, 3 west, 4 pick up, 5 drop off. ``info["action_mask"]``, int8 (6,), has a 1 for
each that changes the state.

## Observation Space
``Discrete(500)``: ``((row * 5 + column) * 5 + passenger) * 4 + destination``. Passenger and destination are stands: 0 R,
1 G, 2 Y, 3 B; passenger 4 is aboard.

## Rewards
20 for bringing the passenger to the destination, -10 for picking up or dropping off where it cannot be done, else -1.
``info["prob"]`` is the probability of the outcome that was drawn, and 1 after a reset.

## Starting State
Anywhere, with a passenger who waits at a stand that is not the destination: each of 300 states equally likely.

## Episode End
Terminated when the passenger has been brought to the destination. Truncated after 200 steps (``Taxi-v4``).

## Arguments
``is_rainy=False``: with it a move goes where it was meant to with the probability ``rainy_probability=0.8``, else to the
left or the right of it; a move against a wall stays. ``fickle_passenger=False``: with it, in a share of
``fickle_probability=0.3`` of the episodes, the passenger wants to go to another stand once the taxi has moved with
them. ``fickle_passenger`` and ``fickle_probability`` are attributes that may be set; ``P`` and
``initial_state_distrib`` may be read.

## Differences from Gymnasium
Rewards are floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ..pcg64 import PCG64
from ..spec import Id, Spec
from ..table import Table
from .tabular import BOUNDS

STANDS = ((0, 0), (0, 4), (4, 0), (4, 3))  # R, G, Y, B: row, column
ABOARD = 4
# The columns to whose east, by row, there is a wall.
WALLS: tuple[set[int], ...] = ({1}, {1}, set(), {0, 2}, {0, 2})
SOUTH, NORTH, EAST, WEST, PICK_UP, DROP_OFF = range(6)
MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))
LEFT_OF = (EAST, WEST, NORTH, SOUTH)  # of each heading
RIGHT_OF = (WEST, EAST, SOUTH, NORTH)


class Params(Protocol):
    fickle_passenger: float
    fickle_probability: float
    table: Table


class State(NamedTuple):
    s: int
    lastaction: int  # -1 after a reset; for drawing
    fickle_step: int  # 1 as long as the passenger may still change their mind


class Options(Protocol):
    pass


def params(
    is_rainy: bool = False,
    fickle_passenger: bool = False,
    rainy_probability: float = 0.8,
    fickle_probability: float = 0.3,
) -> dict[str, float | str]:
    return {"fickle_passenger": float(fickle_passenger), "fickle_probability": fickle_probability}


def encode(row: int, col: int, passenger: int, destination: int) -> int:
    return ((row * 5 + col) * 5 + passenger) * 4 + destination


def decode(s: int) -> tuple[int, int, int, int]:
    """Row, column, passenger and destination."""
    return s // 100, s // 20 % 5, s // 4 % 5, s % 4


def moved(row: int, col: int, heading: int) -> tuple[int, int]:
    """Where a move leads; against a wall or the edge it stays."""
    if (heading == EAST and col in WALLS[row]) or (heading == WEST and col - 1 in WALLS[row]):
        return row, col
    down, right = MOVES[heading]
    return min(max(row + down, 0), 4), min(max(col + right, 0), 4)


def table(
    is_rainy: bool = False,
    fickle_passenger: bool = False,
    rainy_probability: float = 0.8,
    fickle_probability: float = 0.3,
) -> Table:
    lateral = (1.0 - rainy_probability) / 2.0

    def outcomes(s: int, action: int) -> list[tuple[float, int, float, bool]]:
        row, col, passenger, destination = decode(s)
        place = row, col
        if action == PICK_UP:
            found = passenger < ABOARD and place == STANDS[passenger]
            return [
                (
                    1.0,
                    encode(row, col, ABOARD if found else passenger, destination),
                    -1 if found else -10,
                    False,
                )
            ]
        if action == DROP_OFF:
            if passenger != ABOARD or place not in STANDS:
                return [(1.0, s, -10, False)]
            stand = STANDS.index(place)
            arrived = stand == destination
            return [(1.0, encode(row, col, stand, destination), 20 if arrived else -1, arrived)]
        headings = (action, LEFT_OF[action], RIGHT_OF[action])
        # Where the way is blocked nothing drifts to the sides either.
        blocked = moved(row, col, action) == place
        cells = [place if blocked else moved(row, col, heading) for heading in headings]
        states = [encode(*cell, passenger, destination) for cell in cells]
        if not is_rainy:
            return [(1.0, states[0], -1, False)]
        return [
            (p, state, -1, False)
            for p, state in zip((rainy_probability, lateral, lateral), states, strict=True)
        ]

    starts = np.array(
        [decode(s)[2] < ABOARD and decode(s)[2] != decode(s)[3] for s in range(500)], np.float64
    )
    starts /= starts.sum()
    transitions = {s: {action: outcomes(s, action) for action in range(6)} for s in range(500)}
    return Table(transitions, starts)


def action_mask(table: Table) -> NDArray[np.int8]:
    """A row for each state: whether the actions change it."""
    masks = np.zeros((table.states, table.actions), np.int8)
    for s in range(table.states):
        row, col, passenger, _ = decode(s)
        masks[s, :4] = [moved(row, col, heading) != (row, col) for heading in range(4)]
        masks[s, PICK_UP] = passenger < ABOARD and (row, col) == STANDS[passenger]
        masks[s, DROP_OFF] = passenger == ABOARD and (row, col) in STANDS
    return masks


def pose(params: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    if state["lastaction"] < 0:
        return {"s": state["s"], "lastaction": None, "taxi_orientation": 0}
    return {"s": state["s"], "lastaction": state["lastaction"]}


SPEC = Spec(
    ids={"Taxi-v4": Id(max_episode_steps=200, reward_threshold=8)},
    state=get_type_hints(State),
    observation=None,
    action=None,
    params=params,
    table=table,
    bounds={**BOUNDS, "fickle_step": (0, 1)},
    info={"prob": 1.0},
    masks={"action_mask": action_mask},
    pose=pose,
    render_modes=("human", "ansi", "rgb_array"),
    render_fps=4,
    step_draws=True,
)


def reset(p: Params, options: Options, rng: PCG64) -> State:
    s = p.table.start(rng.random())
    fickle = p.fickle_passenger != 0.0 and rng.random() < p.fickle_probability
    return State(s, -1, int(fickle))


def step(p: Params, state: State, action: int, rng: PCG64) -> tuple[State, float, bool, float]:
    # [1] draw; one number, whatever the table
    u = rng.random()

    # [2] outcome
    outcome = p.table.rows[state.s][action].draw(u)

    # [3] next state
    s, fickle_step = outcome.state, state.fickle_step

    # [4] termination and reward
    reward, terminated, probability = outcome.reward, outcome.terminated, outcome.probability

    # [5] fickle passenger; one who has been moved may want to go elsewhere
    row, col, passenger, destination = decode(state.s)
    if p.fickle_passenger != 0.0 and fickle_step and passenger == ABOARD and (row, col) != decode(s)[:2]:
        fickle_step = 0
        others = [stand for stand in range(4) if stand != destination]
        s = encode(*decode(s)[:3], others[rng.integers(3)])
    return State(s, action, fickle_step), reward, terminated, probability


def observe(p: Params, state: State) -> tuple[int, ...]:
    return (state.s,)
