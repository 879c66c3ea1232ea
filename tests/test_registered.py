# SPDX-License-Identifier: MIT
"""What is registered, game or policy family, has its page, golden file, digests and benchmark row; a planner or
learner has digests and a benchmark row."""

from __future__ import annotations

import json
from pathlib import Path

import pages
import pytest

import compute_layers as cl
import golden
from compute_layers import check, registry

STEMS = {name: registry.game(name).stem if name in cl.games() else name for name in golden.names()}
OTHERS = [*registry.planners(), *registry.learners()]

everything = pytest.mark.parametrize("name", STEMS)
with_docs = pytest.mark.skipif(not pages.DOCS.is_dir(), reason="the sdist has no docs")


@with_docs
@everything
def test_it_has_a_page(name: str) -> None:
    page = pages.DOCS / ("games" if name in cl.games() else "policies") / f"{STEMS[name]}.md"
    assert page.exists(), "python tools/pages.py"
    assert f"({page.relative_to(pages.DOCS)})" in (pages.DOCS / "README.md").read_text(encoding="utf-8")


@everything
def test_it_has_a_golden_file(name: str) -> None:
    assert (golden.GOLDEN / f"{name}.txt").exists(), f"python tools/golden.py {name}"


@pytest.mark.parametrize("name", [*STEMS, *OTHERS])
def test_it_has_digests(name: str) -> None:
    stored = check.stored_digests(STEMS.get(name, name)).get(name)
    assert stored is not None, "compute-layers check --update"
    assert set(stored) == {"version", "short", "full"}


@with_docs
@pytest.mark.parametrize("name", [*STEMS, *OTHERS])
def test_it_has_a_benchmark_row(name: str) -> None:
    assert pages.ratios([name]), pages.COMMAND


@with_docs
def test_the_pages_are_up_to_date() -> None:
    stale = [
        str(path.relative_to(pages.ROOT))
        for path, text in pages.pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "python tools/pages.py"


@with_docs
def test_there_are_no_other_pages_and_digests() -> None:
    written = {path for folder in ("games", "policies") for path in (pages.DOCS / folder).glob("*.md")}
    assert written <= set(pages.pages())
    assert {path.stem for path in check.DIGESTS.glob("*.json")} == {*STEMS.values(), *OTHERS}
    for stem in STEMS.values():
        assert set(check.stored_digests(stem)) == {name for name in STEMS if STEMS[name] == stem}


@with_docs
@everything
def test_a_page_holds_what_it_must(name: str) -> None:
    text = (pages.game_page if name in cl.games() else pages.family_page)(STEMS[name])
    folder = "games" if name in cl.games() else "policies"
    versions = pages.sources_of(folder, STEMS[name])
    assert pages.docstring(versions[0]) in text
    assert all(f"](../../{version.path})" in text for version in versions)
    assert all(heading in text for heading in ("## Levels", "## Speed", "## Limits"))
    assert text.count("<details>") == text.count("</details>") >= len(versions) - 2
    for row in pages.ratios([name]):
        assert row["name"] in text


@with_docs
def test_every_page_is_reached_from_the_index() -> None:
    text = pages.index()
    for path in pages.DOCS.rglob("*.md"):
        assert path.name == "README.md" or f"({path.relative_to(pages.DOCS).as_posix()})" in text


def test_the_command_tells_and_then_mends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page, stray = tmp_path / "docs" / "games" / "walk.md", tmp_path / "docs" / "policies" / "gone.md"
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(pages, "pages", lambda: {page: "# walk\n"})
    stray.parent.mkdir(parents=True)
    assert pages.main(["--check"]) == 1
    assert not page.exists()
    assert "+# walk" in capsys.readouterr().out
    assert pages.main([]) == 0
    assert page.read_text(encoding="utf-8") == "# walk\n"
    assert pages.main(["--check"]) == 0
    page.write_text("# run\n", encoding="utf-8")
    assert pages.main(["--check"]) == 1
    assert "-# run" in capsys.readouterr().out
    pages.main([])
    stray.write_text("# gone\n", encoding="utf-8")
    assert pages.main(["--check"]) == 1
    assert "belongs to nothing" in capsys.readouterr().out


def test_the_speed_table_stands_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"subject": "walk", "name": "a / b", "figure": 2.0, "unit": "×", "spread": 0.01}
    row |= {"demand": "≥ 1", "verdict": "reached", "detail": "2 | 1 ns", "command": "pytest"}
    file = tmp_path / "rows.json"
    bound = {**row, "name": f"{pages.BOUND}znver3: walk/step"}
    file.write_text(json.dumps({"conditions": {}, "rows": [row, bound]}), encoding="utf-8")
    monkeypatch.setattr(pages, "ROWS", file)
    monkeypatch.setattr(pages, "conditions_line", lambda conditions: "here")
    text = pages.with_speed(f"# M\n{pages.SPEED_BEGIN}\nold\n{pages.SPEED_END}\nmore\n")
    line = "| walk | a / b | 2× | 1 % | ≥ 1 | reached | 2 \\| 1 ns |"
    assert text.startswith(f"# M\n{pages.SPEED_BEGIN}\n| subject | row |")
    assert f"{line}\n\nhere\n{pages.SPEED_END}\nmore\n" in text
    assert "znver3" not in text
    assert pages.with_speed(text) == text
    assert "znver3" in pages.text_of(pages.speed(["walk"]))
    assert "No row yet" in pages.text_of(pages.speed(["run"]))
    with pytest.raises(ValueError, match="lacks"):
        pages.with_speed("# M\n")
