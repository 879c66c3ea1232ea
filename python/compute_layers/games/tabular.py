# SPDX-License-Identifier: MIT
"""Tabular games: a table says everything of them."""

from __future__ import annotations

from typing import Any, NamedTuple, get_type_hints

from ..pcg64 import PCG64
from ..spec import Spec
from ..table import Table


class State(NamedTuple):
    s: int
    lastaction: int


def params(table: Table | None = None) -> dict[str, float | str]:
    return {}


def table(table: Table | None = None) -> Table:
    assert table is not None
    return table


def reset(p: Any, options: Any, rng: PCG64) -> State:
    return State(p.table.start(rng.random()), -1)


def step(p: Any, state: State, action: int, rng: PCG64) -> tuple[State, float, bool, float]:
    # [1] draw, [2] outcome
    outcome = p.table.rows[state.s][action].draw(rng.random())
    # [3] next state, [4] termination and reward
    return State(outcome.state, action), outcome.reward, outcome.terminated, outcome.probability


def observe(p: Any, state: State) -> tuple[int]:
    return (state.s,)


SPEC = Spec(
    ids={},
    state=get_type_hints(State),
    observation=None,
    action=None,
    params=params,
    table=table,
    bounds={"s": (0, None), "lastaction": (-1, 5)},
    info=("prob",),
    step_draws=True,
)
