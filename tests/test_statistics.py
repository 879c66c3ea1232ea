# SPDX-License-Identifier: MIT
"""Interquartile means, bootstrap intervals and differences on common seeds."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

from compute_layers.statistics import RESAMPLES, SEED, bootstrap, difference, interquartile_mean

stats = pytest.importorskip("scipy.stats", reason="the extra stats is not installed")


def sample(n: int, seed: int = 0, spread: float = 1.0) -> Any:
    return np.random.default_rng(seed).normal(3.0, spread, n)


# ---- the interquartile mean ----


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ([7], 7.0),
        ([1, 2], 1.5),
        ([0, 0, 300], 100.0),  # of fewer than four nothing is cut
        ([1000, 1, 2, -500], 1.5),
        ([9, 1, 2, 3, -9], 2.0),
        ([-8, 1, 2, 3, 4, 99, 99, -8], 2.5),
        ([500] * 751 + [9] * 249, 500.0),
    ],
)
def test_interquartile_mean_by_hand(returns: list[int], expected: float) -> None:
    assert interquartile_mean(returns) == expected


@pytest.mark.parametrize("n", [*range(1, 18), 999, 1000])
def test_interquartile_mean_is_scipys_trimmed_mean(n: int) -> None:
    returns = sample(n)
    assert interquartile_mean(returns) == pytest.approx(stats.trim_mean(returns, 0.25), rel=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_interquartile_mean_along_an_axis(axis: int) -> None:
    returns = sample(5 * 8 * 6).reshape(5, 8, 6)
    found = interquartile_mean(returns, axis=axis)
    expected = np.apply_along_axis(interquartile_mean, axis, returns)
    assert found.dtype == np.float64
    assert found.shape == expected.shape
    assert found == pytest.approx(expected, rel=1e-13)


# ---- intervals ----


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_the_interval_of_a_mean_is_nearly_the_normal_one(confidence: float) -> None:
    returns = sample(1000)
    found = bootstrap(returns, confidence=confidence)
    half = stats.norm.ppf(0.5 + confidence / 2) * returns.std(ddof=1) / math.sqrt(len(returns))
    assert found.value == returns.mean()
    assert found.low == pytest.approx(found.value - half, abs=0.07 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.07 * half)


@pytest.mark.parametrize(("statistic", "truth"), [(np.mean, 3.0), (interquartile_mean, 3.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(statistic: Callable[..., Any], truth: float) -> None:
    found = [bootstrap(sample(40, seed), statistic, confidence=0.8) for seed in range(100)]
    held = sum(interval.low <= truth <= interval.high for interval in found)
    # 80 expected, with a deviation of 4; percentile intervals of few episodes are a little short.
    assert 66 <= held <= 91


def test_the_interval_is_that_of_scipy_for_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = sample(30)
    found = bootstrap(returns, interquartile_mean)
    theirs = stats.bootstrap(
        (returns,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    monkeypatch.setattr("compute_layers.statistics.BATCH", 1000)
    assert bootstrap(returns, interquartile_mean) == found


def test_equal_returns_have_equal_intervals() -> None:
    before = str(np.random.get_state())
    assert bootstrap(sample(100)) == bootstrap(sample(100))
    assert str(np.random.get_state()) == before  # whose numbers are the user's


@pytest.mark.parametrize("statistic", [np.mean, interquartile_mean])
@pytest.mark.parametrize("value", [0.1, -1 / 3, 500.0, 0.0])
def test_where_all_returned_the_same_the_interval_has_no_width(
    statistic: Callable[..., Any], value: float
) -> None:
    found = bootstrap([value] * 1000, statistic)
    assert (found.value, found.low, found.high) == (value, value, value)


def test_a_single_episode_has_no_interval() -> None:
    for found in (bootstrap([5.0]), bootstrap([5.0], interquartile_mean), difference([6.0], [1.0])):
        assert found.value == 5.0
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_a_rare_event_widens_the_mean_alone() -> None:
    returns = [500.0] * 990 + [9.0] * 10
    mean, middle = bootstrap(returns), bootstrap(returns, interquartile_mean)
    assert mean.low < mean.value < mean.high <= 500
    assert (middle.low, middle.high) == (500.0, 500.0)


# ---- differences ----


def test_a_difference_is_paired() -> None:
    hard = sample(200, 1, spread=50.0)  # what a seed does to everybody
    ours, theirs = hard + sample(200, 2), hard
    found = difference(ours, theirs)
    paired = stats.bootstrap(
        (ours, theirs),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((paired.low, paired.high), rel=1e-9)
    assert 0 < found.high - found.low < 0.5
    assert found.value == pytest.approx(ours.mean() - theirs.mean(), rel=1e-9)


def test_a_difference_changes_its_sign_with_its_agents() -> None:
    ours, theirs = sample(50, 1), sample(50, 2)
    there, back = difference(ours, theirs), difference(theirs, ours)
    assert back.value == -there.value
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), rel=1e-12)


def test_an_agent_does_not_differ_from_itself() -> None:
    found = difference(sample(50), sample(50))
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


# ---- bad input ----


@pytest.mark.parametrize("statistic", [np.mean, interquartile_mean])
@pytest.mark.parametrize(
    ("returns", "words"),
    [
        ([], "returns is empty; allowed: at least one episode"),
        ([1.0, math.nan, 2.0], r"returns\[1\] is nan; allowed: finite numbers"),
        ([1.0, 2.0, -math.inf], r"returns\[2\] is -inf; allowed: finite numbers"),
        ([math.nan], r"returns\[0\] is nan"),
        ([[1.0, 2.0]], r"returns has the shape \(1, 2\); allowed: \(episodes,\)"),
        (3.0, r"returns has the shape \(\); allowed: \(episodes,\)"),
    ],
)
def test_returns_that_are_refused(returns: Any, words: str, statistic: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=words):
        bootstrap(returns, statistic)
    with pytest.raises(ValueError, match=words):
        difference(returns, [0.0, 0.0])


@pytest.mark.parametrize("returns", [[], [1.0, math.nan, 3.0, 4.0, 5.0], [[1.0], [math.inf]]])
def test_the_interquartile_mean_cuts_no_nan(returns: Any) -> None:
    with pytest.raises(ValueError, match="returns"):
        interquartile_mean(returns)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95, math.nan])
def test_a_confidence_that_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match=rf"confidence is {confidence}; allowed: between 0 and 1"):
        bootstrap([1.0, 2.0], confidence=confidence)


def test_other_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="others has 2 episodes; allowed: 3, those of returns"):
        difference([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"others\[0\] is nan"):
        difference([1.0, 2.0], [math.nan, 2.0])


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    words = r"scipy: pip install 'compute_layers\[stats\]'"
    with pytest.raises(DependencyNotInstalled, match=words):
        bootstrap([1.0, 1.0])
    with pytest.raises(DependencyNotInstalled, match=words):
        difference([1.0, 2.0], [1.0, 3.0])
    assert interquartile_mean([1.0, 2.0]) == 1.5  # the ladder's JSON has it without SciPy
