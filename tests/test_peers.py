# SPDX-License-Identifier: MIT
"""The comparison with other libraries: what it writes, and that each peer has what it needs. Nothing is
installed or timed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "peers"
if not FOLDER.is_dir():
    pytest.skip("benchmarks/ is not part of a source distribution", allow_module_level=True)

from bars import PEER_BARS
from results import BEGIN, END, GYMNASIUM_CALL, KERNEL, PARTS, PEERS, SCHEMA, Ours, Row, splice, table

NOT_INSTALLABLE = {"pufferlib", "operant"}  # benchmarks/peers/README.md says why

ASM = Ours("asm[avx2]", "kernel", 1024, 4.0, 0.02, 10.0, 0.03)
CPP = Ours("cpp[avx2]", "kernel", 1024, 6.0, 0.05, 6.6, 0.04)
ROW = Row("CartPole-v1", "Others", "call", 64, 40.0, 0.1, 21, (ASM, CPP))
CONDITIONS = dict.fromkeys(
    (
        "cpu",
        "cores",
        "affinity",
        "levels",
        "compiler",
        "flags",
        "python",
        "numpy",
        "gymnasium",
        "compute_layers",
        "commit",
    ),
    "x",
)


def result(*rows: Row | dict[str, str], **versions: str) -> dict[str, Any]:
    """What `run` keeps of a peer."""
    found = [row if isinstance(row, dict) else asdict(row) for row in rows]
    return {"conditions": CONDITIONS, "versions": versions, "options": "", "rows": found}


def cells(row: Row) -> list[str]:
    text = table({"peers": {"others": result(row)}})
    head, _, line = (line for line in text.splitlines() if line.startswith("|"))
    assert head.count("|") == line.count("|")
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def run() -> ModuleType:
    """The script `benchmarks/peers/run`."""
    loader = importlib.machinery.SourceFileLoader("peers_run", str(FOLDER / "run"))
    spec = importlib.util.spec_from_loader("peers_run", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it would stand beside the script
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_has_pinned_requirements_and_a_script(peer: str) -> None:
    lines = (FOLDER / "requirements" / f"{peer}.txt").read_text().split()
    assert any(line.startswith(f"{peer if peer != 'pytorch' else 'torch'}==") for line in lines)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line) for line in lines)
    assert (FOLDER / f"measure_{peer.replace('-', '_')}.py").exists() != (peer in NOT_INSTALLABLE)


def test_no_script_and_no_requirements_without_a_peer() -> None:
    assert {path.stem for path in (FOLDER / "requirements").iterdir()} == set(PEERS)
    scripts = {path.stem.removeprefix("measure_").replace("_", "-") for path in FOLDER.glob("measure_*.py")}
    assert scripts == set(PEERS) - NOT_INSTALLABLE


# ---- rows ----


def test_a_row_survives_json() -> None:
    again = Row.read(json.loads(json.dumps(asdict(ROW))))
    assert again.at("asm") == ASM
    assert again.at("cpp") == CPP
    assert again.at("python") is None
    assert asdict(again) == json.loads(json.dumps(asdict(ROW)))


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"ns": None}])
def test_a_row_with_other_fields_is_refused(wrong: dict[str, Any]) -> None:
    found = asdict(ROW) | wrong
    if found["ns"] is None:
        del found["ns"]
    with pytest.raises(TypeError, match="colour|ns"):
        Row.read(found)


def test_a_line_of_the_table() -> None:
    assert cells(ROW) == [
        "CartPole-v1",
        "Others",
        "call, 64",
        "40 ± 10 %",
        "kernel, 1024",
        "4 ± 2 %",
        "6 ± 5 %",
        "10× ± 3 %",
        "6.6× ± 4 %",
        "",
        "",
        "",
    ]


def against(*ours: Ours, **fields: Any) -> Row:
    return Row(**{**vars(ROW), "ours": ours, **fields})


def test_rows_stand_in_the_part_of_their_boundary() -> None:
    ours = [
        Ours("asm[avx2]", boundary, 1, 1.0, 0.0, 2.0, 0.0) for boundary in ("rollout", GYMNASIUM_CALL, KERNEL)
    ]
    rows = [against(entry, subject=entry.boundary) for entry in ours]
    text = table({"peers": {"others": result(*rows)}})
    at = [text.index(part) for part in PARTS] + [len(text)]
    for part, (start, end) in zip((KERNEL, GYMNASIUM_CALL, "rollout"), pairwise(at), strict=True):
        found = [line for line in text[start:end].splitlines() if line.startswith("|")]
        assert [line.split(" | ")[0] for line in found[2:]] == [f"| {part}"]


def test_a_level_that_is_missing_and_what_only_some_rows_have() -> None:
    found = cells(against(CPP, agreement=0.99951, compile_seconds=1.26))
    assert found[2] == "call, 64, compiled in 1.3 s"
    assert found[5] == "–"
    assert found[7] == "–"
    assert found[9] == "99.95 %"


def test_a_row_that_loses_says_so() -> None:
    slower = Ours("asm[avx2]", "kernel", 1024, 80.0, 0.02, 0.5, 0.03)
    assert cells(against(slower))[-1] == "LOSES"
    assert cells(against(slower, CPP))[-1] == "LOSES"
    assert cells(against(CPP))[-1] == ""


@pytest.mark.parametrize("name", PEER_BARS)
def test_a_bar_is_compared_with_asm(name: str) -> None:
    found = re.fullmatch(r"(.*), (kernel|.*, n = \d+) / (.*)", name)
    assert found is not None
    subject, at, contestant = found.groups()
    boundary, _, n = at.partition(", n = ")
    least = PEER_BARS[name]["least"]
    for asm, verdict in ((least, "reached"), (0.99 * least, "SHORT")):
        ours = [
            Ours(level, boundary, int(n or 256), 1.0, 0.0, ratio, 0.0)
            for level, ratio in (("asm[avx2]", asm), ("cpp[avx2]", 2 * least))
        ]
        cell = cells(against(*ours, subject=subject, contestant=contestant))
        assert cell[-2].startswith(f"≥ {least}")
        assert cell[-1] == verdict


def test_the_table_tells_what_was_not_measured_and_on_what_the_rest_was() -> None:
    peers = {
        "one": result(ROW, one="1.0"),
        "two": result({"subject": "Chess", "reason": "no such game"}, two="2.0"),
        "three": {"reason": "cannot be installed here: no wheel"},
    }
    text = table({"peers": peers})
    assert "* two, Chess: no such game" in text
    assert "* three: cannot be installed here: no wheel" in text
    assert "`benchmarks/peers/run one two`: one 1.0, two 2.0. x (x cores, x), x;" in text


def test_only_what_is_between_the_markers_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = splice(page, "new\n\n")
    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert splice(once, "new") == once


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        splice(page, "new")


# ---- what is committed ----


def test_the_page_is_that_of_the_figures() -> None:
    document = json.loads((ROOT / "docs" / "peers.json").read_text())
    assert document["schema"] == SCHEMA
    assert list(document["peers"]) == list(PEERS)
    page = (ROOT / "docs" / "peers.md").read_text()
    assert splice(page, table(document)) == page


def test_every_bar_has_a_row() -> None:
    peers = json.loads((ROOT / "docs" / "peers.json").read_text())["peers"]
    rows = [row for peer in peers.values() for row in peer.get("rows", ()) if "reason" not in row]
    assert set(PEER_BARS) <= {Row.read(row).name for row in rows}


# ---- the command ----


def call(run: ModuleType, *arguments: object) -> Any:
    app = typer.Typer()
    app.command()(run.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def stubbed(run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """The script with docs in a directory of its own, and with answers for the peers in the place of
    environments and measurements; an answer that is an exception is raised."""
    (tmp_path / "peers.md").write_text(f"text\n{BEGIN}\n{END}\n")
    monkeypatch.setattr(run, "FIGURES", tmp_path / "peers.json")
    monkeypatch.setattr(run, "PAGE", tmp_path / "peers.md")
    monkeypatch.setattr(run, "build_wheel", lambda cache: cache / "wheel")

    def answer(**answers: Any) -> ModuleType:
        def install(peer: str, *_: Any) -> Path:
            if isinstance(answers[peer], run.Failure):
                raise answers[peer]
            return Path()

        def measure(peer: str, *_: Any) -> Any:
            if isinstance(answers[peer], BaseException):
                raise answers[peer]
            return answers[peer]

        monkeypatch.setattr(run, "install", install)
        monkeypatch.setattr(run, "measure", measure)
        return run

    return answer


def test_a_run_writes_figures_and_page(stubbed: Callable[..., ModuleType], tmp_path: Path) -> None:
    run = stubbed(gymnasium=result(ROW))
    done = call(run, "gymnasium", "--cache", tmp_path / "cache")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "peers.json").read_text())
    assert document["peers"]["gymnasium"] == json.loads(json.dumps(result(ROW)))
    assert (tmp_path / "peers.md").read_text() == f"text\n{BEGIN}\n{table(document).rstrip()}\n{END}\n"
    assert "| CartPole-v1 | Others |" in done.stdout


def test_other_peers_keep_their_rows(stubbed: Callable[..., ModuleType], tmp_path: Path) -> None:
    for answers in ({"m2cgen": result(ROW)}, {"gymnasium": result(ROW)}):
        assert call(stubbed(**answers), *answers, "--cache", tmp_path / "cache").exit_code == 0
    assert list(json.loads((tmp_path / "peers.json").read_text())["peers"]) == ["gymnasium", "m2cgen"]


def test_a_peer_that_cannot_be_installed_has_the_reason(
    stubbed: Callable[..., ModuleType], run: ModuleType, tmp_path: Path
) -> None:
    run = stubbed(operant=run.Failure("No matching distribution"), pgx=result())
    assert call(run, "operant", "pgx", "--cache", tmp_path / "cache").exit_code == 0
    peers = json.loads((tmp_path / "peers.json").read_text())["peers"]
    assert peers["operant"] == {"reason": "cannot be installed here: No matching distribution"}
    assert "cannot be installed here: No matching distribution" in (tmp_path / "peers.md").read_text()


def test_ctrl_c_keeps_the_peers_that_are_done(stubbed: Callable[..., ModuleType], tmp_path: Path) -> None:
    run = stubbed(gymnasium=result(ROW), envpool=KeyboardInterrupt(), pgx=result(ROW))
    assert call(run, "gymnasium", "envpool", "pgx", "--cache", tmp_path / "cache").exit_code == 130
    assert list(json.loads((tmp_path / "peers.json").read_text())["peers"]) == ["gymnasium"]


def test_json_leaves_the_docs_as_they_are(stubbed: Callable[..., ModuleType], tmp_path: Path) -> None:
    run, file = stubbed(gymnasium=result(ROW)), tmp_path / "mine.json"
    assert call(run, "gymnasium", "--json", file, "--cache", tmp_path / "cache").exit_code == 0
    assert json.loads(file.read_text())["schema"] == SCHEMA
    assert not (tmp_path / "peers.json").exists()
    assert (tmp_path / "peers.md").read_text() == f"text\n{BEGIN}\n{END}\n"


@pytest.mark.parametrize("arguments", [("gymnasiun",), ("--json", "/nowhere/to/be/found.json")])
def test_wrong_arguments_are_refused_before_anything_is_made(
    run: ModuleType, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert call(run, *arguments, "--cache", tmp_path / "cache").exit_code == 2
    assert not (tmp_path / "cache").exists()


def test_a_command_that_fails_says_why(run: ModuleType, tmp_path: Path) -> None:
    code = "import sys; print('{}'); sys.stderr.write('ERROR: the reason\\nnote\\n'); sys.exit(1)"
    lines: list[str] = []
    with pytest.raises(run.Failure, match="^the reason$"):
        run.command(tmp_path / "log", sys.executable, "-c", code, environment={}, line=lines.append)
    assert lines == ["{}\n"]
