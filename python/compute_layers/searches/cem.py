# SPDX-License-Identifier: MIT
"""The cross-entropy method: random shooting, repeated with actions drawn like those of the best sequences.

Plans are made and carried out as in ``shooting``. Of ``iterations`` rounds the first one of an episode is that of
``shooting``. After each round a distribution is fitted to its ``elites`` best sequences, apart for each place in the
plan, and the next round's candidates are drawn from it: of ``Discrete`` spaces action a has the probability (how many
elites chose it + 1) / (elites + n); of a ``Box`` each number has the elites' mean and standard deviation (of the
population), is clipped to the bounds and rounded to float32. The plan is the best sequence of all rounds, of equal ones
the first.

An episode's later plans begin around the rest of the plan before: as if all elites had chosen its actions, in places
behind it with equal probabilities; of a ``Box`` around its numbers, or the middle of the bounds behind it, with a quarter
of their distance as the standard deviation. Candidate 0 of that round is the rest itself, continued at random.

In place of normal numbers stand sums of three uniform ones, ((u1 + u2 + u3) - 1.5) * 2, of mean 0 and variance 1, for
which no logarithm is needed. Sums over elites run from the best on.

Sources: R. Y. Rubinstein, "The cross-entropy method for combinatorial and continuous optimization" (1999); M. Kobilarov,
"Cross-entropy motion planning" (2012).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..float32 import round_float32
from ..pcg64 import PCG64
from ..spec import ActionSpace, Box, Discrete, PolicySpec, Space
from . import shooting
from .shooting import Action, check_settings, draw_uniform, rank

LIMITS = {**shooting.LIMITS, "iterations": 1024, "elites": 65536}


class Search(shooting.Search, Protocol):
    """The settings of the cross-entropy method."""

    iterations: int
    elites: int


def check(observation: Space, action: ActionSpace, head: str, tensors: Mapping[str, Any]) -> None:
    check_settings(LIMITS, action, tensors)


SPEC = PolicySpec(
    tensors={name: ("int64", (1,)) for name in LIMITS},
    heads=("vote", "box"),
    draws=True,
    searches=True,
    check=check,
)


def draw_index(probabilities: Sequence[float], rng: PCG64) -> int:
    """An index with these probabilities."""
    u = rng.random()
    index, total = 0, probabilities[0]
    while index < len(probabilities) - 1 and u >= total:
        index += 1
        total += probabilities[index]
    return index


def draw_normal(rng: PCG64) -> float:
    """Mean 0, variance 1, from -3 to 3."""
    a, b, c = rng.random(), rng.random(), rng.random()
    return (((a + b) + c) - 1.5) * 2.0


def fit_discrete(n: int, elites: Sequence[int]) -> list[float]:
    """The probability of each action."""
    counts = [1.0] * n
    for action in elites:
        counts[action] += 1.0
    return [count / (float(len(elites)) + float(n)) for count in counts]


def fit_number(elites: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    total = 0.0
    for x in elites:
        total += x
    mean = total / len(elites)
    squares = 0.0
    for x in elites:
        squares += (x - mean) * (x - mean)
    return mean, math.sqrt(squares / len(elites))


def fit(space: ActionSpace, elites: Sequence[Sequence[Any]]) -> list[Any]:
    """For each place the distribution of its action: probabilities, or mean and standard deviation of each number."""
    places = list(zip(*elites, strict=True))
    if isinstance(space, Discrete):
        return [fit_discrete(space.n, place) for place in places]
    return [[fit_number(numbers) for numbers in zip(*place, strict=True)] for place in places]


def fit_rest(search: Search, rest: Sequence[Any]) -> list[Any]:
    """The same around the rest of a plan."""
    space, behind = search.action, search.horizon - len(rest)
    if isinstance(space, Discrete):
        kept = [fit_discrete(space.n, [action] * search.elites) for action in rest]
        return kept + [[1.0 / float(space.n)] * space.n] * behind
    bounds = bounds_of(space)
    middle = [(low + high) * 0.5 for low, high in bounds]
    deviations = [(high - low) * 0.25 for low, high in bounds]
    return [list(zip(means, deviations, strict=True)) for means in [*rest, *[middle] * behind]]


def bounds_of(space: Box) -> list[tuple[float, float]]:
    return [
        (round_float32(low), round_float32(high)) for low, high in zip(space.low, space.high, strict=True)
    ]


def draw_sequence(space: ActionSpace, fitted: Sequence[Any], rng: PCG64) -> list[Action]:
    """An action from each distribution."""
    if isinstance(space, Discrete):
        return [draw_index(probabilities, rng) for probabilities in fitted]
    bounds = bounds_of(space)

    def draw(normal: tuple[float, float], bound: tuple[float, float]) -> float:
        (mean, deviation), (low, high) = normal, bound
        x = mean + (deviation * draw_normal(rng))
        x = low if x < low else x
        x = high if x > high else x
        return round_float32(x)

    return [tuple(map(draw, place, bounds)) for place in fitted]


def plan(search: Search, state: Any, rest: Sequence[Action], rng: PCG64) -> list[Action]:
    """As ``shooting.plan``."""
    # [1] one noise for all candidates
    noise = rng.next64()

    fitted = fit_rest(search, rest) if rest and search.iterations > 1 else None
    best, chosen = -math.inf, []
    for k in range(search.iterations):
        # [2] candidates
        candidates = []
        for c in range(search.candidates):
            kept = list(rest) if k == 0 and c == 0 else []
            if fitted is None:
                candidates.append(kept + draw_uniform(search.action, search.horizon - len(kept), rng))
            else:
                candidates.append(kept + draw_sequence(search.action, fitted[len(kept) :], rng))

        # [3] returns
        returns = [search.play(state, candidate, noise) for candidate in candidates]

        # [4] the best so far; of equal ones the first of the last round
        ranking = rank(returns)
        if k == 0 or returns[ranking[0]] >= best:
            best, chosen = returns[ranking[0]], candidates[ranking[0]]

        # [5] the distribution of the elites
        fitted = fit(search.action, [candidates[c] for c in ranking[: search.elites]])
    return chosen
