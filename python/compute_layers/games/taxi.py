# SPDX-License-Identifier: MIT
"""Taxi."""

from __future__ import annotations

from typing import Any, NamedTuple, get_type_hints

from ..pcg64 import PCG64
from ..spec import Id, Spec
from ..table import Table
from . import tabular


class State(NamedTuple):
    s: int
    lastaction: int
    fickle_step: int


def params(
    is_rainy: bool = False,
    fickle_passenger: bool = False,
    rainy_probability: float = 0.8,
    fickle_probability: float = 0.3,
) -> dict[str, float | str]:
    return {"fickle_passenger": float(fickle_passenger), "fickle_probability": float(fickle_probability)}


def table(*arguments: Any, **named: Any) -> Table:
    from gymnasium.envs.toy_text.taxi import TaxiEnv

    env: Any = TaxiEnv(None, *arguments, **named)
    return Table(env.P, env.initial_state_distrib)


def reset(p: Any, options: Any, rng: PCG64) -> State:
    s = p.table.start(rng.random())
    return State(s, -1, int(p.fickle_passenger != 0.0 and rng.random() < p.fickle_probability))


def step(p: Any, state: State, action: int, rng: PCG64) -> tuple[State, float, bool, float]:
    (s, _), *rest = tabular.step(p, tabular.State(state.s, state.lastaction), action, rng)
    fickle_step = state.fickle_step
    if p.fickle_passenger and fickle_step and state.s // 4 % 5 == 4 and state.s // 20 != s // 20:
        fickle_step = 0
        others = [destination for destination in range(4) if destination != state.s % 4]
        s = (s // 4) * 4 + others[rng.integers(3)]
    return State(s, action, fickle_step), *rest  # type: ignore[return-value]


def observe(p: Any, state: State) -> tuple[int]:
    return (state.s,)


SPEC = Spec(
    ids={"Taxi-v4": Id(max_episode_steps=200, reward_threshold=8)},
    state=get_type_hints(State),
    observation=None,
    action=None,
    params=params,
    table=table,
    bounds={"s": (0, None), "lastaction": (-1, 5), "fickle_step": (0, 1)},
    info=("prob",),
    step_draws=True,
)
