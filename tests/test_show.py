# SPDX-License-Identifier: MIT
"""`compute-layers show`: the sections of every game at every level, in a pipe and in a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

import compute_layers as cl
from compute_layers import registry
from compute_layers.show import sections, show, sources, titles

ROOT = Path(__file__).parents[1]


def printed(name: str, width: int = 80, *, terminal: bool = False) -> str:
    file = io.StringIO()
    system = "truecolor" if terminal else None
    show(name, Console(file=file, width=width, force_terminal=terminal, color_system=system))
    return file.getvalue()


@pytest.mark.parametrize("id", [*cl.games(), *registry.planners(), *registry.learners()])
def test_the_levels_of_a_game_have_the_same_sections(id: str) -> None:
    found: dict[str, dict[int, str]] = {}
    for version in sources(id):
        level = found.setdefault(version.level, {})
        for number, title in titles(version.text).items():
            level.setdefault(number, title)
    assert list(found)[:2] == ["python", "cpp"]
    wanted = found.pop("python")
    assert wanted, "the step of level python has no numbered comments"
    assert sorted(wanted) == list(range(1, len(wanted) + 1))
    for name, level in found.items():
        for number, title in wanted.items():
            # The others may say more in the same comment.
            assert level.get(number, "").startswith(title), f"{name}: [{number}] {title}"


@pytest.mark.parametrize("id", cl.games())
def test_the_assembly_is_shown_where_it_is_written(id: str) -> None:
    written = bool(registry.game(id).isas["asm"])
    assert written <= any(version.level.startswith("asm") for version in sources(id))


@pytest.mark.parametrize("id", cl.games())
def test_id_namespace_and_stem_show_the_same(id: str) -> None:
    text = printed(id)
    assert printed(registry.NAMESPACE + id) == printed(registry.game(id).stem) == text


def test_a_pipe_gets_plain_text_and_whole_lines() -> None:
    text = printed("cartpole")
    assert "\x1b" not in text
    for version in sources("cartpole"):
        assert version.path in text
        for piece in sections(version.text).values():
            assert piece in text
    assert "==== [1] force\n---- python\n# [1] force\nforce = " in text


def test_only_the_sections_are_shown() -> None:
    text = printed("cartpole")
    assert "SPEC" not in text
    assert "#include" not in text
    assert "asm volatile" not in text


def test_a_terminal_gets_colours_and_columns_if_it_is_wide() -> None:
    narrow, wide = printed("cartpole", 100, terminal=True), printed("cartpole", 200, terminal=True)
    assert "\x1b[" in narrow
    assert "\x1b[" in wide
    assert wide.count("\n") < narrow.count("\n")
    heads = [line for line in wide.split("\n") if "python" in line and "cpp" in line and "asm" in line]
    assert heads, "the levels do not stand side by side"


def test_a_policy_without_sections_is_shown_whole() -> None:
    for stem in registry.families():
        text = printed(stem)
        for version in sources(stem):
            assert version.path in text
            cut = sections(version.text)
            assert all(piece in text for piece in cut.values()) if cut else version.text.rstrip() in text


@pytest.mark.parametrize("path", ["games/cartpole.py", "games/cartpole.cpp"])
def test_the_files_are_those_of_the_project(path: str) -> None:
    folder = ROOT / ("python/compute_layers" if path.endswith(".py") else "cpp")
    texts = [version.text for version in sources("cartpole")]
    assert (folder / path).read_text(encoding="utf-8") in texts, (
        "installed from another state of the project?"
    )


@pytest.mark.parametrize(
    ("name", "near"), [("cartpol", "cartpole"), ("CartPole-v2", "CartPole-v1"), ("liner", "linear")]
)
def test_an_unknown_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"name is '{name}'; allowed: .*did you mean '{near}'"):
        printed(name)


def test_where_a_section_ends() -> None:
    indented = (
        "def f():\n    # [1] one; more\n    a = 1\n\n    b = 2\n    # [2] two\n    c\ndef g():\n    d\n"
    )
    assert sections(indented) == {1: "# [1] one; more\na = 1\n\nb = 2", 2: "# [2] two\nc"}
    assert titles(indented) == {1: "one", 2: "two"}
    margin = "// [2] two\n#define A \\\n    a\n\n#define B b\n// [1] one\nx\n// [2] again\ny\n"
    assert sections(margin) == {1: "// [1] one\nx", 2: "// [2] two\n#define A \\\n    a\n\n// [2] again\ny"}
    assert sections("a = 1\n") == {}
