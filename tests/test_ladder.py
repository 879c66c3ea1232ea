# SPDX-License-Identifier: MIT
"""The ladder and the commands that print."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
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
from compute_layers.ladder import Effort, Ladder, Row, measure_ladder
from compute_layers.measure import Timing
from compute_layers.statistics import bootstrap, difference, interquartile_mean
from compute_layers.verdict import COLUMNS, Verdict, judge, print_verdicts

TINY = Effort(episodes=20, python_seconds=0.01, rounds=2, chunk=0.0005)
SERVED = [str(level) for level in cl.levels() if level.available]


def quiet() -> Console:
    return Console(file=io.StringIO())


def agents_of(game: str) -> list[str]:
    """Agents that plan take long at level python, those of MountainCar least."""
    return [
        name
        for name in cl.agents(game)
        if game == "MountainCar-v0" or not agent_file(game, name).family.spec.searches
    ]


@pytest.fixture(scope="module", params=cl.games())
def measured(request: pytest.FixtureRequest) -> Ladder:
    return measure_ladder(request.param, agents_of(request.param), effort=TINY, console=quiet())


def printed(ladder: Ladder, width: int = 200, terminal: bool = False) -> str:
    stream = io.StringIO()
    ladder.print(Console(file=stream, width=width, force_terminal=terminal))
    return stream.getvalue()


def test_every_agent_has_a_row_at_every_level(measured: Ladder) -> None:
    found = [(row.agent, row.level) for row in measured.rows]
    assert found == [
        (agent, level)
        for agent in agents_of(measured.game)
        for level in (*SERVED, "gymnasium")
        # Gymnasium makes no copies of a game to plan in.
        if level != "gymnasium" or not agent_file(measured.game, agent).family.spec.searches
    ]


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
    for name, count in measured.compared.items():
        assert count >= (1 if agent_file(measured.game, name).family.spec.searches else 2)


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
    assert found["schema"] == "compute_layers/ladder/2"
    assert [row["level"] for row in found["rows"]] == [row.level for row in measured.rows]
    for row, entry in zip(measured.rows, found["rows"], strict=True):
        if row.returns is not None:
            assert entry["return_iqm"] == interquartile_mean(row.returns)
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


# ---- the verdict ----

with_scipy = pytest.mark.skipif(find_spec("scipy") is None, reason="the extra stats is not installed")


def row_of(agent: str, returns: Any, ns: float, level: str = "cpp[baseline]") -> Row:
    timing = Timing(ns, 0.0, 5)
    return Row(agent, "symbolic", level, "none", np.asarray(returns, np.float64), timing, timing)


def ladder_of(*rows: Row, game: str = "CartPole-v1") -> Ladder:
    return Ladder(game, TINY, rows=list(rows))


def shown(*verdicts: Verdict, width: int = 200, terminal: bool = False) -> str:
    stream = io.StringIO()
    print_verdicts(verdicts, Console(file=stream, width=width, force_terminal=terminal))
    return stream.getvalue()


@with_scipy
def test_a_verdict_on_every_game(measured: Ladder) -> None:
    found = judge(measured)
    ours = [row for row in measured.rows if row.decision is not None and row.level != "gymnasium"]
    assert list(found.standings) == list(dict.fromkeys(row.agent for row in ours))
    assert found.episodes == TINY.episodes
    random = cl.rollout(measured.game, "random", episodes=found.episodes).returns
    assert found.random == bootstrap(random)
    returns = {
        name: cl.rollout(measured.game, name, episodes=found.episodes).returns for name in found.standings
    }
    assert returns[found.best].mean() == max(of_all.mean() for of_all in returns.values())
    for name, standing in found.standings.items():
        assert standing.mean == bootstrap(returns[name])
        assert standing.interquartile_mean == bootstrap(returns[name], interquartile_mean)
        assert standing.difference == difference(returns[name], returns[found.best])
        costs = {row.level: row.decision.median for row in ours if row.agent == name and row.decision}
        assert standing.decision.median == costs[standing.level] == min(costs.values())
    within = [standing for standing in found.standings.values() if standing.within]
    assert found.standings[found.best].within
    assert found.cheapest == min(within, key=lambda standing: standing.decision.median).agent


@with_scipy
def test_near_is_not_enough() -> None:
    seeds = np.arange(1000)
    best = np.full(1000, 500.0)
    # Random has 21.9, so that 5 % of the range are 23.9.
    rows = [
        row_of("best", best, 100.0),
        row_of("surely", best - 20.0, 90.0),
        row_of("not shown", best - 22.0 - 60.0 * np.where(seeds % 2, 1, -1), 80.0),
        row_of("surely not", best - 30.0, 70.0),
    ]
    found = judge(ladder_of(*rows))
    assert {name: standing.within for name, standing in found.standings.items()} == {
        "best": True,
        "surely": True,
        "not shown": False,
        "surely not": False,
    }
    assert (found.best, found.cheapest) == ("best", "surely")
    unsure = found.standings["not shown"].difference
    assert unsure.low < -23.9 < unsure.value


@with_scipy
def test_the_range_is_uncertain_too() -> None:
    # A game where random's returns vary widely: the same shortfall is shown for a sure range alone.
    random = cl.rollout("Taxi-v4", "random", episodes=4).returns
    best = np.full(4, 8.0)
    spare = 0.05 * (best - random)
    assert spare.min() < spare.mean() - 0.01
    barely = best - spare.mean() + 0.01
    assert (
        not judge(ladder_of(row_of("b", best, 9.0), row_of("a", barely, 1.0), game="Taxi-v4"))
        .standings["a"]
        .within
    )
    paired = best - spare + 0.01
    assert judge(ladder_of(row_of("b", best, 9.0), row_of("a", paired, 1.0), game="Taxi-v4")).cheapest == "a"


@with_scipy
def test_of_equal_ones_the_cheapest_is_the_best() -> None:
    full = np.full(20, 500.0)
    rows = [
        row_of("slow", full, 9.0, "python"),
        row_of("slow", full, 5.0, "cpp[baseline]"),
        row_of("fast", full[:7], 3.0, "python"),
        row_of("fast", full, 4.0, "cpp[baseline]"),
    ]
    found = judge(ladder_of(*rows))
    assert found.best == found.cheapest == "fast"
    assert found.standings["fast"].level == "python"
    assert found.standings["slow"].decision.median == 5.0
    assert found.episodes == 20


@with_scipy
def test_seeds_that_not_all_have_played_do_not_count() -> None:
    lucky = np.r_[np.zeros(5), np.full(95, 500.0)]
    found = judge(ladder_of(row_of("lucky", lucky, 1.0), row_of("short", np.full(5, 100.0), 2.0)))
    assert found.episodes == 5
    assert found.best == "short"
    assert found.standings["lucky"].mean.value == 0.0


@with_scipy
def test_an_agent_alone(measured: Ladder) -> None:
    for name in agents_of(measured.game):
        alone = Ladder(measured.game, TINY, rows=[row for row in measured.rows if row.agent == name])
        found = judge(alone)
        assert found.best == found.cheapest == name
        assert found.random == judge(measured).random


@with_scipy
def test_nobody_to_judge() -> None:
    theirs = row_of("pd", [1.0, 2.0], 3.0, "gymnasium")
    refused = Row("random", "algorithm", "asm[avx2]", "none", reason="no such kernel")
    for rows in ([], [theirs], [refused]):
        with pytest.raises(ValueError, match="CartPole-v1: no agent was played at a level of ours"):
            judge(ladder_of(*rows))


@with_scipy
def test_a_verdict_in_json(measured: Ladder) -> None:
    verdict = judge(measured)
    found = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert set(found) == {"episodes", "confidence", "margin", "random", "best", "cheapest", "agents"}
    assert (found["confidence"], found["margin"]) == (0.95, 0.05)
    assert [entry["agent"] for entry in found["agents"]] == list(verdict.standings)
    for entry in found["agents"]:
        assert set(entry) == {
            *("agent", "layer", "mean", "interquartile_mean", "difference", "within", "level", "decision")
        }
        assert set(entry["mean"]) == {"value", "low", "high"}


@with_scipy
def test_a_pipe_gets_the_whole_verdict(measured: Ladder) -> None:
    verdict = judge(measured)
    text = shown(verdict, verdict)
    assert "\x1b" not in text
    head, first, second, blank, *_ = text.splitlines()
    assert first == second
    assert not blank
    assert head.split() == " ".join(COLUMNS).split()
    for word in (measured.game, verdict.best, verdict.cheapest, verdict.standings[verdict.cheapest].level):
        assert word in first
    assert f"seeds from 0 on, {TINY.episodes}." in text


@with_scipy
@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_a_terminal_gets_the_columns_that_fit(measured: Ladder, width: int) -> None:
    verdict = judge(measured)
    text = shown(verdict, width=width, terminal=True)
    assert "…" not in text
    assert "\x1b[" in text
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in text.splitlines()[:2]]
    assert all(len(line.rstrip()) <= width for line in lines)
    assert {"game", "best", "ns/decision"} <= set(lines[0].split())
    assert verdict.cheapest in lines[1]


# ---- the command ----


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_writes_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "QUICK", TINY)
    file = tmp_path / "ladder.json"
    done = run("ladder", cl.games()[0], "--quick", "--agents", "pd", "--levels", "cpp", "--json", str(file))
    assert done.exit_code == 0, done.output
    assert json.loads(file.read_text())["game"] == cl.games()[0]


@with_scipy
def test_the_command_gives_its_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "QUICK", TINY)
    monkeypatch.setattr("compute_layers.registry.games", lambda: ("Taxi-v4", "CartPole-v0"))
    file = tmp_path / "ladders.json"
    done = run("ladder", "--all", "--quick", "--verdict", "--levels", "cpp", "--json", str(file))
    assert done.exit_code == 0, done.output
    games = [line.split()[0] for line in done.stdout.split("\n\n")[0].splitlines()[1:]]
    assert games == ["Taxi-v4", "CartPole-v0"]
    assert "layer algorithm" not in done.stdout
    found = json.loads(file.read_text())
    assert [ladder["game"] for ladder in found] == games
    for ladder in found:
        assert [entry["agent"] for entry in ladder["verdict"]["agents"]] == list(cl.agents(ladder["game"]))
    assert {row["level"] for row in found[0]["rows"]} == {
        str(level) for level in cl.levels() if level.available and level.name == "cpp"
    }


@with_scipy
def test_the_verdict_is_on_the_agents_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "QUICK", TINY)
    file = tmp_path / "ladder.json"
    done = run(
        *("ladder", "CartPole-v1", "--quick", "--verdict", "--agents", "tree-2,always-right"),
        *("--levels", "cpp:baseline", "--json", str(file)),
    )
    assert done.exit_code == 0, done.output
    verdict = json.loads(file.read_text())["verdict"]
    assert [entry["agent"] for entry in verdict["agents"]] == ["always-right", "tree-2"]
    assert verdict["best"] == verdict["cheapest"] == "tree-2"
    assert verdict["random"]["value"] == cl.rollout("CartPole-v1", "random", episodes=20).returns.mean()


@with_scipy
def test_unequal_returns_are_told_with_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "QUICK", TINY)
    monkeypatch.setattr(
        ladders, "_compare", lambda ladder: ladder.unequal.append("pd: asm[x] differs from y")
    )
    done = run("ladder", "CartPole-v1", "--quick", "--verdict", "--agents", "pd", "--levels", "cpp:baseline")
    assert done.exit_code == 1
    assert "RETURNS DIFFER: CartPole-v1: pd: asm[x] differs from y" in done.stdout


def test_a_verdict_without_scipy_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setattr(ladders, "measure_ladder", None)  # nothing is measured
    done = run("ladder", "CartPole-v1", "--verdict")
    assert done.exit_code == 2
    assert (
        done.stderr
        == "compute-layers: intervals need the package scipy: pip install 'compute_layers[stats]'\n"
    )


@with_scipy
def test_a_verdict_needs_a_level_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "measure_ladder", None)
    done = run("ladder", "CartPole-v1", "--verdict", "--levels", "gymnasium")
    assert done.exit_code == 2
    assert "--levels is 'gymnasium'; allowed with --verdict: at least one level of ours" in done.stderr


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
