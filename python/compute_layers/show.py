# SPDX-License-Identifier: MIT
"""The versions of a game's step, or of a policy, side by side, cut by their numbered comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from . import registry

WIDE = 160  # columns from which the versions stand side by side
THEME = "ansi_dark"  # the terminal's own colours
# Level, folder in the project, suffix, and how rich names the language.
VERSIONS = (
    ("python", "python/compute_layers", "py", "python"),
    ("cpp", "cpp", "cpp", "cpp"),
    ("asm, x86-64", "asm/x86_64", "cpp", "cpp"),
    ("asm, AVX-512", "asm/x86_64_avx512", "cpp", "cpp"),
    ("asm, AArch64", "asm/aarch64", "cpp", "cpp"),
)
INCLUDE = re.compile(r'^#include "(?P<name>\w+\.hpp)"$', re.M)
HEADER = re.compile(r"^(?P<indent>[ \t]*)(?:#|//)\s*\[(?P<number>\d+)\]\s*(?P<title>[^;.\n]*)")
CONTINUED = re.compile(r"[ \t]*\\$", re.M)


@dataclass(frozen=True)
class Version:
    """A source file at one level."""

    level: str
    path: str
    language: str
    text: str


def sources(name: str) -> list[Version]:
    """The versions of a game (by id or stem), a policy family, planner or learner (by stem), level python first.

    Raises:
        ValueError: there is no such thing; the message has the nearest name.
    """
    stems = {id: registry.game(id).stem for id in registry.games()}
    bare = name.removeprefix(registry.NAMESPACE)
    if bare in stems or bare in stems.values():
        folder, stem = "games", stems.get(bare, bare)
    elif bare in registry.families():
        folder, stem = "policies", bare
    elif bare in registry.planners():
        folder, stem = "planners", bare
    elif bare in registry.learners():
        folder, stem = "learners", bare
    else:
        known = [*stems.values(), *stems, *registry.families(), *registry.planners(), *registry.learners()]
        raise registry.unknown("name", name, known)
    return versions(folder, stem, _packaged)


def _packaged(path: str) -> str | None:
    """The text of a file of the project, from the package, where level python lies at the top."""
    inside = path.removeprefix("python/compute_layers/")
    file = files(__package__)
    for part in (inside if inside != path else f"sources/{path}").split("/"):
        file = file / part
    return file.read_text(encoding="utf-8") if file.is_file() else None


def versions(folder: str, stem: str, read: Callable[[str], str | None]) -> list[Version]:
    """The sources of a stem in this folder of each level, level python first. A header that several of them include
    comes before them if it has numbered comments.

    Args:
        read: the text of a file of the project, None if there is no such file.
    """
    found = []
    for level, place, suffix, language in VERSIONS:
        for name in names(folder, stem, level):
            path = f"{place}/{folder}/{name}.{suffix}"
            text = read(path)
            if text is None:
                continue
            for header in INCLUDE.findall(text):
                shared = read(f"{place}/{folder}/{header}")
                if shared is not None and titles(shared):
                    found.append(Version(level, f"{place}/{folder}/{header}", language, shared))
            found.append(Version(level, path, language, text))
    return found


def names(folder: str, stem: str, level: str) -> tuple[str, ...]:
    """The stems of the sources at a level. A game with the rules of another has a file of its own at level python
    alone; what learners share is a module there."""
    if folder == "learners" and level == "python":
        return (stem, "temporal_difference")
    kernel = registry.kernel_of(stem) if folder == "games" else stem
    if kernel == stem:
        return (stem,)
    return (stem, kernel) if level == "python" else (kernel,)


def sections(text: str) -> dict[int, str]:
    """The pieces of a source under its numbered comments, such as ``# [1] force``.

    A piece ends where the next one begins, where its block ends, and, if it stands at the left margin, at the
    first blank line. Pieces of the same number are joined.
    """
    found: dict[int, list[list[str]]] = {}
    piece: list[str] | None = None
    indent = 0
    for line in text.split("\n"):
        header = HEADER.match(line)
        if header is not None:
            indent = len(header["indent"])
            piece = []
            found.setdefault(int(header["number"]), []).append(piece)
        elif piece is not None:
            outside = len(line) - len(line.lstrip()) < indent if line.strip() else indent == 0
            piece = None if outside else piece
        if piece is not None:
            piece.append(line)
    return {
        number: "\n\n".join(textwrap.dedent("\n".join(piece)).strip() for piece in pieces)
        for number, pieces in sorted(found.items())
    }


def titles(text: str) -> dict[int, str]:
    """What the numbered comments of a source call its sections; the first of a number counts."""
    found: dict[int, str] = {}
    for line in text.split("\n"):
        if header := HEADER.match(line):
            found.setdefault(int(header["number"]), header["title"].strip())
    return found


def show(name: str, console: Console) -> None:
    """Print the numbered sections of all versions of a game or policy: in a terminal with colours, and side by
    side if it is wide; in a pipe as plain text. A policy without numbered sections is printed whole.

    Args:
        name: a game's id or stem, or a policy family's stem.
        console: where to print.

    Raises:
        ValueError: an unknown name.
    """
    found = sources(name)
    cut = [sections(version.text) for version in found]
    numbers = sorted(set().union(*cut))
    if not numbers:
        for version in found:
            _heading(f"{version.level}: {version.path}", console)
            _stacked([(version, version.text.rstrip("\n"))], console, names=False)
        return
    named: dict[int, str] = {}
    for version in reversed(found):
        named |= titles(version.text)
    for version in found:
        console.print(Text(f"{version.level:<14}{version.path}"), soft_wrap=True)
    for number in numbers:
        _heading(f"[{number}] {named[number]}", console)
        parts = [(version, part[number]) for version, part in zip(found, cut, strict=True) if number in part]
        if console.is_terminal and console.width >= WIDE:
            _side_by_side(parts, console)
        else:
            _stacked(parts, console)


def _heading(text: str, console: Console) -> None:
    if console.is_terminal:
        console.print()
        console.print(Rule(Text(text, "bold"), align="left"))
    else:
        console.print(Text(f"\n==== {text}"), soft_wrap=True)


def _highlighted(version: Version, code: str) -> Syntax:
    return Syntax(code, version.language, theme=THEME, word_wrap=True, background_color="default")


def _side_by_side(parts: list[tuple[Version, str]], console: Console) -> None:
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 0, 0))
    for version, _ in parts:
        table.add_column(Text(version.level, "bold cyan"), ratio=1)
    # The continuation marks of macros stand far to the right, where there is no room.
    table.add_row(*(_highlighted(version, CONTINUED.sub("", code)) for version, code in parts))
    console.print(table)


def _stacked(parts: list[tuple[Version, str]], console: Console, *, names: bool = True) -> None:
    for version, code in parts:
        if not console.is_terminal:
            lines = [f"---- {version.level}", code] if names else [code]
            console.print(Text("\n".join(lines)), soft_wrap=True)
            continue
        if names:
            console.print(Text(version.level, "bold cyan"))
        console.print(Padding(_highlighted(version, code), (0, 0, 1, 2)))
