# SPDX-License-Identifier: MIT
"""The playthroughs and decisions in tests/golden, which people read, and the stored digests come out the same at
every level."""

from __future__ import annotations

from pathlib import Path

import pytest

import compute_layers as cl
import golden
from compute_layers import check as checker
from compute_layers import registry
from compute_layers.registry import game
from conftest import LEVELS, unserved

ROOT = Path(__file__).parents[1]


@pytest.mark.emulate
@pytest.mark.parametrize("level", cl.levels(), ids=str)
@pytest.mark.parametrize("name", golden.names())
def test_every_level_reproduces_the_file(name: str, level: cl.Level) -> None:
    if level.reason:
        pytest.skip(level.reason)
    isas = (registry.families()[name] if name in registry.families() else game(name)).isas
    if level.isa is not None and level.isa not in isas[level.name]:
        pytest.skip(f"{name} has no kernel {level}")
    path = golden.GOLDEN / f"{name}.txt"
    assert path.exists(), f"there is none; python tools/golden.py {name}"
    assert golden.golden(name, level) == path.read_text(encoding="utf-8")


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


@pytest.mark.emulate
@pytest.mark.parametrize("level", [level for level in LEVELS if level.isa], ids=str)
@pytest.mark.parametrize("stem", registry.families())
def test_the_digests_of_families_are_those_of_every_cpu(stem: str, level: cl.Level) -> None:
    family = registry.family(stem)
    if level.isa not in family.isas[level.name]:
        pytest.skip(f"{stem} has no kernel {level}")
    stored = checker.stored_digests(stem)[stem]
    assert checker.policy_digest(family, level, checker.SHORT_ROWS) == stored["short"]
    assert checker.policy_digest(family, level, checker.FULL_ROWS) == stored["full"]


@pytest.mark.emulate
@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("stem", registry.planners())
def test_the_digests_of_planners_are_those_of_every_cpu(stem: str, level: cl.Level) -> None:
    planner = registry.planner(stem)
    if level.isa is not None and level.isa not in planner.isas[level.name]:
        pytest.skip(f"{stem} has no kernel {level}")
    stored = checker.stored_digests(stem)[stem]
    assert checker.planner_digest(planner, level, checker.SHORT_SWEEPS) == stored["short"]
    assert checker.planner_digest(planner, level, checker.FULL_SWEEPS) == stored["full"]


@pytest.mark.emulate
@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("stem", registry.learners())
def test_the_digests_of_learners_are_those_of_every_cpu(stem: str, level: cl.Level) -> None:
    learner = registry.learner(stem)
    if level.isa is not None and level.isa not in learner.isas[level.name]:
        pytest.skip(f"{stem} has no kernel {level}")
    stored = checker.stored_digests(stem)[stem]
    assert checker.learner_digest(learner, level, checker.SHORT_STEPS) == stored["short"]
    if level.isa is not None:
        assert checker.learner_digest(learner, level, checker.FULL_STEPS) == stored["full"]


@pytest.mark.parametrize("stem", registry.families())
def test_the_short_digests_of_families_are_those_of_level_python(stem: str) -> None:
    python = cl.Level("python", None)
    stored = checker.stored_digests(stem)[stem]
    assert checker.policy_digest(registry.family(stem), python, checker.SHORT_ROWS) == stored["short"]


@pytest.mark.parametrize("id", cl.games())
def test_what_a_playthrough_shows(id: str) -> None:
    text = golden.playthrough(id)
    assert "terminated" in text or "truncated" in text
    assert text.count("the next episode starts") >= 1
    assert all(field in text for field in (*game(id).spec.state, "observation", "reward", "seed"))


@pytest.mark.parametrize("stem", registry.families())
def test_what_the_file_of_a_family_shows(stem: str) -> None:
    text, spec = golden.decisions(stem), registry.family(stem).spec
    assert all(f"head {head}" in text for head in spec.heads)
    assert all(f"{name} {choice}" in text for name, choices in spec.choices.items() for choice in choices)
    assert all(f"\n{name}0  " in text if spec.layered else f"\n{name}  " in text for name in spec.tensors)
    assert text.count("observation ") == text.count("    action ") == golden.ROWS * text.count("==") // 2


def test_there_is_no_file_without_a_game_or_a_family() -> None:
    assert sorted(path.stem for path in golden.GOLDEN.glob("*.txt")) == sorted(golden.names())


def test_the_command_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(golden, "GOLDEN", tmp_path / "golden")
    id = cl.games()[0]
    assert golden.main([id]) == golden.main([id]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("written")
    assert second.endswith("as it was")
