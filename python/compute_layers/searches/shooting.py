# SPDX-License-Identifier: MIT
"""Random shooting: try random sequences of actions in copies of the game, and begin the best one.

A plan is ``horizon`` actions, each of which is held for ``hold`` steps. It is made for the state in which an episode
begins, and again when ``commit`` of its actions have been carried out. Each of ``candidates`` sequences is played from
the present state, in copies of the game with the episode's own arguments and without a time limit, until its actions or
the episode end; the largest sum of rewards wins, and of equal ones the first. Actions are drawn uniformly: of
``Discrete`` spaces ``rng.integers(n)``, of a ``Box`` ``rng.uniform(low, high)`` for each number, rounded to float32. Of an
episode's later plans candidate 0 is the rest of the plan before, continued at random.

All draws come from the policy's stream of the episode, so that nothing is known of the environment's: first 64 bits, the
seed of the noise in which all candidates of a plan play (common random numbers), then candidate by candidate the
sequences. In a game of chance that is one scenario, not an expectation.

Sources: A. Nagabandi, G. Kahn, R. S. Fearing, S. Levine, "Neural network dynamics for model-based deep reinforcement
learning with model-free fine-tuning" (2018), section IV-C: random shooting in model-predictive control.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..float32 import round_float32
from ..pcg64 import PCG64
from ..spec import ActionSpace, Box, Discrete, Form, PolicySpec, Space

Action = int | tuple[float, ...]

LIMITS = {"candidates": 65536, "horizon": 1024, "hold": 1024, "commit": 1024}
MOST_NUMBERS = 2**22  # of all candidates' actions


class Search(Protocol):
    """The settings, and what ``plan`` needs besides."""

    candidates: int
    horizon: int
    hold: int
    commit: int

    @property
    def action(self) -> ActionSpace: ...

    def play(self, state: Any, sequence: Sequence[Action], noise: int) -> float:
        """The sum of the rewards of these actions, each held, up to the episode's end; -inf in place of NaN."""
        ...


def check_settings(limits: Mapping[str, int], action: ActionSpace, tensors: Mapping[str, Any]) -> None:
    """Refuse settings that are out of range.

    Raises:
        ValueError: which one, and what is allowed.
    """
    settings = {name: int(tensors[name][0]) for name in limits}
    most = dict(limits)
    for name, bound in (("commit", "horizon"), ("elites", "candidates")):
        if name in most:
            most[name] = min(most[name], settings[bound])
    for name, value in settings.items():
        if not 1 <= value <= most[name]:
            raise ValueError(f"{name} is {value}; allowed: 1 to {most[name]}")
    numbers = settings["candidates"] * settings["horizon"] * action.size
    if numbers > MOST_NUMBERS:
        raise ValueError(
            f"candidates x horizon is {settings['candidates']} x {settings['horizon']}, {numbers} numbers; "
            f"allowed: up to {MOST_NUMBERS}"
        )
    if isinstance(action, Box) and not all(math.isfinite(bound) for bound in (*action.low, *action.high)):
        raise ValueError("the action space has no bounds; allowed: finite ones, to draw between")


def check(observation: Space, action: ActionSpace, head: str, tensors: Mapping[str, Any]) -> None:
    check_settings(LIMITS, action, tensors)


SETTINGS: dict[str, Form] = {name: ("int64", (1,)) for name in LIMITS}
SPEC = PolicySpec(tensors=SETTINGS, heads=("vote", "box"), draws=True, searches=True, check=check)


def draw_uniform(space: ActionSpace, count: int, rng: PCG64) -> list[Action]:
    """So many actions, each as likely as the others."""
    if isinstance(space, Discrete):
        return [rng.integers(space.n) for _ in range(count)]
    bounds = [
        (round_float32(low), round_float32(high)) for low, high in zip(space.low, space.high, strict=True)
    ]
    return [tuple(round_float32(rng.uniform(low, high)) for low, high in bounds) for _ in range(count)]


def rank(returns: Sequence[float]) -> list[int]:
    """The candidates, best first; equal ones in their order."""
    return sorted(range(len(returns)), key=lambda c: -returns[c])


def plan(search: Search, state: Any, rest: Sequence[Action], rng: PCG64) -> list[Action]:
    """The plan for a state; ``rest``: what is left of the one before, nothing when the episode begins."""
    # [1] one noise for all candidates
    noise = rng.next64()

    # [2] candidates
    candidates = []
    for c in range(search.candidates):
        kept = list(rest) if c == 0 else []
        candidates.append(kept + draw_uniform(search.action, search.horizon - len(kept), rng))

    # [3] returns
    returns = [search.play(state, candidate, noise) for candidate in candidates]

    # [4] the best
    return candidates[rank(returns)[0]]
