# SPDX-License-Identifier: MIT
"""The playthroughs in tests/golden, which people read, and the stored digests come out the same at every level."""

from __future__ import annotations

from pathlib import Path

import pytest

import compute_layers as cl
import golden
from compute_layers import check as checker
from compute_layers.registry import game
from conftest import LEVELS, unserved

ROOT = Path(__file__).parents[1]


@pytest.mark.emulate
@pytest.mark.parametrize("level", cl.levels(), ids=str)
@pytest.mark.parametrize("id", cl.games())
def test_playthrough(id: str, level: cl.Level) -> None:
    if level.reason:
        pytest.skip(level.reason)
    if level.isa is not None and level.isa not in game(id).isas[level.name]:
        pytest.skip(f"{id} has no kernel {level}")
    path = golden.GOLDEN / f"{id}.txt"
    assert path.exists(), f"there is none; python tools/golden.py {id}"
    assert golden.playthrough(id, level) == path.read_text(encoding="utf-8")


@pytest.mark.emulate
@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("id", cl.games())
def test_the_digests_are_those_of_every_cpu(id: str, level: cl.Level) -> None:
    if reason := unserved(id, level):
        pytest.skip(reason)
    stored = checker.stored_digests(game(id).stem)[id]
    assert checker.digest(game(id), level, *checker.SHORT) == stored["short"]
    if level.isa is not None:
        assert checker.digest(game(id), level, *checker.FULL) == stored["full"]


@pytest.mark.parametrize("id", cl.games())
def test_what_a_playthrough_shows(id: str) -> None:
    text = golden.playthrough(id)
    assert "terminated" in text or "truncated" in text
    assert text.count("the next episode starts") >= 1
    assert all(field in text for field in (*game(id).spec.state, "observation", "reward", "seed"))


def test_there_is_no_file_without_a_game() -> None:
    assert {path.stem for path in golden.GOLDEN.glob("*.txt")} == set(cl.games())


def test_the_command_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(golden, "GOLDEN", tmp_path / "golden")
    id = cl.games()[0]
    assert golden.main([id]) == golden.main([id]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("written")
    assert second.endswith("as it was")
