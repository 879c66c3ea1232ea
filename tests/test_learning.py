# SPDX-License-Identifier: MIT
"""Learning of tables: the same bytes at every level and as NumPy computes them on Gymnasium's environments, what is
refused, and the agents that are shipped."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import compute_layers as cl
from compute_layers import _core, learning, registry
from compute_layers.agents import agent_file
from compute_layers.cli import app
from compute_layers.learners import temporal_difference as td
from compute_layers.learning import LANES, Learned, Learning, learn
from compute_layers.planning import exact_return, optimal_return
from compute_layers.train import train
from compute_layers.training import temporal_difference
from conftest import LEVELS, Array, assert_same, ctrl_c_soon

EVERY_GAME = True
METHODS = ["q-learning", "sarsa"]
GAMES = [id for id in registry.games() if not learning.refusal(registry.game(id))]
NATIVE = [level for level in LEVELS if level.isa in registry.learner("sarsa").isas.get(level.name, ())]
SHIPPED = [(id, name) for id in GAMES for name in METHODS]


def at_level(game: str | cl.TabularGame, method: str, level: cl.Level, **arguments: Any) -> dict[str, Any]:
    """What does not depend on the level."""
    found = learn(game, method, level=level.name, isa=level.isa, **arguments)
    assert (found.level, found.isa) == (level.name, level.isa)
    assert found.seconds > 0
    return outcome(found)


def outcome(found: Learned) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("values", "actions", "steps", "episodes")}


def random_table(
    states: int, actions: int, seed: int = 0, rewards: Callable[..., Any] = np.random.Generator.normal
) -> cl.TabularGame:
    """Rows of two outcomes; one in ten ends the episode."""
    rng = np.random.default_rng(seed)

    def row() -> list[tuple[float, int, float, bool]]:
        p = float(rng.integers(1, 8)) / 8
        return [
            (q, int(rng.integers(states)), float(rewards(rng)), bool(rng.random() < 0.1)) for q in (p, 1 - p)
        ]

    P = [[row() for _ in range(actions)] for _ in range(states)]  # noqa: N806 - Gymnasium's name
    return cl.TabularGame(P, rng.dirichlet(np.ones(states)).tolist(), max_episode_steps=20)


# ---- the same bytes at every level ----


@pytest.mark.emulate
def test_native_levels_are_written() -> None:
    assert registry.learners().keys() == {"q_learning", "sarsa"}
    for learner in registry.learners().values():
        assert "baseline" in learner.isas["cpp"]
        assert learner.isas["asm"]
    assert NATIVE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "id", [pytest.param(id, marks=[pytest.mark.emulate] * (id == "Taxi-v4")) for id in GAMES]
)
def test_the_levels_agree_on_games(id: str, method: str) -> None:
    expected = at_level(id, method, LEVELS[0], seed=1, steps=3000, alpha=0.7)
    assert (expected["values"] != 0).any() or id == "FrozenLake8x8-v1"  # whose goal is far
    for level in NATIVE:
        assert_same(at_level(id, method, level, seed=1, steps=3000, alpha=0.7), expected, id, level)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": 2**32 - 1},
        {"alpha": 1.0, "epsilon": 0.0},
        {"alpha": 1 / 3, "gamma": 0.0},
        {"epsilon": 0.3, "gamma": 1.0},
        {"alpha": 0.0},
        {"steps": 1},
        {"is_rainy": True},
    ],
)
def test_the_levels_agree_on_settings(arguments: dict[str, Any], method: str) -> None:
    arguments = {"seed": 0, "steps": 2000, "alpha": 0.5, **arguments}
    expected = at_level("Taxi-v4", method, LEVELS[0], **arguments)
    for level in NATIVE:
        assert_same(at_level("Taxi-v4", method, level, **arguments), expected, arguments, level)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("actions", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("states", [1, 5, 40])
def test_the_levels_agree_on_tables(states: int, actions: int, method: str) -> None:
    game = random_table(states, actions, seed=states * 10 + actions)
    expected = at_level(game, method, LEVELS[0], seed=3, steps=1500, alpha=0.6, epsilon=0.4)
    for level in NATIVE:
        found = at_level(game, method, level, seed=3, steps=1500, alpha=0.6, epsilon=0.4)
        assert_same(found, expected, states, actions, level)


@given(
    seed=st.integers(0, 2**32 - 1),
    actions=st.integers(1, 8),
    alpha=st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0),
    gamma=st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0),
    epsilon=st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0),
    method=st.sampled_from(METHODS),
)
@settings(max_examples=30)
def test_the_levels_agree_on_any_numbers(
    seed: int, actions: int, alpha: float, gamma: float, epsilon: float, method: str
) -> None:
    """Rewards of both signs and sizes: zeros, denormals, some that drown the others."""
    odd = [0.0, -0.0, 1.0, -1.0, 5e-324, -1e-310, 1e300, -1e300, 0.1]
    game = random_table(6, actions, seed, lambda rng: odd[rng.integers(len(odd))])
    arguments = {"seed": seed, "steps": 600, "alpha": alpha, "gamma": gamma, "epsilon": epsilon}
    expected = at_level(game, method, LEVELS[0], **arguments)
    for level in NATIVE:
        assert_same(at_level(game, method, level, **arguments), expected, level)


@pytest.mark.parametrize("method", METHODS)
def test_game_and_learner_at_different_levels(method: str) -> None:
    found = []
    for game_level in (LEVELS[0], NATIVE[-1]):
        for level in (LEVELS[0], NATIVE[-1]):
            made = Learning("Blackjack-v1", method, seed=0, steps=900, level=game_level.name)
            stem = method.replace("-", "_")
            again = _core.Learning(
                batch=made.batch,
                learner=stem,
                level=level.name,
                isa=level.isa,
                rule=learning.LearnerInterpreter(registry.learner(stem)) if level.isa is None else None,
                alpha=0.5,
                gamma=1.0,
                epsilon=0.5,
                steps=30,
                seed=7,
            )
            again.run(30)
            found.append(again.values())
    for other in found[1:]:
        assert_same(other, found[0])


@pytest.mark.parametrize("method", METHODS)
def test_piece_by_piece_is_the_same(method: str) -> None:
    whole = learn("FrozenLake-v1", method, seed=5, steps=100 * LANES)
    pieces = Learning("FrozenLake-v1", method, seed=5, steps=100 * LANES)
    for steps in (1, 2, 30, 66, 500):
        pieces.run(steps)
    assert_same(pieces.table(), whole.values)
    assert (pieces.done, pieces.episodes) == (100, whole.episodes)
    pieces.run(1)
    assert pieces.done == 100


# ---- against NumPy on Gymnasium's environments ----


def by_numpy(
    id: str, method: str, rounds: int, alpha: float, gamma: float, epsilon: float, seed: int
) -> tuple[Array, int, float]:
    """The table, the number of episodes that ended, and the sum of their returns."""
    envs: Any = gym.make_vec(
        id, LANES, vectorization_mode="sync", vector_kwargs={"autoreset_mode": "NextStep"}
    )
    space, actions = envs.single_observation_space, int(envs.single_action_space.n)
    sizes = [part.n for part in space] if isinstance(space, gym.spaces.Tuple) else [space.n]

    def number(observation: Any) -> Array:
        return np.ravel_multi_index(observation if len(sizes) > 1 else (observation,), sizes)

    draws = np.random.default_rng(seed).random((rounds, LANES))
    q = np.zeros((int(np.prod(sizes)), actions))
    observation, _ = envs.reset(seed=2**32)
    before: list[tuple[int, int] | None] = [None] * LANES
    rewards = np.zeros(LANES)
    terminated = truncated = np.zeros(LANES, bool)
    episodes, total, running = 0, 0.0, np.zeros(LANES)
    for t in range(rounds):
        left = 1.0 - t / rounds
        states = number(observation)
        greedy = q[states].argmax(axis=1)
        part, whole = np.modf(draws[t] * actions)
        chosen = np.where(part < epsilon * left, whole.astype(np.int64), greedy)
        value = q[states, greedy if method == "q-learning" else chosen]
        targets = rewards + np.where(terminated, 0.0, gamma * value)
        for lane in range(LANES):
            if before[lane] is not None:
                q[before[lane]] += (alpha * left) * (targets[lane] - q[before[lane]])
        over = terminated | truncated
        before = [None if over[i] else (int(states[i]), int(chosen[i])) for i in range(LANES)]
        observation, rewards, terminated, truncated, _ = envs.step(chosen)
        running += rewards
        ended = terminated | truncated
        episodes, total = episodes + int(ended.sum()), total + float(running[ended].sum())
        running[ended] = 0.0
    envs.close()
    return q, episodes, total


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("id", GAMES)
def test_the_table_is_what_numpy_makes_of_gymnasiums_environments(id: str, method: str) -> None:
    rounds = 260  # more than the limits of Taxi and FrozenLake
    expected, episodes, total = by_numpy(id, method, rounds, 0.3, 0.9, 0.8, seed=11)
    found = Learning(id, method, seed=11, steps=rounds * LANES, alpha=0.3, gamma=0.9, epsilon=0.8)
    found.run(rounds)
    assert_same(found.table(), expected, id, method)
    assert found.episodes == episodes
    assert found.total == pytest.approx(total, rel=1e-12)  # the order of the sum


# ---- the specification ----


@pytest.mark.parametrize("actions", range(1, 9))
def test_one_number_is_an_action_and_a_chance(actions: int) -> None:
    """At both ends of the range, and in the mean over it."""
    row = [0.0] * actions
    assert td.choose(row, 1.0, 0.0) == (0, 0)
    assert td.choose(row, 1.0, 1.0 - 2.0**-53) == (0, actions - 1)
    grid = (np.arange(80 * actions) + 0.5) / (80 * actions)
    row = [-1.0] * (actions - 1) + [1.0]
    random = [td.choose(row, 1.0, u)[1] for u in grid]
    assert np.bincount(random).tolist() == [80] * actions
    quarter = [td.choose(row, 0.25, u)[1] for u in grid]
    assert quarter.count(actions - 1) == 60 * actions + 20
    assert all(td.choose(row, 0.0, u) == (actions - 1, actions - 1) for u in grid)


def test_of_equal_values_the_first_is_greedy() -> None:
    assert [td.choose(row, 0.0, 0.9)[0] for row in ([1.0, 1.0], [0.0, 2.0, 2.0], [-0.0, 0.0])] == [0, 1, 0]


def test_an_update_by_hand() -> None:
    assert td.target(4.0, 1.0, False, 0.5) == 3.0
    assert td.target(4.0, 1.0, True, 0.5) == 1.0
    assert td.update(1.0, 3.0, 0.25) == 1.5


def test_they_differ_in_what_they_learn_while_they_explore() -> None:
    """Along the cliff Q-learning learns the shortest way, SARSA the one that survives its exploration."""
    arguments: dict[str, Any] = {"seed": 0, "steps": 200_000, "alpha": 0.5, "epsilon": 0.4, "gamma": 1.0}
    values = {method: learn("CliffWalking-v1", method, **arguments).values for method in METHODS}
    start = 36
    assert values["q-learning"][start].max() == pytest.approx(-13.0, abs=1e-3)
    assert values["sarsa"][start].max() < -15.0


# ---- what is refused ----


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"game": "FrozenLake"}, "did you mean 'FrozenLake-v1'"),
        ({"game": "CartPole-v1"}, "game is 'CartPole-v1'; allowed: FrozenLake-v1, .*cannot be numbered"),
        ({"method": "sarsas"}, "method is 'sarsas'; allowed: q-learning, sarsa; did you mean 'sarsa'"),
        ({"method": None}, "method is None; allowed: q-learning, sarsa"),
        ({"seed": -1}, "seed is -1; allowed: 0 to 4294967295"),
        ({"steps": 0}, "steps is 0; allowed: 1 to"),
        ({"alpha": 1.5}, "alpha is 1.5; allowed: from 0 to 1"),
        ({"gamma": float("nan")}, "gamma is nan; allowed: from 0 to 1"),
        ({"gamma": 10**400}, "gamma is inf; allowed: from 0 to 1"),
        ({"epsilon": -0.1}, "epsilon is -0.1; allowed: from 0 to 1"),
        ({"level": "asm", "isa": "baseline"}, "not available for learner q_learning"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], match: str) -> None:
    error = cl.LevelUnavailable if "level" in arguments else ValueError
    with pytest.raises(error, match=match):
        learn(**{"game": "FrozenLake-v1", "method": "q-learning", "seed": 0, "steps": 64, **arguments})


@pytest.mark.parametrize("name", ["alpha", "gamma", "epsilon"])
def test_bad_types(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is 'x'; allowed: a number from 0 to 1"):
        learn("FrozenLake-v1", "sarsa", seed=0, steps=64, **{name: "x"})


def test_nine_actions_are_too_many() -> None:
    with pytest.raises(ValueError, match="9 actions and a table at most 8"):
        learn(random_table(3, 9), "sarsa", seed=0, steps=64)


def test_values_that_overflow_are_refused() -> None:
    game = cl.TabularGame([[[(1.0, 0, 1e308, False)]]], [1.0])
    for level in (LEVELS[0], *NATIVE):
        with pytest.raises(ValueError, match="rewards so large that the values overflow"):
            learn(game, "q-learning", seed=0, steps=3000, alpha=1.0, level=level.name, isa=level.isa)


def test_the_native_core_checks_what_it_is_given() -> None:
    batch = Learning("FrozenLake-v1", "sarsa", seed=0).batch
    good: dict[str, Any] = {
        **{"batch": batch, "learner": "sarsa", "level": "cpp", "isa": "baseline", "rule": None},
        **{"alpha": 0.5, "gamma": 0.5, "epsilon": 0.5, "steps": 10, "seed": 0},
    }
    for name, value in [("alpha", 2.0), ("gamma", float("nan")), ("epsilon", -1.0), ("steps", 0)]:
        with pytest.raises(ValueError, match="cannot be learned from, or not with these numbers"):
            _core.Learning(**{**good, name: value})
    with pytest.raises(RuntimeError, match=r"no kernel asm\[baseline\] for sarsa"):
        _core.Learning(**{**good, "level": "asm"})
    with pytest.raises(KeyError, match="'table' is not in the registry"):
        _core.Learning(**{**good, "learner": "table"})
    with pytest.raises(ValueError, match="steps must be at least 1"):
        _core.Learning(**good).run(0)


def test_learning_is_for_one_call_at_a_time() -> None:
    batch = Learning("FrozenLake-v1", "sarsa", seed=0).batch
    inside: list[Any] = []

    def rule(step: Any) -> None:
        for call in (running.values, batch.observations, lambda: running.run(1)):
            with pytest.raises(RuntimeError, match="in use by another call"):
                call()
            inside.append(call)

    rates = {"alpha": 0.5, "gamma": 0.5, "epsilon": 0.5, "steps": 1, "seed": 0}
    running = _core.Learning(batch=batch, learner="sarsa", level="python", isa=None, rule=rule, **rates)
    running.run(1)
    assert len(inside) == 3


def test_rules_that_show_what_is_no_observation_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.game("FrozenLake-v1").rules, "observe", lambda p, s: (16,))
    learning = Learning("FrozenLake-v1", "sarsa", seed=0, level="python")
    with pytest.raises(IndexError, match="an observation of the game is not of its observation space"):
        learning.run(1)


@pytest.mark.parametrize("level", [LEVELS[0], NATIVE[-1]], ids=str)
def test_ctrl_c_ends_learning(level: cl.Level) -> None:
    learning = Learning("Taxi-v4", "q-learning", seed=0, steps=10**15, level=level.name, isa=level.isa)
    with ctrl_c_soon(), pytest.raises(KeyboardInterrupt):
        learning.run(10**13)
    assert learning.done > 0
    assert learning.table().shape == (500, 6)


# ---- training ----


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["train", *arguments])


def interrupt_slice(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Ctrl-C in this slice, counted from 1."""
    calls: Iterator[int] = iter(range(1, 1000))

    class Interrupted(Learning):
        def run(self, steps: int) -> float:
            if next(calls) == number:
                raise KeyboardInterrupt
            return super().run(steps)

    monkeypatch.setattr(temporal_difference, "Learning", Interrupted)


@pytest.mark.parametrize("method", METHODS)
def test_training_gives_the_greedy_policy_of_what_is_learned(method: str) -> None:
    found = train("Taxi-v4", "table", method=method, seed=4, steps=50_000, alpha=0.5)
    learned = learn("Taxi-v4", method, seed=4, steps=50_000, alpha=0.5)
    assert_same(found.file.tensors["actions"], learned.actions)
    assert found.stopped == "steps"
    assert [at.evaluations for at in found.progress] == list(range(1, 21))
    assert found.progress[-1].steps == learned.steps == 50_016
    said = found.file.metadata
    assert (said["family"], said["layer"], said["head"], said["seed"]) == ("table", "symbolic", "vote", "4")
    exact = exact_return("Taxi-v4", learned.actions)
    assert said["exact"] == f"{exact:.6f} expected within 200 steps, {optimal_return('Taxi-v4'):.6f} at best"
    assert said["preparation"].startswith({"q-learning": "Q-learning, ", "sarsa": "SARSA, "}[method])
    assert said["preparation"].endswith(" ms, 50k steps")


def test_ctrl_c_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = ("FrozenLake-v1", "--family", "table", "--seed", "0", "--steps", "20000")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        interrupt_slice(patch, 8)
        done = run(*asked, "--save", "kept.safetensors")
    assert done.exit_code == 130
    assert "stopped: interrupted" in done.output
    kept = agent_file("FrozenLake-v1", tmp_path / "kept.safetensors")
    assert "--steps 20000 --evaluations 7 --save kept.safetensors" in kept.metadata["command"]
    # The command in it makes the same agent without being interrupted.
    assert run(*shlex.split(kept.metadata["command"])[2:]).exit_code == 0
    again = agent_file("FrozenLake-v1", tmp_path / "kept.safetensors")
    assert_same(again.tensors, kept.tensors)
    with monkeypatch.context() as patch:
        interrupt_slice(patch, 1)
        assert run(*asked, "--save", "none.safetensors").exit_code == 130
    assert not (tmp_path / "none.safetensors").exists()


def test_it_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"method": "sarsa", "seed": 2, "steps": 30_000}
    whole = train("Blackjack-v1", "table", **arguments)
    train("Blackjack-v1", "table", evaluations=9, checkpoint=tmp_path / "half", **arguments)
    rest = train("Blackjack-v1", "table", resume=tmp_path / "half", **arguments)
    assert_same(rest.file.tensors, whole.file.tensors)
    assert rest.file.metadata["command"] == whole.file.metadata["command"]
    assert [at.evaluations for at in rest.progress] == list(range(9, 21))
    assert [at.steps for at in rest.progress] == [at.steps for at in whole.progress[8:]]


def test_the_command(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    asked = "--family table --method sarsa --seed 0 --steps 6400 --alpha 0.5 --gamma 0.9 --epsilon 0.2"
    done = run("CliffWalking-v1", *shlex.split(asked), "--json", str(file))
    assert done.exit_code == 0, done.output
    assert all("evaluations" in line and "return" in line for line in done.stderr.splitlines())
    lines = done.stdout.splitlines()
    assert lines[0].startswith("CliffWalking-v1/table: return ")
    assert lines[2] == (
        "compute-layers train CliffWalking-v1 --family table --method sarsa --head vote --seed 0 --steps 6400 "
        "--alpha 0.5 --gamma 0.9 --epsilon 0.2"
    )
    found = json.loads(file.read_text())
    assert (found["stopped"], len(found["progress"])) == ("steps", 20)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ("CartPole-v1 --family table", "CartPole-v1 has observations that cannot be numbered"),
        (
            "FrozenLake-v1 --family linear --method sarsa",
            "family is 'linear'; allowed: table; sarsa learns tables",
        ),
        ("FrozenLake-v1 --family table --method cma-es", "family is 'table'; allowed: "),
        ("FrozenLake-v1 --family table --alpha 2", "alpha is 2.0; allowed: from 0 to 1"),
        ("FrozenLake-v1 --family table --steps 600", "steps is 600; allowed: 640 to"),
        ("FrozenLake-v1 --family table --evaluations 21", "evaluations is 21; allowed: 1 to 20"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: str, match: str) -> None:
    done = run(*shlex.split(arguments), "--seed", "0")
    assert done.exit_code == 2
    assert match in done.stderr
    assert len(done.stderr.splitlines()) == 1


# ---- the agents that are shipped ----

REACHED = {
    "FrozenLake-v1": 0.70,
    "FrozenLake8x8-v1": 0.85,
    "CliffWalking-v1": -13.0,
    "CliffWalkingSlippery-v1": -65.0,
    "Taxi-v4": 7.5,
    "Blackjack-v1": -0.06,
}


def test_there_is_one_of_each_for_every_game() -> None:
    assert REACHED.keys() == set(GAMES)


@pytest.mark.parametrize(("id", "name"), SHIPPED)
def test_a_shipped_agent_reaches_its_bar(id: str, name: str) -> None:
    """How it plays is in tests/test_planning.py, with the other tables."""
    file = agent_file(id, name)
    exact = exact_return(id, file.tensors["actions"])
    assert exact >= REACHED[id]
    assert file.metadata["exact"].startswith(f"{exact:.6f} expected")


@pytest.mark.parametrize(("id", "name"), SHIPPED)
def test_the_command_in_a_shipped_file_makes_it_again(
    id: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = agent_file(id, name)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, shlex.split(shipped.metadata["command"])[1:])
    assert done.exit_code == 0, done.output
    made = agent_file(id, tmp_path / f"{name}.safetensors")
    assert_same(made.tensors, shipped.tensors)
    assert {**made.metadata, "preparation": ""} == {**shipped.metadata, "preparation": ""}
