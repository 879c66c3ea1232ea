# SPDX-License-Identifier: MIT
"""How far returns can be trusted: interquartile means, bootstrap intervals, differences on common seeds.

The episodes of different seeds are independent, so a resample draws seeds, with replacement. Intervals are those of
the percentile bootstrap, as in R. Agarwal et al., "Deep reinforcement learning at the edge of the statistical
precipice" (NeurIPS 2021) and its library rliable; ``scipy.stats.bootstrap`` makes them (the extra ``stats``). They
speak of the seeds of the evaluation: what another training run would give, they do not know.

The resamples have a seed of their own: equal returns have equal intervals, with the same versions of NumPy and SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 9999  # a percentile that is a multiple of 1 / (RESAMPLES + 1) is one of them
SEED = 0
BATCH = 2**20  # returns that are drawn at a time

Statistic = Callable[..., Any]  # of an array along `axis`


@dataclass(frozen=True)
class Estimate:
    """A statistic of some episodes, with its interval.

    Attributes:
        value: of the episodes as they are.
        low, high: ends of the interval. They meet if all episodes returned the same: then these seeds tell nothing of
            what others may do. NaN for a single episode.
    """

    value: float
    low: float
    high: float


def require_scipy() -> Any:
    """The module ``scipy.stats``.

    Raises:
        gymnasium.error.DependencyNotInstalled: the extra ``stats`` is not installed.
    """
    try:
        from scipy import stats
    except ImportError:
        raise DependencyNotInstalled(
            "intervals need the package scipy: pip install 'compute_layers[stats]'"
        ) from None
    return stats


def interquartile_mean(returns: ArrayLike, axis: int = -1) -> Any:
    """The mean of the middle half: of n numbers in order, the ⌊n/4⌋ lowest and as many highest count for nothing.

    A few seeds that go wrong move it less than the mean, and it is surer than the median. It is SciPy's ``trim_mean``
    with a quarter cut from each end, which rliable recommends.

    Args:
        returns: finite numbers, (…, n).
        axis: of the n.

    Returns:
        float64 (…).

    Raises:
        ValueError: no numbers, or some that are not finite.
    """
    ordered = np.sort(np.moveaxis(_finite("returns", returns), axis, -1))
    cut = ordered.shape[-1] // 4
    return ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1)


def bootstrap(returns: ArrayLike, statistic: Statistic = np.mean, *, confidence: float = 0.95) -> Estimate:
    """A statistic with its percentile bootstrap interval, over seeds.

    Args:
        returns: of independent episodes, finite, (n,).
        statistic: of arrays along ``axis``, as ``np.mean`` and :func:`interquartile_mean` are.
        confidence: of the two-sided interval, between 0 and 1.

    Raises:
        ValueError: something else.
        gymnasium.error.DependencyNotInstalled: the extra ``stats`` is not installed.
    """
    stats = require_scipy()
    numbers = _episodes("returns", returns)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; allowed: between 0 and 1")
    if len(numbers) == 1:
        return Estimate(float(statistic(numbers, axis=-1)), math.nan, math.nan)
    if (numbers == numbers[0]).all():  # not the rounding of sums of them
        value = float(statistic(numbers[:1], axis=-1))
        return Estimate(value, value, value)
    interval = stats.bootstrap(
        (numbers,),
        statistic,
        vectorized=True,
        axis=-1,
        confidence_level=confidence,
        n_resamples=RESAMPLES,
        batch=max(1, BATCH // len(numbers)),
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Estimate(float(statistic(numbers, axis=-1)), float(interval.low), float(interval.high))


def difference(returns: ArrayLike, others: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """By how much one agent's mean return exceeds another's, with the interval on common seeds.

    A resample takes both agents' returns of the seeds that it draws, so that it is the bootstrap of the differences
    seed by seed: what makes a seed easy for both cancels.

    Args:
        returns, others: of the same seeds in the same order, finite, (n,).
        confidence: as for :func:`bootstrap`.

    Raises:
        ValueError: something else, or different numbers of episodes.
        gymnasium.error.DependencyNotInstalled: the extra ``stats`` is not installed.
    """
    ours, theirs = _episodes("returns", returns), _episodes("others", others)
    if len(ours) != len(theirs):
        raise ValueError(f"others has {len(theirs)} episodes; allowed: {len(ours)}, those of returns")
    return bootstrap(ours - theirs, confidence=confidence)


def _episodes(name: str, given: ArrayLike) -> NDArray[np.float64]:
    numbers = _finite(name, given)
    if numbers.ndim != 1:
        raise ValueError(f"{name} has the shape {numbers.shape}; allowed: (episodes,)")
    return numbers


def _finite(name: str, given: ArrayLike) -> NDArray[np.float64]:
    numbers = np.asarray(given, np.float64)
    if not numbers.size:
        raise ValueError(f"{name} is empty; allowed: at least one episode")
    if not np.isfinite(numbers).all():
        place = np.argwhere(~np.isfinite(numbers))[0].tolist()
        found = numbers[tuple(place)]
        raise ValueError(f"{name}{place} is {found}; allowed: finite numbers")
    return numbers
