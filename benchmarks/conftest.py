# SPDX-License-Identifier: MIT
"""``pytest benchmarks``: every row is a ratio of contestants that took turns in one measurement.

The table is printed at the end, and ``--rows FILE`` writes it as JSON, with the conditions; the tables of the
docs are made of such a file (tools/pages.py). pytest-benchmark stores the rows too (``--benchmark-json FILE``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bars import BARS, KERNEL
from compute_layers.measure import Contestant, Interleaved, conditions, conditions_line, summary

ROUNDS = 21


@dataclass(frozen=True)
class Result:
    """A row of the table; ``figure`` is compared with the row's bar in bars.py. ``subject`` is a game's id, a
    policy family, or the stem of a source."""

    subject: str
    name: str
    figure: float
    spread: float
    detail: str
    command: str

    @property
    def bar(self) -> Mapping[str, Any]:
        usual = KERNEL if self.name.startswith("asm") and self.name.endswith(" / cpp-native") else {}
        bar: Mapping[str, Any] = BARS.get(self.subject, {}).get(self.name, usual)
        return bar

    @property
    def unit(self) -> str:
        """What follows the figure."""
        return f" {self.bar['unit']}" if "unit" in self.bar else ("×" if " / " in self.name else "")

    @property
    def verdict(self) -> str:
        if "least" in self.bar:
            reached = self.figure >= self.bar["least"]
        elif "most" in self.bar:
            reached = self.figure <= self.bar["most"]
        else:
            return ""
        return "reached" if reached else "SHORT"

    @property
    def demand(self) -> str:
        if "least" in self.bar:
            aim = f", aim {self.bar['aim']}" if "aim" in self.bar else ""
            return f"≥ {self.bar['least']}{aim}"
        return f"≤ {self.bar['most']}" if "most" in self.bar else ""

    def entry(self) -> dict[str, Any]:
        """The row for a file: its fields, and what is printed besides."""
        return {**vars(self), "unit": self.unit, "demand": self.demand, "verdict": self.verdict}


_RESULTS = pytest.StashKey[list[Result]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", type=Path, metavar="FILE", help="write the rows of the table as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULTS] = []


class Measure:
    """Measures rows and hands them to pytest-benchmark and to the table."""

    def __init__(self, request: pytest.FixtureRequest, benchmark: Any) -> None:
        self._results = request.config.stash[_RESULTS]
        self._benchmark = benchmark
        self._node = request.node
        benchmark.extra_info["conditions"] = conditions()
        benchmark.extra_info["rows"] = []

    def interleaved(
        self, contestants: Mapping[Any, Contestant], rounds: int = ROUNDS, chunk: float = 0.02
    ) -> Interleaved:
        """Contestants measured in turn, as the benchmark's one stored round."""
        measurement = Interleaved(contestants, chunk)
        self._benchmark.pedantic(measurement.run, args=(rounds,), rounds=1, iterations=1)
        return measurement

    def once(self, work: Callable[[], Any]) -> Any:
        """Something that is not timed but computed."""
        if not self._benchmark.stats:
            return self._benchmark.pedantic(work, rounds=1, iterations=1)
        return work()

    def ratio(self, subject: str, name: str, measurement: Interleaved, ours: Any, theirs: Any) -> float:
        """A row: how many times faster ``ours`` is, by the median of the rounds' ratios."""
        samples = measurement.samples()
        timing = summary([t / o for o, t in zip(samples[ours], samples[theirs], strict=True)])
        detail = " / ".join(f"{measurement.result()[key].median:,.2f}" for key in (theirs, ours))
        return self.row(subject, name, timing.median, timing.spread, f"{detail} ns")

    def row(self, subject: str, name: str, figure: float, spread: float, detail: str) -> float:
        """Any other row."""
        path = Path(self._node.path).relative_to(self._node.config.rootpath)
        result = Result(subject, name, figure, spread, detail, f'pytest "{path}::{self._node.name}"')
        self._results.append(result)
        self._benchmark.extra_info["rows"].append(result.entry())
        return figure


@pytest.fixture
def measure(request: pytest.FixtureRequest, benchmark: Any) -> Measure:
    return Measure(request, benchmark)


def pytest_terminal_summary(
    terminalreporter: Any, config: pytest.Config, exitstatus: int | pytest.ExitCode
) -> None:
    results = config.stash[_RESULTS]
    if not results:
        return
    terminalreporter.section("speed, ratios of one interleaved run")
    write: Callable[[str], None] = terminalreporter.write_line
    write("| subject | row | figure | spread | must reach | verdict | detail |")
    write("|---|---|---|---|---|---|---|")
    for r in results:
        write(
            f"| {r.subject} | {r.name} | {r.figure:.4g}{r.unit} | {100 * r.spread:.0f} % | {r.demand} | {r.verdict} "
            f"| {r.detail} |"
        )
    write("")
    for command in dict.fromkeys(r.command for r in results):
        write(command)
    write(conditions_line())
    if file := config.getoption("--rows"):
        stored = {"conditions": conditions(), "rows": [r.entry() for r in results]}
        file.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write(f"{file}: {len(results)} rows")
