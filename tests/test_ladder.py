# SPDX-License-Identifier: MIT
"""The ladder and the commands that print."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import compute_layers as cl
from compute_layers import ladder as ladders
from compute_layers.agents import LAYERS, agent_file
from compute_layers.cli import app
from compute_layers.ladder import Effort, Ladder, measure_ladder

TINY = Effort(episodes=20, python_seconds=0.01, rounds=2, chunk=0.0005)
SERVED = [str(level) for level in cl.levels() if level.available]


def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture(scope="module", params=cl.games())
def measured(request: pytest.FixtureRequest) -> Ladder:
    return measure_ladder(request.param, effort=TINY, console=quiet())


def printed(ladder: Ladder, width: int = 200, terminal: bool = False) -> str:
    stream = io.StringIO()
    ladder.print(Console(file=stream, width=width, force_terminal=terminal))
    return stream.getvalue()


def test_every_agent_has_a_row_at_every_level(measured: Ladder) -> None:
    found = [(row.agent, row.level) for row in measured.rows]
    assert found == [(agent, level) for agent in cl.agents(measured.game) for level in (*SERVED, "gymnasium")]


def test_a_row_is_measured_or_says_why_not(measured: Ladder) -> None:
    for row in measured.rows:
        if row.reason:
            assert row.returns is None
            assert row.step is None
            level, _, isa = row.level.rstrip("]").partition("[")
            with pytest.raises(cl.LevelUnavailable):
                cl.load_agent(measured.game, row.agent, level=level, isa=isa or None)
        else:
            assert row.returns is not None
            assert row.step is not None
            assert row.step.median > 0
            assert (row.decision is None) == (row.level == "gymnasium")


def test_agents_are_ordered_by_layer(measured: Ladder) -> None:
    layers = [LAYERS.index(row.layer) for row in measured.rows]
    assert layers == sorted(layers)


def test_returns_are_those_of_a_rollout(measured: Ladder) -> None:
    for row in measured.rows:
        if row.returns is not None:
            run = cl.rollout(measured.game, row.agent, episodes=len(row.returns))
            if row.level != "gymnasium":
                assert run.returns.tobytes() == row.returns.tobytes()
                continue
            # Sines that round differently may show in the last digits of rewards, but not in an episode's end.
            assert np.abs(run.returns - row.returns).max() <= 1e-9 * np.abs(row.returns).max()
            equal, episodes = measured.as_gymnasium[row.agent]
            assert (run.returns == row.returns)[:episodes].sum() == equal
    assert not measured.unequal
    assert all(count >= 2 for count in measured.compared.values())


def test_unequal_returns_are_told(measured: Ladder) -> None:
    other = Ladder(measured.game, TINY, rows=[*measured.rows])
    for i, row in enumerate(other.rows):
        if row.level == SERVED[-1] and row.returns is not None:
            other.rows[i] = ladders.Row(row.agent, row.layer, row.level, "none", row.returns + 1)
    ladders._compare(other)
    assert other.unequal
    assert "RETURNS DIFFER" in printed(other)


def test_the_matrix_has_every_pair_of_levels(measured: Ladder) -> None:
    widest = {level.name: str(level) for level in cl.levels() if level.available}
    assert set(measured.matrix) == {(game, policy) for game in widest.values() for policy in widest.values()}


def test_the_boundary_has_every_size(measured: Ladder) -> None:
    kinds = ("kernel", "batch call", "Gymnasium call")
    assert set(measured.boundary) == {(kind, n) for kind in kinds for n in (1, 8, 64, 1024)}


def test_json_round_trips(measured: Ladder) -> None:
    found: dict[str, Any] = json.loads(json.dumps(measured.as_dict(), allow_nan=False))
    assert found["schema"] == "compute_layers/ladder/1"
    assert [row["level"] for row in found["rows"]] == [row.level for row in measured.rows]
    assert set(found["conditions"]) >= {"cpu", "compiler", "flags", "commit", "numpy", "gymnasium"}


def test_a_pipe_gets_plain_text(measured: Ladder) -> None:
    text = printed(measured)
    assert "\x1b" not in text
    assert "█" not in text
    for level in (*SERVED, "gymnasium"):
        assert level in text
    assert "Equal returns at all levels" in text
    assert "equal to Gymnasium's" in text


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_a_terminal_gets_what_fits(measured: Ladder, width: int) -> None:
    text = printed(measured, width, terminal=True)
    rows = [line for line in text.splitlines() if SERVED[-1] in line]
    assert rows
    assert "…" not in text
    assert "\x1b[" in text


def test_levels_may_be_chosen() -> None:
    game = cl.games()[0]
    found = measure_ladder(game, ["pd"], ["cpp:baseline", "gymnasium"], effort=TINY, console=quiet())
    assert [row.level for row in found.rows] == ["cpp[baseline]", "gymnasium"]


def test_a_policy_file_may_stand_for_an_agent(tmp_path: Path) -> None:
    game = cl.games()[0]
    copy = tmp_path / "mine.safetensors"
    agent_file(game, "pd").save(copy)
    found = measure_ladder(game, [str(copy)], ["cpp"], effort=TINY, console=quiet())
    assert {row.agent for row in found.rows} == {"mine"}


# ---- the command ----


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_writes_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "QUICK", TINY)
    file = tmp_path / "ladder.json"
    done = run("ladder", cl.games()[0], "--quick", "--agents", "pd", "--levels", "cpp", "--json", str(file))
    assert done.exit_code == 0, done.output
    assert json.loads(file.read_text())["game"] == cl.games()[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ladder", "CartPole-v1", "--json", "/no/such/folder/x.json"), "there is no directory"),
        (("ladder", "CartPole-v1", "--agents", "missing.safetensors"), "missing.safetensors"),
        (("ladder", "CartPol-v1"), "did you mean 'CartPole-v1'?"),
        (("ladder", "CartPole-v1", "--agents", "dp"), "did you mean 'pd'?"),
        (("ladder", "CartPole-v1", "--levels", "amd"), "level is 'amd'"),
        (("ladder", "CartPole-v1", "--levels", "asm:baseline"), "level is 'asm:baseline'"),
        (("agents", "Pong"), "game is 'Pong'"),
        (("show", "cartpol"), "did you mean 'cartpole'?"),
        (("check", "--game", "Pong"), "game is 'Pong'"),
        (("check", "--level", "fast"), "level is 'fast'"),
    ],
)
def test_a_wrong_name_is_one_line_and_exit_2(arguments: tuple[str, ...], words: str) -> None:
    code = [sys.executable, "-m", "compute_layers", *arguments]
    done = subprocess.run(code, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.startswith("compute-layers: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_lists() -> None:
    assert all(game in run("games").output for game in cl.games())
    assert all(str(level) in run("levels").output for level in cl.levels())
    output = run("agents").output
    assert all(agent in output for game in cl.games() for agent in cl.agents(game))
    assert run("--version").output.strip() == cl.__version__
