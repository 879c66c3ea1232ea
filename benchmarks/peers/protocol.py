# SPDX-License-Identifier: MIT
"""What the scripts of this folder share: one core, contestants in turn, and rows as JSON lines.

A script prints a line that says what it was measured with, then a line for each row (``results.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib.metadata import version

from compute_layers.measure import Contestant, Interleaved, conditions, summary
from results import SETTINGS, UNSET, Ours, Row

PYTHON_CALL = "call from Python"  # of a policy, with n observations
ROUNDS, QUICK_ROUNDS = 21, 5

Key = tuple[str, str, int]  # contestant, boundary, n: environments or observations a call


class Measurement:
    """A finished measurement, from which rows are printed."""

    def __init__(self, interleaved: Interleaved) -> None:
        self._medians = interleaved.result()
        self._samples = interleaved.samples()

    def best(self, *contestants: str, boundary: str | None = None) -> Key:
        """The fastest of these contestants' entries, of all or of those at one boundary."""
        found = [key for key in self._medians if key[0] in contestants and boundary in (None, key[1])]
        return min(found, key=lambda key: self._medians[key].median)

    def row(
        self,
        subject: str,
        theirs: Key,
        ours: Collection[Key],
        *,
        name: str | None = None,
        agreement: float | None = None,
        compile_seconds: float | None = None,
    ) -> None:
        """Print the row of one of their entries against entries of ours.

        Args:
            name: of the contestant in the row, if not that of the entry.
            agreement: the share of equal actions.
            compile_seconds: what compilation before the first call took.
        """
        timing = self._medians[theirs]
        row = Row(
            subject=subject,
            contestant=name or theirs[0],
            boundary=theirs[1],
            n=theirs[2],
            ns=timing.median,
            spread=timing.spread,
            rounds=timing.rounds,
            ours=[self._against(theirs, key) for key in ours],
            agreement=agreement,
            compile_seconds=compile_seconds,
        )
        print(json.dumps(asdict(row)), flush=True)

    def _against(self, theirs: Key, ours: Key) -> Ours:
        pairs = zip(self._samples[ours], self._samples[theirs], strict=True)
        ratio = summary([b / a for a, b in pairs])
        timing = self._medians[ours]
        return Ours(*ours, timing.median, timing.spread, ratio.median, ratio.spread)


class Protocol:
    """One run of a script: prints the line of the conditions, then measures on one core.

    Args:
        packages: of the peer, whose versions are stated.

    Raises:
        RuntimeError: the environment would let libraries use several threads.
    """

    def __init__(self, *packages: str) -> None:
        parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
        parser.add_argument("--quick", action="store_true", help="fewer rounds")
        self._rounds = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
        for name, wanted in {**SETTINGS, **dict.fromkeys(UNSET)}.items():
            if (found := os.environ.get(name)) != wanted:
                raise RuntimeError(
                    f"{name} is {found!r}; allowed: {wanted!r}, as benchmarks/peers/run has it"
                )
        affinity = "not pinned"
        if hasattr(os, "sched_setaffinity"):
            core = max(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {core})
            affinity = f"pinned to core {core}"
        versions = {name: version(name) for name in packages}
        line = {"conditions": conditions() | {"affinity": affinity}, "versions": versions}
        print(json.dumps(line), flush=True)

    def measure(self, contestants: Mapping[Key, Contestant]) -> Measurement:
        interleaved = Interleaved({key: on_the_core(contestant) for key, contestant in contestants.items()})
        interleaved.run(self._rounds)
        return Measurement(interleaved)


def on_the_core(contestant: Contestant) -> Contestant:
    """The same, timed by what all threads of the process take of the core: other processes do not count, and
    neither does a wait, to the good of those who hand their work to another thread."""

    def run(times: int) -> tuple[float, float]:
        start = time.process_time()
        _, units = contestant(times)
        return time.process_time() - start, units

    return run


def absent(reason: str, subject: str = "") -> None:
    """Print that there is nothing to measure, and why."""
    print(json.dumps({"subject": subject, "reason": reason}), flush=True)
