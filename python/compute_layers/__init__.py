# SPDX-License-Identifier: MIT
"""compute_layers: the same games and agents as inline assembly, C++ and Python.

Importing it registers the games with Gymnasium, in the namespace ``compute_layers/``.
"""

import gymnasium as _gymnasium

from ._core import __version__
from .agents import Agent, agents, load_agent
from .registry import NAMESPACE as _NAMESPACE
from .registry import Level, LevelUnavailable, games, levels
from .registry import game as _game
from .rollout import Rollout, rollout, rollout_population
from .tabular import TabularGame
from .vector import Env, VectorEnv

__all__ = [
    "Agent",
    "Env",
    "Level",
    "LevelUnavailable",
    "Rollout",
    "TabularGame",
    "VectorEnv",
    "__version__",
    "agents",
    "games",
    "levels",
    "load_agent",
    "rollout",
    "rollout_population",
]

for _id in games():
    if _NAMESPACE + _id not in _gymnasium.registry:
        _gymnasium.register(
            id=_NAMESPACE + _id,
            entry_point="compute_layers.vector:Env",
            vector_entry_point="compute_layers.vector:VectorEnv",
            max_episode_steps=_game(_id).entry.max_episode_steps,
            reward_threshold=_game(_id).entry.reward_threshold,
            kwargs={"game": _id},
        )
