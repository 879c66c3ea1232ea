# SPDX-License-Identifier: MIT
"""What an installed package carries, and that its one version number is the one everywhere."""

from __future__ import annotations

import re
from importlib.metadata import metadata, version
from importlib.resources import files
from pathlib import Path

import pytest

import compute_layers as cl
from compute_layers import _core, registry

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_one_version() -> None:
    assert cl.__version__ == _core.__version__ == version("compute_layers")
    number = re.search(r'^version = "(.+)"$', PROJECT.read_text(encoding="utf-8"), re.MULTILINE)
    assert number is not None
    assert cl.__version__ == number[1]


def test_licence() -> None:
    assert metadata("compute_layers")["License-Expression"] == "MIT"


def test_types_are_shipped() -> None:
    assert (files("compute_layers") / "py.typed").is_file()
    stub = (files("compute_layers") / "_core.pyi").read_text(encoding="utf-8")
    public = {name for name in dir(_core) if not name.startswith("__")}
    missing = sorted(
        name for name in public if not re.search(rf"^(class |def |){name}\b", stub, re.MULTILINE)
    )
    assert not missing, "run python tools/stubs.py"


@pytest.mark.parametrize("id", cl.games())
def test_agents_and_digests_are_shipped(id: str) -> None:
    game = registry.game(id)
    folder = files("compute_layers")
    assert cl.agents(id)
    assert (folder / "digests" / f"{game.stem}.json").is_file()
