# SPDX-License-Identifier: MIT
"""Frozen lake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..spec import Id
from ..table import Table
from . import tabular
from .tabular import State as State
from .tabular import observe as observe
from .tabular import reset as reset
from .tabular import step as step


def params(**arguments: Any) -> dict[str, float | str]:
    return {}


def table(**arguments: Any) -> Table:
    from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

    env: Any = FrozenLakeEnv(**arguments)
    return Table(env.P, env.initial_state_distrib)


SPEC = replace(
    tabular.SPEC,
    ids={"FrozenLake-v1": Id(max_episode_steps=100, reward_threshold=0.7)},
    params=params,
    table=table,
)
