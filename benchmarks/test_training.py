# SPDX-License-Identifier: MIT
"""Training from a cold start: the whole process, imports and evaluation included."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from compute_layers.measure import timed
from conftest import Measure

pytest.importorskip("cmaes", reason="the extra train is not installed")


def test_training_linear(measure: Measure) -> None:
    game = "CartPole-v1"
    command = [sys.executable, "-m", "compute_layers"]
    command += ["train", game, "--family", "linear", "--seed", "0"]
    said: list[str] = []

    def work() -> None:
        said[:] = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()

    timing = measure.interleaved({"train": timed(work, 1)}, rounds=9, chunk=0.1).result()["train"]
    reached = re.match(rf"{game}/linear: return ([\d.]+) over seeds 0 to 999", said[0])
    assert reached is not None
    assert float(reached[1]) == 500
    seconds = timing.median / 1e9
    measure.row(game, "train linear from a cold start", seconds, timing.spread, f"{said[0]}; {said[1]}")
