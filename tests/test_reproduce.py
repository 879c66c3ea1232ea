# SPDX-License-Identifier: MIT
"""The published figures of docs/verdict.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pages
import pytest
import reproduce

with_docs = pytest.mark.skipif(not pages.DOCS.is_dir(), reason="the sdist has no docs")


@with_docs
def test_the_table_is_what_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert reproduce.main(["--check"]) == 0, capsys.readouterr().out


@with_docs
def test_a_table_that_differs_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = reproduce.PAGE.read_text(encoding="utf-8")
    page = tmp_path / "verdict.md"
    page.write_text(
        text.replace("| CartPole-v1 | random | 22.2 |", "| CartPole-v1 | random | 23.2 |"), encoding="utf-8"
    )
    monkeypatch.setattr(reproduce, "PAGE", page)
    monkeypatch.setattr(reproduce, "figures", reproduce.figures()[:2].copy)
    assert reproduce.main(["--check"]) == 1
    printed = capsys.readouterr().out
    assert "-| CartPole-v1 | random | 23.2 |" in printed
    assert "+| CartPole-v1 | random | 22.2 |" in printed
    assert reproduce.main([]) == 0
    assert reproduce.main(["--check"]) == 0
    written = page.read_text(encoding="utf-8")
    assert written.partition(reproduce.BEGIN)[0] == text.partition(reproduce.BEGIN)[0]
    assert written.partition(reproduce.END)[2] == text.partition(reproduce.END)[2]


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        reproduce.with_table("no marks")


@pytest.mark.parametrize(
    ("published", "mean", "half", "inside"),
    [
        ("500.0", 500.0, 0.0, True),
        ("500.0", 499.9, 0.0, False),
        ("93.4", 93.36, 0.001, True),  # it rounds to theirs
        ("93.4", 93.34, 0.001, False),
        ("-13", -13.0, 0.0, True),
        ("198", 190.0, 7.6, True),
        ("198", 190.0, 7.4, False),
    ],
)
def test_a_published_figure_is_rounded(published: str, mean: float, half: float, inside: bool) -> None:
    assert reproduce.agrees(published, mean, half) == inside


def test_half_the_interval() -> None:
    returns = np.array([0.0, 2.0] * 500)
    assert reproduce.half_interval(returns) == pytest.approx(2.5758 * 1.0005 / 1000**0.5, rel=1e-4)
