# SPDX-License-Identifier: MIT
"""The transitions of a tabular game: Gymnasium's ``P`` and ``initial_state_distrib``, ready to be drawn from.

Gymnasium draws with ``categorical_sample`` (``gymnasium/envs/toy_text/utils.py``, 1.4): it adds up the
probabilities in their order, draws u in [0, 1), and takes the first outcome whose sum is above u, or outcome 0 if
rounding has left every sum at or below u. A table has the sums, made ascending, as thresholds: the outcome is the
one whose index is the number of thresholds at or below u, and behind the last one stands outcome 0 again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _core

TOLERANCE = 1e-9  # by which probabilities may miss one


class Outcome(NamedTuple):
    """What may come of an action; the fields have Gymnasium's order."""

    probability: float
    state: int
    reward: float
    terminated: bool


class Row(NamedTuple):
    """The outcomes of an action in a state: one more than thresholds."""

    thresholds: tuple[float, ...]
    outcomes: tuple[Outcome, ...]

    def draw(self, u: float) -> Outcome:
        """The outcome that u, in [0, 1), stands for."""
        return self.outcomes[sum(threshold <= u for threshold in self.thresholds)]


class Table:
    """The transitions of a tabular game.

    Attributes:
        P, initial_state_distrib: as they were given.
        states, actions: how many there are.
        rows: by state and action.
        attributes: what else environments of the game show, by name.
    """

    def __init__(
        self,
        P: Any,  # noqa: N803 - Gymnasium's name
        initial_state_distrib: Any,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            P: by state 0, 1, … and action 0, 1, …, as a mapping or a sequence, a list of (probability, next state,
                reward, terminated).
            initial_state_distrib: the probability of each state to be the first; (states,).
            attributes: see the class.

        Raises:
            ValueError: probabilities that do not sum to one within 1e-9, an unknown state, a row without outcomes, or
                states and actions that are not numbered; the message names the row.
            TypeError: not of this form.
        """
        self.P = P
        self.initial_state_distrib = initial_state_distrib
        self.attributes = dict(attributes or {})
        by_state = _numbered("P", P)
        self.states = len(by_state)
        by_action = [_numbered(f"P[{s}]", actions) for s, actions in enumerate(by_state)]
        self.actions = len(by_action[0])
        for s, actions in enumerate(by_action):
            if len(actions) != self.actions:
                raise ValueError(f"P[{s}] has {len(actions)} actions; allowed: {self.actions}, as P[0] has")
        self.rows = tuple(
            tuple(self._row(f"P[{s}][{a}]", outcomes) for a, outcomes in enumerate(actions))
            for s, actions in enumerate(by_action)
        )
        self.starts = self._starts(initial_state_distrib)

    def _row(self, name: str, given: Any) -> Row:
        outcomes = [self._outcome(f"{name}[{k}]", entry) for k, entry in enumerate(_listed(name, given))]
        total = sum(outcome.probability for outcome in outcomes)
        if not abs(total - 1.0) <= TOLERANCE:
            raise ValueError(f"the probabilities of {name} sum to {total!r}; allowed: 1 within {TOLERANCE}")
        return Row(tuple(_ascending(outcome.probability for outcome in outcomes)), (*outcomes, outcomes[0]))

    def _outcome(self, name: str, entry: Any) -> Outcome:
        try:
            probability, state, reward, terminated = entry
            probability, reward = float(probability), float(reward)
            number = int(state)
        except (TypeError, ValueError):
            raise TypeError(
                f"{name} is {entry!r}; allowed: (probability, next state, reward, terminated)"
            ) from None
        if number != state or not 0 <= number < self.states:
            raise ValueError(f"{name} leads to state {state!r}; allowed: 0 to {self.states - 1}")
        if not math.isfinite(reward) or not math.isfinite(probability):
            raise ValueError(f"{name} is {entry!r}; allowed: a finite probability and reward")
        return Outcome(probability, number, reward, bool(terminated))

    def _starts(self, distribution: Any) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Thresholds and states of the first state, those that are never drawn left out."""
        try:
            given = [float(number) for number in distribution]
        except (TypeError, ValueError):
            raise TypeError(f"initial_state_distrib is {distribution!r}; allowed: numbers") from None
        if len(given) != self.states:
            raise ValueError(f"initial_state_distrib has length {len(given)}; allowed: {self.states}")
        total = sum(given)
        if not abs(total - 1.0) <= TOLERANCE:
            raise ValueError(f"initial_state_distrib sums to {total!r}; allowed: 1 within {TOLERANCE}")
        thresholds, states, last = [], [], 0.0
        for state, threshold in enumerate(_ascending(given)):
            if threshold > last:
                thresholds.append(threshold)
                states.append(state)
                last = threshold
        return tuple(thresholds), (*states, 0)

    def start(self, u: float) -> int:
        """The first state that u, in [0, 1), stands for."""
        thresholds, states = self.starts
        return states[sum(threshold <= u for threshold in thresholds)]

    @cached_property
    def native(self) -> _core.Table:
        """The table for native kernels."""
        return _core.Table(**self.arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The table as arrays by state, action and outcome, every row as long as the longest; thresholds as cpp/table.hpp
        has them."""
        longest = max(len(row.thresholds) for actions in self.rows for row in actions)
        shape = (self.states, self.actions, longest + 1)
        thresholds = np.full((*shape[:2], longest), math.inf)
        probabilities, rewards = np.zeros(shape), np.zeros(shape)
        states, terminated = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for s, actions in enumerate(self.rows):
            for a, (limits, outcomes) in enumerate(actions):
                thresholds[s, a, : len(limits)] = limits
                padded = [*outcomes, *[outcomes[0]] * (longest + 1 - len(outcomes))]
                probabilities[s, a], states[s, a], rewards[s, a], terminated[s, a] = zip(*padded, strict=True)
        limits, first = self.starts
        return {
            "thresholds": _in_units(thresholds),
            "probabilities": probabilities,
            "rewards": rewards,
            "states": states,
            "terminated": terminated,
            "start_thresholds": _in_units(np.array(limits)),
            "start_states": np.array(first, np.int64),
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "native"}


def _in_units(thresholds: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Thresholds in units of 2**-53, rounded up: a draw, which is a multiple of the unit, reaches the same ones."""
    return np.ceil(np.clip(thresholds, 0.0, 1.0) * 2.0**53).astype(np.uint64)


def _numbered(name: str, given: Any) -> list[Any]:
    """The entries of a mapping or sequence with the numbers 0, 1, …"""
    if isinstance(given, Mapping):
        if not given or set(given) != set(range(len(given))):
            raise ValueError(
                f"{name} has the keys {sorted(given, key=str)[:8]}; allowed: 0, 1, … without a gap"
            )
        return [given[k] for k in range(len(given))]
    return _listed(name, given)


def _listed(name: str, given: Any) -> list[Any]:
    if not isinstance(given, (Sequence, np.ndarray)) or isinstance(given, (str, bytes)):
        raise TypeError(f"{name} is {given!r}; allowed: a list")
    if not len(given):
        raise ValueError(f"{name} is empty")
    return list(given)


def _ascending(probabilities: Iterator[float] | Sequence[float]) -> Iterator[float]:
    """The running sums, added up in their order, each raised to the largest so far: a sum that falls back (its
    probability is negative) can not be the first above u."""
    total, largest = 0.0, -math.inf
    for probability in probabilities:
        total += probability
        largest = max(largest, total)
        yield largest
