# SPDX-License-Identifier: MIT
"""Tabular games: a table says what may come of each action in each state. The rules of FrozenLake, CliffWalking and
of tables of one's own (``TabularGame``), whose kernels they share.

## Description
A step draws one of the outcomes that the table has for the state and the action: the next state, the reward, and
whether the episode has ended. ``gymnasium/envs/toy_text/utils.py`` (1.4) says how, ``table.py`` how it is done here.

## Action Space
``Discrete(actions)`` of the table.

## Observation Space
``Discrete(states)`` of the table: the number of the state.

## Rewards
Those of the table. ``info["prob"]`` is the probability of the outcome that was drawn, and 1 after a reset.

## Starting State
Drawn from ``initial_state_distrib``.

## Episode End
Terminated by an outcome that says so; nothing else ends an episode, a state without way out included.

## Arguments
None: the table is the game.

## Differences from Gymnasium
``prob`` is float64 in a batch, always (Gymnasium cuts it to an integer when its first environment has just been
reset). A table whose probabilities do not sum to one is refused.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, get_type_hints

from ..pcg64 import PCG64
from ..spec import Spec
from ..table import Table


class Params(Protocol):
    table: Table


class State(NamedTuple):
    s: int
    lastaction: int  # -1 after a reset; for drawing


class Options(Protocol):
    pass


BOUNDS: dict[str, tuple[int, int | str]] = {"s": (0, "states"), "lastaction": (-1, "actions")}


def params() -> dict[str, float | str]:
    return {}


SPEC = Spec(
    ids={},
    state=get_type_hints(State),
    observation=None,
    action=None,
    params=params,
    table=lambda: Table([[[(1.0, 0, 0.0, True)]]], [1.0]),
    bounds=BOUNDS,
    info={"prob": 1},
    render_modes=(),
    step_draws=True,
)


def reset(p: Params, options: Options, rng: PCG64) -> State:
    return State(p.table.start(rng.random()), -1)


def step(p: Params, state: State, action: int, rng: PCG64) -> tuple[State, float, bool, float]:
    # [1] draw; one number, whatever the table
    u = rng.random()

    # [2] outcome
    outcome = p.table.rows[state.s][action].draw(u)

    # [3] next state
    s = outcome.state

    # [4] termination and reward
    return State(s, action), outcome.reward, outcome.terminated, outcome.probability


def observe(p: Params, state: State) -> tuple[int, ...]:
    return (state.s,)
