# SPDX-License-Identifier: MIT
"""The timer: turns, medians, refusals. What it measures is not tested here, only how."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compute_layers import _core, measure
from compute_layers.measure import Contestant, Interleaved, summary, timed


def contestant(name: str, turns: list[str], nanoseconds: float = 1.0) -> Contestant:
    """Work of 1000 units that says how long it took instead of taking so long."""

    def run(times: int) -> tuple[float, float]:
        turns.append(name)
        return times * 1000 * nanoseconds * 1e-9, times * 1000.0

    return run


def test_contestants_take_turns() -> None:
    turns: list[str] = []
    measurement = Interleaved({name: contestant(name, turns) for name in "ABC"}, chunk=1e-6)
    for _ in measurement.warm_up():
        pass
    turns.clear()
    for _ in range(3):
        list(measurement.round())
    assert turns == list("ABC" * 3)


def test_the_result_is_the_median_per_unit() -> None:
    turns: list[str] = []
    contestants = {"fast": contestant("fast", turns, 2.0), "slow": contestant("slow", turns, 6.0)}
    timings = Interleaved(contestants, chunk=1e-5).run(5)
    assert timings["fast"].median == pytest.approx(2.0)
    assert timings["slow"].median == pytest.approx(6.0)
    assert timings["fast"].rounds == 5
    assert not timings["fast"].wide


def test_spread_is_the_distance_of_the_quartiles() -> None:
    timing = summary([90.0, 100.0, 100.0, 100.0, 130.0])
    assert timing.median == 100.0
    assert timing.spread == pytest.approx(0.2)  # quartiles 95 and 115
    assert timing.wide


@pytest.mark.parametrize("whole", [1, 2])
def test_ctrl_c_keeps_the_whole_rounds(whole: int) -> None:
    turns: list[str] = []
    quiet = contestant("A", turns)
    calls = 0

    def interrupted(times: int) -> tuple[float, float]:
        nonlocal calls
        calls += 1
        if calls > whole + 1:  # the first call warms up
            raise KeyboardInterrupt
        return quiet(times)

    timings = Interleaved({"A": quiet, "B": interrupted}, chunk=1e-6).run(10)
    assert {key: timing.rounds for key, timing in timings.items()} == {"A": whole, "B": whole}


def test_ctrl_c_before_a_whole_round_is_ctrl_c() -> None:
    def interrupted(times: int) -> tuple[float, float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interleaved({"A": interrupted}).run(3)


def test_a_debug_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "build", "Debug")
    with pytest.raises(RuntimeError, match="Debug"):
        Interleaved({"A": contestant("A", [])})


def test_timed_counts_units() -> None:
    calls: list[int] = []
    work: Callable[[], None] = lambda: calls.append(1)  # noqa: E731
    seconds, units = timed(work, 7)(3)
    assert len(calls) == 3
    assert units == 21
    assert seconds >= 0


def test_conditions_say_what_was_measured_on() -> None:
    line = measure.conditions_line()
    for part in (_core.cpu_name(), _core.compiler, _core.flags, _core.__version__, "python"):
        assert part in line
