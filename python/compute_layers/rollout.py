# SPDX-License-Identifier: MIT
"""Whole episodes of an agent in a game."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from .agents import Agent, agent_file, check_tensors, interpreter_of, kernel_arguments, search_rule
from .batch import MAX_ENVS, encode_params, parse_limit, parse_seed, shape_of
from .interpreter import GameInterpreter
from .registry import Game, borrowers, families, resolve
from .registry import game as find_game

DEFAULT_LIMIT = 1000  # steps, for games whose id has no time limit


@dataclass(frozen=True, eq=False)
class Rollout:
    """The result of :func:`rollout` and :func:`rollout_population`.

    Attributes:
        returns: float64 (episodes,): the sum of the rewards of each episode; of a population
            (candidates, episodes).
        lengths: int64 of the same shape: the steps of each.
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


def parse_count(name: str, value: Any, most: int, least: int = 1) -> int:
    """An int from ``least`` to ``most``.

    Raises:
        TypeError, ValueError: something else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; allowed: an int, {least} to {most}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}; allowed: {least} to {most}")
    return number


def rollout(
    game: str | Game,
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
    task = _Task(
        game, agent, episodes, seed, level, isa, policy_level, num_envs, threads, max_episode_steps, arguments
    )
    player = Agent(task.file, *task.policy_level, seed=0)
    rule = search_rule(task.file, task.setting, player.level)
    returns, lengths, seconds = _core.rollout(player=player, search_rule=rule, **task.arguments)
    return Rollout(returns, lengths, seconds, *task.level, player.level, player.isa)


def rollout_population(
    game: str | Game,
    agent: str | os.PathLike[str] | Agent,
    tensors: Mapping[str, NDArray[Any]],
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
    """Play the same episodes with many candidates that differ in their parameters, in one native call.

    Row c of the result is what :func:`rollout` gives for an agent with the tensors of candidate c: all
    candidates play the seeds from ``seed`` on.

    Args:
        agent: of the candidates' family, head and choices; its own tensors count for nothing.
        tensors: of the family, by name, stacked along a first axis of one entry for each candidate. Sizes that
            a file may choose are taken from here.
        num_envs: environments of a candidate that are stepped together.
        threads: native threads that share the candidates.

    The other arguments and errors are those of :func:`rollout`.

    Raises:
        ValueError, TypeError: also for tensors that are no population of this family.
    """
    task = _Task(
        game, agent, episodes, seed, level, isa, policy_level, num_envs, threads, max_episode_steps, arguments
    )
    file = task.file
    if file.family.stem in borrowers():
        allowed = ", ".join(families())
        raise ValueError(f"agent is of family {file.family.stem!r}; allowed in a population: {allowed}")
    if not isinstance(tensors, Mapping):
        raise TypeError(f"tensors is {tensors!r}; allowed: arrays by name")
    # Copies: nobody may change them after the check.
    stacked = {name: np.array(tensor) for name, tensor in tensors.items()}
    counts = {tensor.shape[0] if tensor.ndim else 0 for tensor in stacked.values()}
    if len(counts) != 1 or counts == {0}:
        found = ", ".join(f"{name} {tensor.shape}" for name, tensor in stacked.items()) or "none"
        raise ValueError(f"tensors are {found}; allowed: a first axis of one length, one entry a candidate")
    candidates = counts.pop()
    checked = check_tensors("tensors", file.game, file.family, file.head, stacked, candidates)
    policy, policy_isa = resolve(*task.policy_level, file.family.isas, f"policy {file.family.stem}")
    rules = []
    if policy == "python":
        own = ({name: tensor[c] for name, tensor in checked.items()} for c in range(candidates))
        rules = [interpreter_of(file, parameters) for parameters in own]
    returns, lengths, seconds = _core.rollout_population(
        policy=file.family.stem,
        policy_level=policy,
        policy_isa=policy_isa,
        tensors=list(checked.values()),
        policy_rules=rules,
        candidates=candidates,
        **task.arguments | kernel_arguments(file),
    )
    return Rollout(returns, lengths, seconds, *task.level, policy, policy_isa)


class _Task:
    """The arguments that both have, checked.

    Attributes:
        file: of the agent.
        setting: the game with its arguments.
        level: name and isa of the game's level.
        policy_level: the same as they were asked for the policy.
        arguments: for the native core.
    """

    def __init__(
        self,
        game: str | Game,
        agent: str | os.PathLike[str] | Agent,
        episodes: int,
        seed: int,
        level: str,
        isa: str | None,
        policy_level: str | None,
        num_envs: int,
        threads: int,
        max_episode_steps: int | None,
        arguments: Mapping[str, Any],
    ) -> None:
        found = find_game(game)
        episodes = parse_count("episodes", episodes, MAX_ENVS)
        num_envs = parse_count("num_envs", num_envs, MAX_ENVS)
        threads = parse_count("threads", threads, 1024)
        first = parse_seed(seed)
        if first >= 2**64:
            raise ValueError(f"seed is {first}; allowed: less than 2**64")
        if max_episode_steps is None:
            limit = found.entry.max_episode_steps or DEFAULT_LIMIT
        else:
            limit = parse_limit(max_episode_steps)
        setting = found.setting(arguments)
        self.setting = setting
        params = encode_params(setting)
        self.level = resolve(level, isa, found.isas, found.id)
        if isinstance(agent, Agent):
            self.file = agent.file
            if self.file.game.id != found.id:
                raise ValueError(f"agent is for {self.file.game.id}; allowed: an agent for {found.id}")
            self.policy_level = (agent.level, agent.isa) if policy_level is None else (policy_level, None)
        else:
            self.file = agent_file(found, agent)
            self.policy_level = (level, isa) if policy_level is None else (policy_level, None)
        self.arguments: dict[str, Any] = {
            "stem": found.stem,
            "level": self.level[0],
            "isa": self.level[1],
            "shape": shape_of(setting),
            "table": None if setting.table is None else setting.table.native,
            "rules": GameInterpreter(setting) if self.level[0] == "python" else None,
            "params": params,
            "options": list(found.spec.options.values()),
            "limit": limit,
            "episodes": episodes,
            "seed": first,
            "num_envs": num_envs,
            "threads": threads,
        }
