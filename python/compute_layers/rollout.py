# SPDX-License-Identifier: MIT
"""Whole episodes of an agent in a game."""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from .agents import Agent, agent_file
from .batch import MAX_ENVS, encode_params, parse_limit, parse_seed, shape_of
from .interpreter import GameInterpreter
from .registry import game as find_game
from .registry import resolve

DEFAULT_LIMIT = 1000  # steps, for games whose id has no time limit


@dataclass(frozen=True, eq=False)
class Rollout:
    """The result of :func:`rollout`.

    Attributes:
        returns: float64 (episodes,): the sum of the rewards of each episode.
        lengths: int64 (episodes,): its steps.
        seconds: wall time, from the first reset to the last step.
        level, isa, policy_level, policy_isa: what ran.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    seconds: float
    level: str
    isa: str | None
    policy_level: str
    policy_isa: str | None

    @property
    def steps(self) -> int:
        """Environment steps of all episodes together."""
        return int(self.lengths.sum())


def _count(name: str, value: Any, most: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; allowed: an int, 1 to {most}") from None
    if not 1 <= number <= most:
        raise ValueError(f"{name} is {number}; allowed: 1 to {most}")
    return number


def rollout(
    game: str,
    agent: str | os.PathLike[str] | Agent,
    *,
    episodes: int,
    seed: int = 0,
    level: str = "auto",
    isa: str | None = None,
    policy_level: str | None = None,
    num_envs: int = 256,
    threads: int = 1,
    max_episode_steps: int | None = None,
    **arguments: Any,
) -> Rollout:
    """Play episodes; natively from the first reset to the last step when game and policy are native.

    Episode k is the one that ``reset(seed=seed + k)`` starts, at every level and for every ``num_envs`` and
    ``threads``. A stochastic policy draws from ``SeedSequence(seed + k, spawn_key=(1,))`` in episode k.

    Args:
        game: the id.
        agent: a shipped agent's name, the path of a policy file, or a loaded agent.
        episodes: how many, 1 to 2³¹ - 1.
        seed: of episode 0, at most 64 bits.
        level, isa: of the game, as for the environments.
        policy_level: of the policy; None is ``level``, or a loaded agent's own.
        num_envs: environments that are stepped together.
        threads: native threads that share the work.
        max_episode_steps: None is the id's limit (1000 if it has none), -1 no limit.
        arguments: the game's constructor arguments.

    Raises:
        ValueError, TypeError: an unknown name or an argument out of range.
        LevelUnavailable: a level or isa cannot be served here.
        KeyboardInterrupt: Ctrl-C; the work stops within a few steps.
    """
    found = find_game(game)
    spec = found.spec
    episodes = _count("episodes", episodes, MAX_ENVS)
    num_envs = _count("num_envs", num_envs, MAX_ENVS)
    threads = _count("threads", threads, 1024)
    first = parse_seed(seed)
    if first >= 2**64:
        raise ValueError(f"seed is {first}; allowed: less than 2**64")
    if max_episode_steps is None:
        limit = found.entry.max_episode_steps or DEFAULT_LIMIT
    else:
        limit = parse_limit(max_episode_steps)
    params = encode_params(found, arguments)
    game_level, game_isa = resolve(level, isa, found.isas, found.id)
    if isinstance(agent, Agent):
        file = agent.file
        if file.game.id != found.id:
            raise ValueError(f"agent is for {file.game.id}; allowed: an agent for {found.id}")
        wanted = (agent.level, agent.isa) if policy_level is None else (policy_level, None)
    else:
        file = agent_file(found.id, agent)
        wanted = (level, isa) if policy_level is None else (policy_level, None)
    player = Agent(file, *wanted, seed=0)
    returns, lengths, seconds = _core.rollout(
        stem=found.stem,
        level=game_level,
        isa=game_isa,
        shape=shape_of(spec),
        rules=GameInterpreter(found) if game_level == "python" else None,
        params=params,
        options=list(spec.options.values()),
        limit=limit,
        player=player,
        episodes=episodes,
        seed=first,
        num_envs=num_envs,
        threads=threads,
    )
    return Rollout(returns, lengths, seconds, game_level, game_isa, player.level, player.isa)
