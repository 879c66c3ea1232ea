# SPDX-License-Identifier: MIT
"""Timing that can be compared: contestants take turns inside one measurement, and medians are reported."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from . import _core
from .registry import levels

CHUNK = 0.02  # seconds of work in one turn: long against the clock's resolution, short against drift
WIDE = 0.10  # spread above which a figure is not trusted

# A contestant works on `times` chunks and says how many seconds they took, and on how many units.
Contestant = Callable[[int], tuple[float, float]]


@dataclass(frozen=True)
class Timing:
    """Nanoseconds per unit of one contestant over all rounds.

    Attributes:
        median: of the rounds.
        spread: distance between the quartiles, relative to the median.
        rounds: how many.
    """

    median: float
    spread: float
    rounds: int

    @property
    def wide(self) -> bool:
        """Whether the rounds disagree so much that the figure should be measured again."""
        return self.spread > WIDE


def timed(work: Callable[[], Any], units: float) -> Contestant:
    """A contestant from a plain function that does ``units`` units of work, timed from outside; what the
    clock itself costs is taken off."""

    def run(times: int) -> tuple[float, float]:
        start = time.perf_counter()
        for _ in range(times):
            work()
        seconds = time.perf_counter() - start
        return max(seconds - _clock_overhead(), 0.0), times * units

    return run


def _clock_overhead() -> float:
    start = time.perf_counter()
    return time.perf_counter() - start


def require_release() -> None:
    """Refuse to time a build that is not optimised.

    Raises:
        RuntimeError: the native core was built otherwise.
    """
    if _core.build not in ("Release", "RelWithDebInfo", "MinSizeRel"):
        raise RuntimeError(f"the native core is a {_core.build or 'default'} build; measure a Release build")


class Interleaved:
    """Contestants that are measured in turn: A B C, A B C, …

    Args:
        contestants: by key. Each is run for about ``chunk`` seconds in a turn.
        chunk: seconds.
    """

    def __init__(self, contestants: Mapping[Any, Contestant], chunk: float = CHUNK) -> None:
        require_release()
        self._contestants = dict(contestants)
        self._chunk = chunk
        self._times: dict[Any, int] = {}
        self._rounds: dict[Any, list[float]] = {key: [] for key in contestants}

    def warm_up(self) -> Iterator[Any]:
        """Find out how much work fills a turn; yields each contestant's key when it is ready."""
        for key, contestant in self._contestants.items():
            times = 1
            while True:
                seconds, _ = contestant(times)
                if seconds >= self._chunk / 2 or times >= 2**30:
                    break
                times *= max(2, min(32, int(self._chunk / max(seconds, 1e-7) / 2)))
            self._times[key] = max(1, round(times * self._chunk / max(seconds, 1e-9)))
            yield key

    def round(self) -> Iterator[Any]:
        """One turn for everybody; yields each key after its turn."""
        for key, contestant in self._contestants.items():
            seconds, units = contestant(self._times[key])
            self._rounds[key].append(seconds / units * 1e9)
            yield key

    def run(self, rounds: int, advance: Callable[[], None] = lambda: None) -> dict[Any, Timing]:
        """Warm up and measure; Ctrl-C ends the rounds early and keeps those that are whole."""
        for _ in self.warm_up():
            advance()
        try:
            for _ in range(rounds):
                for _ in self.round():
                    advance()
        except KeyboardInterrupt:
            if not self.whole:
                raise
        return self.result()

    @property
    def whole(self) -> int:
        """Rounds in which everybody had a turn."""
        return min(len(rounds) for rounds in self._rounds.values())

    def result(self) -> dict[Any, Timing]:
        """The timings of the whole rounds."""
        whole = self.whole
        return {key: summary(rounds[:whole]) for key, rounds in self._rounds.items()}

    def samples(self) -> dict[Any, list[float]]:
        """Nanoseconds per unit, round by round."""
        whole = self.whole
        return {key: rounds[:whole] for key, rounds in self._rounds.items()}


def summary(rounds: list[float]) -> Timing:
    """Median and spread of the rounds."""
    median = statistics.median(rounds)
    if len(rounds) < 4:
        return Timing(median, (max(rounds) - min(rounds)) / median, len(rounds))
    low, _, high = statistics.quantiles(rounds, n=4)
    return Timing(median, (high - low) / median, len(rounds))


def conditions() -> dict[str, str]:
    """What a measurement was made on and with."""
    served = ", ".join(str(level) for level in levels() if level.available)
    return {
        "cpu": _core.cpu_name() or platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "levels": served,
        "compiler": _core.compiler,
        "flags": _core.flags,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "gymnasium": version("gymnasium"),
        "compute_layers": _core.__version__,
        "commit": _core.commit or "unknown",
        "system": f"{platform.system()} {platform.machine()}",
    }


def conditions_line(stored: Mapping[str, str] | None = None) -> str:
    """The same in one line, or those of another measurement."""
    c = conditions() if stored is None else stored
    return (
        f"{c['cpu']} ({c['cores']} cores), {c['levels']}; {c['compiler']} {c['flags']}; Python {c['python']}, "
        f"NumPy {c['numpy']}, Gymnasium {c['gymnasium']}, compute_layers {c['compute_layers']} ({c['commit']})"
    )


def short(number: float) -> str:
    """A count in few characters: 320k, 1.3M."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:.3g}"


@contextmanager
def progress_bar(console: Console, what: str, total: float) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal, nothing in a pipe; yields the function that moves it, by one or by ``by``,
    and may describe it anew."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)

        def advance(by: float = 1.0, what: str | None = None) -> None:
            progress.update(task, advance=by, description=what)

        yield advance
