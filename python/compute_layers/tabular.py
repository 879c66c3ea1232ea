# SPDX-License-Identifier: MIT
"""Tabular games of one's own: a table of transitions, stepped at every level."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gymnasium import error

from . import registry
from .batch import NO_LIMIT, parse_limit
from .games import tabular as rules
from .registry import Game
from .spec import Id
from .table import Table
from .vector import Env, VectorEnv

STEM = "tabular"  # of the rules and kernels


class TabularGame(Game):
    """A game that a table of transitions defines; wherever the name of a game is wanted it may stand instead.

    Steps, draws and infos are those of Gymnasium's toy-text environments with such a table: one number is drawn for
    each reset and each step, and ``info["prob"]`` is the probability of the outcome.
    """

    def __init__(
        self,
        P: Any,  # noqa: N803 - Gymnasium's name
        initial_state_distrib: Any,
        name: str = "Tabular",
        max_episode_steps: int | None = None,
    ) -> None:
        """
        Args:
            P: by state 0, 1, … and action 0, 1, …, as a mapping or a sequence, a list of (probability, next state,
                reward, terminated). ``terminated`` ends an episode; absorbing states do not.
            initial_state_distrib: the probability of each state to be the first; (states,).
            name: what reports call it.
            max_episode_steps: after which an episode of a rollout is truncated, and one of ``make`` and
                ``make_vec``; None for no limit.

        Raises:
            ValueError: probabilities that do not sum to one within 1e-9, an unknown state, a row without outcomes, or
                states and actions that are not numbered; the message names the row.
            TypeError: not of this form.
        """
        table = Table(P, initial_state_distrib)
        limit = parse_limit(max_episode_steps)
        entry = Id(max_episode_steps=None if limit == NO_LIMIT else limit)
        spec = replace(rules.SPEC, ids={name: entry}, table=lambda: table)
        super().__init__(name, STEM, spec, rules, registry.isas_of(STEM))
        object.__setattr__(self, "_given", (P, initial_state_distrib, name, max_episode_steps))

    @classmethod
    def from_gymnasium(cls, env: Any) -> TabularGame:
        """The game of an environment that has Gymnasium's ``P`` and ``initial_state_distrib``.

        Name and time limit are those of its ``spec``, if it has one.

        Raises:
            TypeError: it has no such table.
            ValueError: as the class.
        """
        bare = getattr(env, "unwrapped", env)
        try:
            table = bare.P, bare.initial_state_distrib
        except (AttributeError, error.Error):
            raise TypeError(
                f"env is a {type(bare).__name__}; allowed: an environment with P and initial_state_distrib"
            ) from None
        spec = getattr(env, "spec", None)
        if spec is None:
            return cls(*table, type(bare).__name__)
        return cls(*table, spec.id, spec.max_episode_steps)

    def make(self, **kwargs: Any) -> Env:
        """A single environment; arguments as those of :class:`Env`. It has no time limit."""
        return Env(game=self, **kwargs)

    def make_vec(self, num_envs: int = 1, **kwargs: Any) -> VectorEnv:
        """num_envs environments, with the game's time limit; arguments as those of :class:`VectorEnv`."""
        return VectorEnv(num_envs, game=self, **{"max_episode_steps": self.entry.max_episode_steps, **kwargs})

    def __reduce__(self) -> Any:
        return TabularGame, self._given  # type: ignore[attr-defined]
