# SPDX-License-Identifier: MIT
"""Lowering: what states cost, what a seed gives, when it stops, what the report says, and the agents that are shipped."""

from __future__ import annotations

import itertools
import json
import math
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from typer.testing import CliRunner

import compute_layers as cl
from compute_layers import lower as lowering
from compute_layers import registry
from compute_layers.agents import Agent, AgentFile, agent_file
from compute_layers.cli import app
from compute_layers.lower import Labelled, Lowering, lower, operations, readable
from compute_layers.spec import Box
from compute_layers.vector import Env
from conftest import assert_same, infinite_bounds, served

neural_network = pytest.importorskip("sklearn.neural_network", reason="the extra lower is not installed")

EVERY_GAME = True  # see conftest.py
GAME = "CartPole-v1"
LOWERED = [
    (id, name)
    for id in registry.games()
    for name in cl.agents(id)
    if agent_file(id, name).metadata.get("command", "").startswith("compute-layers lower ")
]


@pytest.fixture(autouse=True)
def _one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "TURNS", 1)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["lower", *arguments])


def small(**arguments: Any) -> Lowering:
    """MountainCar's rule by hand as a tree that never is as good."""
    given = {"depth": 2, "seed": 0, "rounds": 2, "evaluations": 150, **arguments}
    return lower("swing", "MountainCar-v0", **given)


def interrupt_call(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Ctrl-C in this call, counted from 1."""
    play, calls = getattr(lowering, name), itertools.count(1)

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            raise KeyboardInterrupt
        return play(*args, **kwargs)

    monkeypatch.setattr(lowering, name, interrupted)


def source_of(game: str, agent: str) -> Any:
    found = registry.game(game)
    if found.default.table is not None:
        return lowering._Tabular(found, agent_file(found, agent))
    return lowering._Simulation(found, agent_file(found, agent), np.random.default_rng(0))


# ---- what states cost ----


@pytest.mark.parametrize(
    ("game", "agent"),
    [
        ("MountainCar-v0", "swing"),
        ("Acrobot-v1", "swing"),
        ("Pendulum-v1", "swing-up"),
        (GAME, "always-right"),
    ]
    + [("Blackjack-v1", "basic-strategy")],
)
@infinite_bounds
def test_a_weight_is_what_the_worst_action_costs_in_a_clone(
    game: str, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lowering, "STATES", 6)
    source = source_of(game, agent)
    given: list[Any] = []
    costs = source._costs

    def recorded(states: Any, actions: Any) -> Any:
        given.append((states, actions))
        return costs(states, actions)

    monkeypatch.setattr(source, "_costs", recorded)
    labelled = source.label(agent_file(game, agent), 0)
    (states, actions), found = given[0], registry.game(game)
    teacher = cl.load_agent(game, agent)
    assert_same(labelled.actions, actions)
    others = found.action
    tried = (
        [np.array([b], np.float32) for b in (others.low[0], others.high[0])]
        if isinstance(others, Box)
        else range(others.n)
    )
    env = Env(game=found)
    env.reset(seed=0)
    limit = found.entry.max_episode_steps or 1000
    for k, action in enumerate(actions):
        one = {
            "game": game,
            "state": {name: values[k : k + 1] for name, values in states["state"].items()},
            **{name: states[name][..., k : k + 1] for name in ("elapsed", "ahead", "rng", "rng_ahead")},
            "seeds": [0],
        }
        returns = []
        for first in (action, *tried):
            env.set_state(one)
            total, done, steps, taken = 0.0, False, 0, first
            while not done and steps < limit:
                observation, reward, done, _, _ = env.step(taken)
                total, steps, taken = total + reward, steps + 1, teacher(observation)
            returns.append(total)
        assert labelled.weights[k] == returns[0] - min(returns)


def test_the_states_of_a_round_are_the_players_and_the_labels_the_teachers() -> None:
    source = source_of("MountainCar-v0", "swing")
    first = source.label(agent_file("MountainCar-v0", "swing"), 0)
    student = small().file
    both = source.label(student, 1)
    assert len(both.rows) == 2 * len(first.rows) == 2 * lowering.STATES
    assert_same(both.rows[: len(first.rows)], first.rows)
    assert_same(both.actions, cl.load_agent("MountainCar-v0", "swing")(both.rows))
    assert (both.weights >= 0).all()
    assert both.weights.max() > 0


def test_numbered_states_are_seen_as_policies_see_them() -> None:
    labelled = source_of("Blackjack-v1", "basic-strategy").label(
        agent_file("Blackjack-v1", "basic-strategy"), 0
    )
    table = agent_file("Blackjack-v1", "basic-strategy").tensors["actions"]
    assert labelled.rows.shape[1:] == (1,)
    assert_same(labelled.actions, table[labelled.rows[:, 0].astype(np.int64)])


def test_weights_of_a_fit_are_never_nothing() -> None:
    rows, actions = np.zeros((4, 1), np.float32), np.zeros(4, np.int64)
    assert_same(lowering._weights(Labelled(rows, actions, np.zeros(4))), np.ones(4))
    found = lowering._weights(Labelled(rows, actions, np.array([0.0, 0.0, 2.0, 6.0])))
    assert_same(found, np.array([0.0, 0.0, 2.0, 6.0]) + 0.2)


# ---- games that a table defines ----


@pytest.mark.parametrize(
    ("game", "agent", "value"),
    [
        ("FrozenLake-v1", "arrows", 0.7402),
        ("Taxi-v4", "shortest-way", 7.93),
        ("CliffWalking-v1", "straight", -13.0),
    ],
)
def test_the_value_of_a_tabular_agent_is_computed(game: str, agent: str, value: float) -> None:
    source, file = source_of(game, agent), agent_file(game, agent)
    assert source.value(file) == pytest.approx(value, abs=5e-5 if game != "Taxi-v4" else 5e-3)
    assert source.goal == pytest.approx(source.value(file), abs=1e-12)
    mean, interval = lowering.mean_and_interval(cl.rollout(game, agent, episodes=20_000, seed=2**34).returns)
    assert abs(mean - source.value(file)) <= 1.5 * interval + 1e-9


@pytest.mark.parametrize(
    ("game", "agent"), [("FrozenLake-v1", "arrows"), ("CliffWalkingSlippery-v1", "detour")]
)
def test_the_costs_add_up_to_what_a_student_loses(game: str, agent: str) -> None:
    """The performance difference lemma, for a student that errs in some states."""
    source, file = source_of(game, agent), agent_file(game, agent)
    actions = file.tensors["actions"].copy()
    actions[[0, 1, 8]] = 2
    student = AgentFile("student", file.game, file.metadata, {"actions": actions})
    source.label(student, 0)
    lost = source._costs[np.arange(len(actions)), actions].sum()
    assert lost > 1e-3
    assert source.value(file) - source.value(student) == pytest.approx(lost, rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_actions_change_as_seldom_as_can_be(seed: int) -> None:
    allowed = np.random.default_rng(seed).random((6, 3)) < 0.5
    allowed[np.arange(6), seed % 3] |= ~allowed.any(axis=1)
    found = lowering._in_runs(allowed)
    assert allowed[np.arange(6), found].all()
    every = itertools.product(*(np.flatnonzero(here) for here in allowed))
    fewest = min(sum(a != b for a, b in itertools.pairwise(actions)) for actions in every)
    assert np.count_nonzero(np.diff(found)) == fewest


# ---- what a seed gives ----


def test_the_same_seed_gives_the_same_agent() -> None:
    first, again = small(), small()
    assert_same(first.file.tensors, again.file.tensors)
    assert first.file.metadata == again.file.metadata
    assert_same(first.returns, again.returns)
    other = small(seed=1)
    assert any(
        tensor.shape != other.file.tensors[name].shape or (tensor != other.file.tensors[name]).any()
        for name, tensor in first.file.tensors.items()
    )


def test_neither_threads_nor_the_level_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = small()
    for threads in (1, 3):
        monkeypatch.setattr(lowering, "cpus", lambda threads=threads: threads)
        assert_same(small().file.tensors, expected.file.tensors)
    for level in served("MountainCar-v0")[1:]:
        monkeypatch.setenv("COMPUTE_LAYERS_LEVEL", level.name)
        monkeypatch.setenv("COMPUTE_LAYERS_ISA", str(level.isa))
        found = small()
        assert_same(found.file.tensors, expected.file.tensors, level)
        assert found.file.metadata == expected.file.metadata


def test_rounds_search_verification_and_evaluation_have_seeds_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans: list[tuple[str, int, int]] = []  # what, first and last seed
    for name in ("rollout", "rollout_population"):
        play = getattr(lowering, name)

        def record(
            *args: Any, play: Any = play, name: str = name, seed: int = 0, episodes: int, **kwargs: Any
        ) -> Any:
            spans.append((name, seed, seed + episodes - 1))
            return play(*args, episodes=episodes, seed=seed, **kwargs)

        monkeypatch.setattr(lowering, name, record)
    found = small()
    assert spans[-2:] == [("rollout", 0, 999)] * 2
    generations = [span[1:] for span in spans if span[0] == "rollout_population"]
    first = 2**32 + 2**24
    assert generations == [(first + 32 * g, first + 32 * g + 31) for g in range(2)]
    assert {span[1:] for span in spans[:-2] if span[0] == "rollout"} == {(2**33, 2**33 + 999)}
    assert found.progress[-1].evaluations == 126


# ---- students ----


def test_a_tree_keeps_to_its_depth_and_leaves() -> None:
    for depth, leaves in ((1, None), (2, None), (4, 3), (3, 8)):
        file = small(depth=depth, leaves=leaves, evaluations=0).file
        assert int(operations(file).split()[0]) <= depth
        assert np.count_nonzero(file.tensors["left"] == -1) <= (leaves or 2**depth)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("game", "agent"), [("MountainCar-v0", "swing"), ("Pendulum-v1", "swing-up")])
def test_a_finished_tree_decides_the_same_with_no_more_nodes(game: str, agent: str, seed: int) -> None:
    found, rng = registry.game(game), np.random.default_rng(seed)
    student = lowering._Tree(found, 5, None, 0)
    low, high = np.array(found.observation.low), np.array(found.observation.high)
    rows = rng.uniform(low, high, (500, len(low))).astype(np.float32)
    states = Labelled(rows, cl.load_agent(game, agent)(rows), np.ones(500))
    tensors = student.fit(states)
    changed = student.changing(states, rng)
    for _ in range(30):
        tensors = changed(tensors)
    finished = student.finished(tensors)
    metadata = {"family": "tree", "layer": "symbolic", "head": student.head, "version": "1"}
    before, after = (Agent(AgentFile("a", found, metadata, t), "auto", None, 0) for t in (tensors, finished))
    near = np.concatenate(
        [
            rows,
            *(
                np.where(np.arange(len(low)) == f, t, rows[:40])
                for f, t in zip(tensors["feature"], tensors["threshold"], strict=True)
                if f >= 0
            ),
        ]
    ).astype(np.float32)
    assert_same(after(near), before(near))
    assert len(finished["left"]) <= len(tensors["left"])
    for left, right in zip(finished["left"], finished["right"], strict=True):
        if left != -1 and finished["left"][left] == finished["left"][right] == -1:
            assert (finished["leaf"][left] != finished["leaf"][right]).any()


def test_numbers_of_the_result_are_short() -> None:
    file = small().file
    for threshold in file.tensors["threshold"][file.tensors["left"] != -1]:
        assert threshold == np.float32(f"{threshold:.3g}")


@pytest.mark.parametrize(
    ("game", "agent", "head"),
    [(GAME, "pd", "threshold"), ("MountainCar-v0", "swing", "argmax"), ("Pendulum-v1", "swing-up", "box")],
)
@infinite_bounds
def test_linear_students(game: str, agent: str, head: str) -> None:
    found = lower(agent, game, "linear", rounds=2, evaluations=63)
    assert (found.file.family.stem, found.file.head, found.file.layer) == ("linear", head, "subsymbolic")
    if game == GAME:
        assert found.returns[1].mean() >= 495


@pytest.mark.parametrize(
    ("game", "agent", "head"),
    [(GAME, "pd", "threshold"), ("MountainCar-v0", "swing", "argmax"), ("Pendulum-v1", "swing-up", "box")],
)
@infinite_bounds
def test_students_that_are_networks(game: str, agent: str, head: str) -> None:
    found = lower(agent, game, "mlp", layers=[6], rounds=1, evaluations=0)
    file = found.file
    assert (file.family.stem, file.head, file.layer) == ("mlp", head, "subsymbolic")
    assert file.choices == {"activation": "tanh"}
    assert file.tensors["W0"].shape == (6, len(lowering.observation_names(file.game)))
    assert "--to mlp --layers 6 --seed 0" in file.metadata["command"]
    assert file.metadata["blas"]
    assert found.returns[1].mean() >= {GAME: 495, "MountainCar-v0": -110}.get(game, -math.inf)


@pytest.mark.parametrize("game", [GAME, "MountainCar-v0", "Pendulum-v1"])
def test_a_network_is_scikit_learns(monkeypatch: pytest.MonkeyPatch, game: str) -> None:
    """Scaling and the scores of the actions are folded into its layers."""
    found = registry.game(game)
    kinds = neural_network.MLPClassifier, neural_network.MLPRegressor
    fits: list[Any] = []
    for kind in kinds:
        fit = kind.fit
        monkeypatch.setattr(kind, "fit", lambda self, *given, fit=fit: fits.append(self) or fit(self, *given))
    rng = np.random.default_rng(0)
    space = found.observation
    low, high = (np.clip(bound, -3, 3) for bound in (space.low, space.high))
    rows = rng.uniform(low, high, (300, space.size)).astype(np.float32)
    teacher = {GAME: "pd", "MountainCar-v0": "swing", "Pendulum-v1": "swing-up"}[game]
    states = Labelled(rows, cl.load_agent(game, teacher)(rows), np.ones(300))
    student = lowering._Mlp(found, [5, 4], 0)
    metadata = {"family": "mlp", "layer": "subsymbolic", "version": "1", "head": student.head}
    file = AgentFile("student", found, metadata | {"activation": "tanh"}, student.fit(states))
    actions = Agent(file, "auto", None, seed=0)(rows)
    scaled, *_ = lowering._of_like_size(states)
    (fitted,) = fits
    expected = fitted.predict(scaled)
    if actions.dtype == np.int64:
        assert (actions == expected).mean() > 0.99  # float32 rounds
    else:
        assert actions[:, 0] == pytest.approx(np.clip(expected, -2, 2), abs=1e-3)


def test_actions_that_were_never_seen_are_never_taken() -> None:
    known, score, constant = np.array([0, 2]), np.array([[1.0, 2.0]]), np.array([0.5])
    weights, biases = lowering._placed(3, known, score, constant)
    for x in np.random.default_rng(0).normal(size=(50, 2)):
        assert (weights @ x + biases).argmax() == (2 if score[0] @ x + constant[0] > 0 else 0)


@pytest.mark.parametrize("game", ["FrozenLake-v1", "Blackjack-v1"])
def test_a_table_does_what_the_teacher_does(game: str) -> None:
    agent = {"FrozenLake-v1": "arrows", "Blackjack-v1": "basic-strategy"}[game]
    found = lower(agent, game, "table", rounds=1)
    assert_same(found.file.tensors, agent_file(game, agent).tensors)
    assert found.stopped == "as good as the teacher"


def test_an_own_table_is_lowered_too(tmp_path: Path) -> None:
    """A corridor: right, right, right."""
    steps = [[(1.0, max(s - 1, 0), -1.0, False)] for s in range(3)]
    P = [[steps[s], [(1.0, min(s + 1, 2), -1.0, s == 2)]] for s in range(3)]  # noqa: N806
    game = cl.TabularGame(P, [1.0, 0.0, 0.0], "Corridor", 20)
    metadata = {"family": "table", "layer": "algorithm", "head": "vote", "version": "1"}
    AgentFile("right", game, metadata, {"actions": np.ones(3, np.int64)}).save(tmp_path / "right.safetensors")
    found = lower(tmp_path / "right.safetensors", game)
    assert found.values == (-3.0, -3.0)
    assert readable(found.file) == "action = 1"


# ---- when it stops ----


def test_it_stops_at_the_teachers_return() -> None:
    found = lower("pd", GAME, depth=4)
    assert found.stopped == "as good as the teacher"
    assert [at.best < at.goal for at in found.progress[:-1]] == [True] * (len(found.progress) - 1)
    assert found.progress[-1].best == found.progress[-1].goal == 500


@pytest.mark.parametrize(("evaluations", "spent"), [(0, 0), (62, 0), (63, 63), (130, 126)])
def test_the_budget_of_evaluations(evaluations: int, spent: int) -> None:
    found = small(evaluations=evaluations)
    assert found.stopped == "evaluations"
    assert found.progress[-1].evaluations == spent
    assert [at.rounds for at in found.progress][:2] == [1, 2]


def test_the_budget_of_seconds_becomes_counts_in_the_command() -> None:
    found = small(seconds=1e-9)
    assert found.stopped == "seconds"
    assert found.file.metadata["command"].endswith("--rounds 1 --evaluations 0")
    again = small(rounds=1, evaluations=0)
    assert_same(again.file.tensors, found.file.tensors)
    assert again.file.metadata == found.file.metadata


def test_progress_only_rises() -> None:
    shown: list[lowering.Progress] = []
    found = small(report=shown.append)
    assert shown == found.progress
    for name in ("seconds", "steps", "rounds", "evaluations", "best"):
        values = [getattr(at, name) for at in shown]
        assert values == sorted(values)


@pytest.mark.parametrize(
    ("name", "call"), [("rollout", 3), ("rollout_population", 1), ("rollout_population", 2)]
)
def test_ctrl_c_keeps_the_best_so_far(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, call: int
) -> None:
    file = tmp_path / "kept.safetensors"
    asked = "swing --game MountainCar-v0 --to tree --depth 2 --rounds 2 --evaluations 150"
    with monkeypatch.context() as patch:
        interrupt_call(patch, name, call)
        done = run(*shlex.split(asked), "--save", str(file))
    assert done.exit_code == 130
    assert "stopped: interrupted" in done.output
    kept = agent_file("MountainCar-v0", file)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, shlex.split(kept.metadata["command"])[1:])
    assert done.exit_code == 0, done.output
    assert_same(agent_file("MountainCar-v0", file).tensors, kept.tensors)


@pytest.mark.parametrize("call", [1, 2])
def test_ctrl_c_in_the_first_round_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: int
) -> None:
    interrupt_call(monkeypatch, "rollout", call)
    file = tmp_path / "none.safetensors"
    assert run("swing", "--game", "MountainCar-v0", "--save", str(file)).exit_code == 130
    assert not file.exists()


# ---- the report ----


def rule(file: AgentFile, row: np.ndarray[Any, Any]) -> Any:
    """The action that the readable form gives, run as Python."""
    known: dict[str, Any] = dict(zip(lowering.observation_names(file.game), row, strict=True))
    exec(readable(file), {}, known)
    return known["action"]


@pytest.mark.parametrize(
    ("game", "agent"),
    [(GAME, "tree-2"), (GAME, "pd"), *(e for e in LOWERED if agent_file(*e).head == "vote")],
)
def test_the_readable_form_is_the_agent(game: str, agent: str) -> None:
    file, space = agent_file(game, agent), registry.game(game).observation
    if isinstance(space, Box):
        low, high = (np.clip(np.array(bound), -3, 3) for bound in (space.low, space.high))
        rows = np.random.default_rng(0).uniform(low, high, (200, len(low))).astype(np.float32)
    else:
        rows = np.arange(space.n)
    actions = cl.load_agent(game, agent)(rows)
    assert [rule(file, np.atleast_1d(row)) for row in rows] == actions.tolist()


def test_readable_forms() -> None:
    assert readable(agent_file(GAME, "tree-2")).split("\n")[:3] == [
        "if theta > 0.0:",
        "    if theta_dot > -0.5:",
        "        action = 1",
    ]
    assert readable(agent_file(GAME, "linear")).startswith("action = argmax(\n")
    assert readable(agent_file("FrozenLake-v1", "arrows")).startswith("state 0: action = 0\n")
    assert (
        readable(agent_file(GAME, "mlp-16"))
        == "family mlp, head argmax: W0 (16, 4), b0 (16,), W1 (2, 16), b1 (2,)"
    )


@pytest.mark.parametrize("id", registry.games())
def test_every_number_of_an_observation_has_a_name(id: str) -> None:
    game = registry.game(id)
    names = lowering.observation_names(game)
    assert (
        len(names) == len(set(names)) == (game.observation.size if isinstance(game.observation, Box) else 1)
    )
    assert "obs[0]" not in names


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("tree-2", "2 comparisons"),
        ("pd", "4 multiply-adds"),
        ("mlp-64x64", "4,480 multiply-adds"),
        ("always-right", "none"),
    ],
)
def test_operations(agent: str, expected: str) -> None:
    assert operations(agent_file(GAME, agent)) == expected


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = run(
        *shlex.split("swing --game MountainCar-v0 --depth 2 --rounds 1 --evaluations 63 --json"), str(file)
    )
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    assert set(found) == {
        *("schema", "game", "conditions", "metadata", "stopped", "seconds", "steps", "rounds", "evaluations"),
        *("before", "after", "difference_mean", "difference_interval_95", "readable"),
    }
    assert (found["schema"], found["game"]) == ("compute_layers/lower/1", "MountainCar-v0")
    for side, family in (("before", agent_file("MountainCar-v0", "swing").family.stem), ("after", "tree")):
        assert set(found[side]) == {
            *("agent", "family", "episodes", "return_mean", "return_interval_95", "return_computed"),
            *("level", "ns_per_decision", "bytes", "operations"),
        }
        assert found[side]["family"] == family
        assert found[side]["episodes"] == 1000
        assert found[side]["return_computed"] is None
        assert found[side]["ns_per_decision"]["median"] > 0
    means = [found[side]["return_mean"] for side in ("before", "after")]
    assert found["difference_mean"] == pytest.approx(means[1] - means[0])
    assert found["metadata"]["command"] == (
        "compute-layers lower swing --game MountainCar-v0 --to tree --depth 2 --seed 0 --rounds 1 --evaluations 63"
    )


def test_a_pipe_gets_plain_text() -> None:
    done = run("arrows", "--game", "FrozenLake-v1", "--leaves", "8")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert all("round " in line and "return" in line for line in done.stderr.splitlines())
    for words in (
        "arrows to lowered",
        "return ± 95 %",
        "computed",
        "% of the time",
        "if state > ",
        "--leaves 8",
    ):
        assert words in done.stdout


def test_a_saved_file_plays_its_recorded_return_at_every_level(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    done = run(
        *shlex.split("swing --game MountainCar-v0 --depth 3 --rounds 1 --evaluations 63 --save"), str(file)
    )
    assert done.exit_code == 0, done.output
    saved = agent_file("MountainCar-v0", file)
    assert (saved.name, saved.layer, saved.family.stem) == ("mine", "symbolic", "tree")
    assert saved.metadata["command"].endswith("--evaluations 63 --save mine.safetensors")
    assert str(tmp_path) not in saved.metadata["command"]
    for level in served("MountainCar-v0")[1:]:
        agent = Agent(saved, level.name, level.isa, seed=0)
        again = AgentFile(saved.name, saved.game, saved.metadata, saved.tensors)
        again.note_returns(
            cl.rollout("MountainCar-v0", agent, episodes=1000, level=level.name, isa=level.isa).returns
        )
        assert again.metadata["return"] == saved.metadata["return"]


# ---- bad input ----


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"game": "CartPol-v1"}, "did you mean 'CartPole-v1'"),
        ({"agent": "pdd"}, "agent of CartPole-v1 is 'pdd'; allowed: .*did you mean 'pd'"),
        ({"agent": "random"}, "agent is 'random', which draws its actions"),
        ({"to": "forrest"}, "to is 'forrest'; allowed: tree, linear, mlp, table"),
        ({"to": "table"}, "to is 'table'; the observations of CartPole-v1 are vectors of numbers"),
        (
            {"agent": "arrows", "game": "FrozenLake-v1", "to": "linear"},
            "to is 'linear'; .* the numbers of states",
        ),
        ({"to": "linear", "layers": [3]}, "layers is \\[3\\]; allowed: None, family linear has no layers"),
        ({"to": "mlp", "layers": [0]}, "a number in layers is 0; allowed: 1 to 4096"),
        ({"agent": "always-right", "to": "mlp"}, "the teacher takes action 1 in every state"),
        ({"to": "linear", "depth": 3}, "depth is 3, leaves is None; allowed: None"),
        ({"depth": 0}, "depth is 0; allowed: 1 to 32"),
        ({"depth": 33}, "depth is 33; allowed: 1 to 32"),
        ({"leaves": 1}, "leaves is 1; allowed: 2 to 65536"),
        ({"seed": -1}, "seed is -1; allowed: 0 to 4294967295"),
        ({"rounds": 0}, "rounds is 0; allowed: 1 to 1000"),
        ({"evaluations": -1}, "evaluations is -1; allowed: 0 to"),
        ({"seconds": 0.0}, "seconds is 0.0; allowed: more than 0"),
        ({"seconds": float("nan")}, "seconds is nan; allowed: more than 0"),
        ({"agent": "always-right", "to": "linear"}, "the teacher takes action 1 in every state"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lower(**{"agent": "pd", "game": GAME, **arguments})


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 0.5), ("depth", "4"), ("rounds", 1.0), ("evaluations", 1e3)]
)
def test_bad_types(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"{name} is .*; allowed: an int"):
        lower("pd", GAME, **{name: value})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "forest"), "to is 'forest'; allowed: tree, linear, mlp, table"),
        (("--save", "agent.bin"), "allowed: a name that ends in .safetensors"),
        (("--save", "/no/such/x.safetensors"), "there is no directory '/no/such'"),
        (("--json", "/no/such/x.json"), "there is no directory '/no/such'"),
    ],
)
def test_bad_options_are_one_line_and_exit_2(arguments: tuple[str, ...], words: str) -> None:
    done = run("pd", "--game", GAME, *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        DependencyNotInstalled, match=r"scikit-learn .*: pip install 'compute_layers\[lower\]'"
    ):
        lower("pd", GAME)
    done = run("pd", "--game", GAME)
    assert done.exit_code == 2
    assert "compute_layers[lower]" in done.stderr


# ---- the agents that are shipped ----

REACHED = {  # at least; where a table defines the game, what is computed, else the mean of seeds 0 to 999
    (GAME, "lowered-2"): 500.0,
    ("MountainCar-v0", "lowered-3"): -105.0,
    ("Acrobot-v1", "lowered-2"): -86.0,
    ("FrozenLake-v1", "lowered-3"): 0.730,
    ("Taxi-v4", "lowered-7"): 7.9,
}


def test_what_is_shipped() -> None:
    assert set(LOWERED) == set(REACHED)
    assert {agent_file(*entry).layer for entry in LOWERED} == {"symbolic"}
    for entry, depth in (
        ((GAME, "lowered-2"), 2),
        (("MountainCar-v0", "lowered-3"), 3),
        (("Acrobot-v1", "lowered-2"), 2),
    ):
        assert int(operations(agent_file(*entry)).split()[0]) <= depth
    assert np.count_nonzero(agent_file("FrozenLake-v1", "lowered-3").tensors["left"] == -1) <= 8


@pytest.mark.parametrize("entry", REACHED, ids="/".join)
def test_a_lowered_agent_plays_well(entry: tuple[str, str]) -> None:
    file = agent_file(*entry)
    if file.game.default.table is not None:
        teacher = file.metadata["teacher"]
        assert source_of(entry[0], teacher).value(file) >= REACHED[entry]
    else:
        assert cl.rollout(*entry, episodes=1000).returns.mean() >= REACHED[entry]


@pytest.mark.parametrize("entry", LOWERED, ids="/".join)
def test_the_command_in_a_shipped_file_makes_it_again(
    entry: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = agent_file(*entry)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, shlex.split(shipped.metadata["command"])[1:])
    assert done.exit_code == 0, done.output
    made = agent_file(entry[0], tmp_path / f"{entry[1]}.safetensors")
    if made.metadata["packages"] != shipped.metadata["packages"]:
        pytest.skip(f"packages here: {made.metadata['packages']}; the file's: {shipped.metadata['packages']}")
    assert_same(made.tensors, shipped.tensors)
    assert made.metadata == shipped.metadata
