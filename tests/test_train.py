# SPDX-License-Identifier: MIT
"""Training: what a seed gives, when it stops, what is kept, and the agents that are shipped."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from safetensors import safe_open
from safetensors.numpy import save_file
from typer.testing import CliRunner

import compute_layers as cl
from compute_layers import ladder, registry
from compute_layers import train as training
from compute_layers.agents import Agent, AgentFile, agent_file
from compute_layers.cli import app
from compute_layers.train import METHODS, Training, train, trainable
from compute_layers.training import cma_es, openai_es, population
from compute_layers.training.run import Progress
from conftest import assert_same, served

pytest.importorskip("cmaes", reason="the extra train is not installed")
threadpoolctl = pytest.importorskip("threadpoolctl", reason="the extra train is not installed")

GAME = "CartPole-v1"
TRAINED = [  # tables are in tests/test_learning.py
    (id, name)
    for id in registry.games()
    for name in cl.agents(id)
    if "seed" in agent_file(id, name).metadata and agent_file(id, name).family.stem != "table"
]


def tensors(trained: Training | AgentFile) -> dict[str, Any]:
    return (trained.file if isinstance(trained, Training) else trained).tensors


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["train", *arguments])


def interrupt_call(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Ctrl-C in this call of the native core, counted from 1."""
    play, calls = population.rollout_population, iter(range(1, 1000))

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            raise KeyboardInterrupt
        return play(*args, **kwargs)

    monkeypatch.setattr(population, "rollout_population", interrupted)


# ---- what a seed gives ----


@pytest.mark.parametrize(
    ("family", "layers"), [("linear", None), ("mlp", (8,)), ("mlp", (12, 7)), ("mlp", ())]
)
def test_the_same_seed_gives_the_same_agent(family: str, layers: tuple[int, ...] | None) -> None:
    first, again = (train(GAME, family, layers=layers, seed=3, evaluations=60) for _ in range(2))
    assert_same(tensors(first), tensors(again), "tensors")
    assert_same(first.returns, again.returns, "returns")
    assert [at.evaluations for at in first.progress] == [at.evaluations for at in again.progress]
    other = train(GAME, family, layers=layers, seed=4, evaluations=60)
    assert any((tensors(first)[name] != tensors(other)[name]).any() for name in tensors(first))


def test_neither_threads_nor_the_level_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train(GAME, "mlp", layers=[5], seed=0, evaluations=40)
    for threads in (1, 3):
        for module in (training, population):
            monkeypatch.setattr(module, "cpus", lambda threads=threads: threads)
        assert_same(tensors(train(GAME, "mlp", layers=[5], seed=0, evaluations=40)), tensors(expected))
    for level in served(GAME)[1:]:
        monkeypatch.setenv("COMPUTE_LAYERS_LEVEL", level.name)
        monkeypatch.setenv("COMPUTE_LAYERS_ISA", str(level.isa))
        found = train(GAME, "mlp", layers=[5], seed=0, evaluations=40)
        assert_same(tensors(found), tensors(expected), level)


def test_training_and_evaluation_have_seeds_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[tuple[int, int]] = []  # first and last

    def recorded(play: Callable[..., cl.Rollout]) -> Callable[..., cl.Rollout]:
        def record(*args: Any, episodes: int, seed: int = 0, **kwargs: Any) -> cl.Rollout:
            seeds.append((seed, seed + episodes - 1))
            return play(*args, episodes=episodes, seed=seed, **kwargs)

        return record

    monkeypatch.setattr(population, "rollout_population", recorded(population.rollout_population))
    monkeypatch.setattr(training, "rollout", recorded(training.rollout))
    found = train(GAME, "linear", seed=0, evaluations=30)
    assert seeds[-1] == (0, 999)
    assert all(first >= 2**32 for first, _ in seeds[:-1])
    generations = [span for span in seeds[:-1] if span[0] < 2**33]
    assert generations == [(2**32 + 32 * g, 2**32 + 32 * g + 31) for g in range(len(found.progress))]


def test_the_whole_covariance_for_few_parameters_its_diagonal_for_many() -> None:
    few, many = (
        cma_es.Search(population.Weights({"W": ("float32", (1, n))}, np.ones(n)), seed=0) for n in (100, 101)
    )
    assert (few.method, many.method) == ("CMA-ES", "sep-CMA-ES")


def test_points_and_tensors_fit() -> None:
    units = np.array([1.0, 0.25, 1.0, 0.5])
    weights = population.Weights({"W": ("float32", (2, 4)), "b": ("float32", (2,))}, units)
    points = np.arange(30.0).reshape(3, 10)
    found = weights.tensors(points)
    assert_same(found["W"], (points[:, :8].reshape(3, 2, 4) / 2 / units).astype(np.float32))
    assert_same(found["b"], (points[:, 8:] * 0.1).astype(np.float32))


def test_small_numbers_are_enlarged_where_all_are_bounded() -> None:
    units = {
        id: population.units(registry.game(id)).tolist()
        for id in ("CartPole-v1", "MountainCar-v0", "Pendulum-v1")
    }
    assert units["CartPole-v1"] == [1, 1, 1, 1]
    assert units["MountainCar-v0"] == pytest.approx([0.9, 0.07])
    assert units["Pendulum-v1"] == [1, 1, 1]


# ---- methods ----


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_the_families_that_it_does_not_refuse(name: str) -> None:
    families = [
        stem for stem, family in registry.families().items() if not METHODS[name].refusal(family, None)
    ]
    assert families
    assert set(families) <= set(trainable())


def test_the_default_is_the_first_method_that_takes_the_family() -> None:
    for family, name in {"linear": "cma-es", "mlp": "cma-es", "tree": "threshold-search"}.items():
        found = train(GAME, family, seed=0, evaluations=64)
        named = train(GAME, family, seed=0, evaluations=64, method=name)
        assert_same(tensors(found), tensors(named), "tensors")
        assert found.file.metadata["command"] == named.file.metadata["command"]
        assert "--method" not in found.file.metadata["command"]


@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_openai_es_balances_the_pole(family: str) -> None:
    layers = {"mlp": [16]}.get(family)
    found = train(GAME, family, method="openai-es", layers=layers, seed=0)
    assert found.stopped == "perfect"
    assert found.returns.mean() > 495
    assert "--method openai-es" in found.file.metadata["command"]
    assert found.file.metadata["preparation"].startswith("OpenAI-ES, ")
    assert "blas" not in found.file.metadata


def test_equal_returns_share_their_ranks() -> None:
    ranks = openai_es.centred_ranks(np.array([3.0, 1.0, 3.0, 7.0, 1.0]))
    assert_same(ranks, np.array([2.5, 0.5, 2.5, 4.0, 0.5]) / 4 - 0.5)
    assert_same(openai_es.centred_ranks(np.zeros(4)), np.zeros(4))


def test_openai_es_follows_the_gradient() -> None:
    weights = population.Weights({"W": ("float32", (1, 3))}, np.ones(3))
    search = openai_es.Search(weights, seed=0)
    goal = np.array([1.0, -2.0, 0.5])
    for _ in range(100):
        points = search.ask()["W"][:, 0] / 3**-0.5
        assert_same(points[0], (search.centre * 3**-0.5).astype(np.float32) / 3**-0.5)
        assert points[1:17] + points[17:] == pytest.approx(2 * np.tile(points[0], (16, 1)), abs=1e-5)
        search.tell(-((points - goal) ** 2).sum(axis=1))
    assert search.centre == pytest.approx(goal, abs=0.4)


def test_threshold_search_finds_a_tree() -> None:
    found = train(GAME, "tree", seed=1, depth=2)
    assert (found.stopped, found.file.layer, found.file.head) == ("perfect", "symbolic", "vote")
    assert len(found.file.tensors["left"]) <= 7
    assert found.returns.mean() > 495
    assert "--depth 2" in found.file.metadata["command"]


def test_threshold_search_moves_the_numbers_of_leaves() -> None:
    found = train("Pendulum-v1", "tree", seed=0, depth=3, evaluations=256)
    leaves = found.file.tensors["leaf"][found.file.tensors["left"] == -1]
    assert found.file.head == "box"
    assert leaves.dtype == np.float32
    assert (np.abs(leaves) <= 2).all()
    bests = [at.best for at in found.progress]
    assert bests[-1] > bests[0]


# ---- going on ----


@pytest.mark.parametrize(
    ("name", "family", "options"),
    [
        ("cma-es", "linear", {}),
        ("cma-es", "mlp", {"layers": (20,)}),
        ("openai-es", "mlp", {"layers": (4,)}),
        ("threshold-search", "tree", {"depth": 2}),
    ],
)
def test_going_on_is_as_good_as_never_to_have_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, family: str, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(population, "EPISODES", 4)
    monkeypatch.setattr(population, "VERIFICATION", 8)
    monkeypatch.setattr(training, "EVALUATION", 8)
    asked = {"game": "Acrobot-v1", "family": family, "method": name, "seed": 5, **options}
    file, *both = (tmp_path / f"{name}.checkpoint" for name in ("run", "rest", "whole"))
    whole = train(**asked, evaluations=300, checkpoint=both[1])
    for budget in (100, 101, 200):
        train(**asked, evaluations=budget, resume=file if file.exists() else None, checkpoint=file)
    rest = train(**asked, evaluations=300, resume=file, checkpoint=both[0])
    assert len(rest.progress) < len(whole.progress)
    assert_same(tensors(rest), tensors(whole), "tensors")
    assert_same(rest.returns, whole.returns, "returns")
    for entry in ("command", "steps", "evaluations"):
        assert rest.file.metadata[entry] == whole.file.metadata[entry]
    assert content(both[0]) == content(both[1])


def content(path: Path) -> dict[str, Any]:
    """Of a checkpoint, but for the time that was spent."""
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found: dict[str, Any] = {
            name: (str(array.dtype), array.shape, array.tobytes()) for name, array in arrays.items()
        }
        said = file.metadata()
        return found | said | {"progress": json.loads(said["progress"]) | {"seconds": 0.0}}


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = (GAME, "--family", "linear", "--seed", "2")
    kept = ("--checkpoint", str(tmp_path / "run.checkpoint"))
    with monkeypatch.context() as patch:
        interrupt_call(patch, 6)
        assert run(*asked, *kept).exit_code == 130
    saved = tmp_path / "agent.safetensors"
    done = run(*asked, "--evaluations", "60", "--resume", kept[1], "--save", str(saved))
    assert done.exit_code == 0, done.output
    whole = train(GAME, "linear", seed=2, evaluations=60)
    file = agent_file(GAME, saved)
    assert_same(tensors(file), tensors(whole), "tensors")
    assert file.metadata["command"] == f"{whole.file.metadata['command']} --save agent.safetensors"


def test_what_was_over_stays_over(tmp_path: Path) -> None:
    file = tmp_path / "run.checkpoint"
    first = train(GAME, "linear", seed=0, checkpoint=file)
    again = train(GAME, "linear", seed=0, evaluations=20_000, resume=file)
    assert (first.stopped, again.stopped) == ("perfect", "perfect")
    assert_same(tensors(first), tensors(again), "tensors")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of CartPole-v1's linear, seed 0, after 20 evaluations."""
    path = tmp_path_factory.mktemp("checkpoint") / "run.checkpoint"
    train(GAME, "linear", seed=0, evaluations=20, checkpoint=path)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": 1}, "a checkpoint of `.*--seed 0`; allowed: one of `.*--seed 1`"),
        ({"head": "threshold"}, "allowed: one of `.*--head threshold"),
        ({"family": "mlp"}, "allowed: one of `.*--family mlp"),
        ({"method": "openai-es"}, "allowed: one of `.*--method openai-es"),
        ({"game": "Acrobot-v1"}, "allowed: one of `compute-layers train Acrobot-v1"),
        ({"evaluations": 10}, "evaluations is 10; allowed: from 20 on"),
    ],
)
def test_a_checkpoint_of_another_run(checkpoint: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        train(**{"game": GAME, "family": "linear", "seed": 0, "resume": checkpoint, **arguments})


def changed_checkpoint(path: Path, to: Path, **changes: Any) -> Path:
    """The same with other entries of metadata (text) and tensors (arrays, None takes one away)."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, change in changes.items():
        if isinstance(change, str):
            metadata[name] = change
        elif change is None:
            del arrays[name]
        else:
            arrays[name] = change
    save_file(arrays, to, metadata)
    return to


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "compute_layers/checkpoint/0"}, "which is no checkpoint: its schema is"),
        ({"progress": "{}"}, "which is no checkpoint"),
        ({"progress": "{"}, "which is no checkpoint"),
        ({"made_with": '{"packages": "cmaes 0"}'}, "made with cmaes 0; allowed: cmaes"),
        ({"state": "{}"}, "which is damaged: its state has"),
        ({"state._mean": None}, "which is damaged: its state has"),
        ({"state._mean": np.zeros(9)}, "_mean in its state is float64 \\(9,\\); required: float64 \\(10,\\)"),
        ({"best.W": np.zeros((2, 5), np.float32)}, "W is float32 \\(2, 5\\); allowed: float32 \\(2, 4\\)"),
    ],
)
def test_a_damaged_checkpoint(checkpoint: Path, tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    damaged = changed_checkpoint(checkpoint, tmp_path / "damaged.checkpoint", **changes)
    with pytest.raises(ValueError, match=words):
        train(GAME, "linear", seed=0, resume=damaged)


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        train(GAME, "linear", seed=0, resume=tmp_path / "none.checkpoint")
    (tmp_path / "text.checkpoint").write_text("text")
    with pytest.raises(ValueError, match="text.checkpoint', which is no checkpoint"):
        train(GAME, "linear", seed=0, resume=tmp_path / "text.checkpoint")
    done = run(GAME, "--family", "linear", "--seed", "0", "--checkpoint", "/no/such/run.checkpoint")
    assert "there is no directory '/no/such'" in done.stderr


# ---- when it stops ----


def test_it_stops_when_nothing_is_left_to_win() -> None:
    found = train(GAME, "linear", seed=0)
    assert found.stopped == "perfect"
    assert [at.over for at in found.progress] == [""] * (len(found.progress) - 1) + ["perfect"]
    assert found.progress[-1].best == 500
    assert found.returns.mean() > 495


@pytest.mark.parametrize("evaluations", [10, 11, 19, 20, 35])
def test_the_budget_of_evaluations(evaluations: int) -> None:
    found = train(GAME, "linear", seed=0, evaluations=evaluations)
    assert found.stopped == "evaluations"
    assert [at.evaluations for at in found.progress] == list(range(10, evaluations + 1, 10))


def test_the_budget_of_seconds_becomes_a_count_in_the_command() -> None:
    found = train(GAME, "linear", seed=0, seconds=1e-9)
    assert found.stopped == "seconds"
    assert len(found.progress) == 1
    assert "--evaluations 10" in found.file.metadata["command"]
    again = train(GAME, "linear", seed=0, evaluations=10)
    assert_same(tensors(again), tensors(found), "tensors")
    assert again.file.metadata["command"] == found.file.metadata["command"]


def test_a_search_that_has_converged_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cma_es.Search, "converged", True)
    assert train(GAME, "linear", seed=0).stopped == "converged"


def test_progress_only_rises() -> None:
    shown: list[Progress] = []
    found = train(GAME, "mlp", layers=[4], seed=1, evaluations=100, report=shown.append)
    assert shown == found.progress
    for name in ("seconds", "evaluations", "steps", "best"):
        values = [getattr(at, name) for at in shown]
        assert values == sorted(values)


# ---- Ctrl-C ----


def test_ctrl_c_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "kept.safetensors"
    with monkeypatch.context() as patch:
        interrupt_call(patch, 4)
        done = run(GAME, "--family", "linear", "--seed", "0", "--save", str(file))
    assert done.exit_code == 130
    assert "stopped: interrupted" in done.output
    kept = agent_file(GAME, file)
    command = shlex.split(kept.metadata["command"])
    assert command[command.index("--evaluations") + 1] == kept.metadata["evaluations"]
    # The command in it makes the same agent without being interrupted.
    again = train(GAME, "linear", seed=0, evaluations=int(kept.metadata["evaluations"]))
    assert_same(tensors(kept), tensors(again), "tensors")


@pytest.mark.parametrize("call", [1, 2])
def test_ctrl_c_in_the_first_generation_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: int
) -> None:
    interrupt_call(monkeypatch, call)
    file = tmp_path / "none.safetensors"
    assert run(GAME, "--family", "linear", "--seed", "0", "--save", str(file)).exit_code == 130
    assert not file.exists()


@pytest.mark.parametrize("call", range(3, 9))
def test_an_interrupted_generation_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    with monkeypatch.context() as patch:
        interrupt_call(patch, call)
        found = train(GAME, "linear", seed=2)
    if found.stopped == "perfect":
        pytest.fail("it was over before the interruption")
    whole = train(GAME, "linear", seed=2, evaluations=found.progress[-1].evaluations)
    assert_same(tensors(found), tensors(whole), "tensors")


# ---- bad input ----


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"family": "mpl"}, "family is 'mpl'; allowed: .*mlp.*did you mean 'mlp'"),
        ({"family": "random"}, "family is 'random'; allowed: .*linear.*has no parameters"),
        ({"family": "constant"}, "family is 'constant'; allowed: .*float32.*value \\(action\\)"),
        ({"game": "CartPol-v1"}, "did you mean 'CartPole-v1'"),
        ({"head": "box"}, "head is 'box'; allowed: argmax, threshold"),
        ({"layers": [4]}, "layers is \\[4\\]; allowed: none, family linear has no layers"),
        ({"choices": {"activation": "tanh"}}, "activation is 'tanh'; allowed: none"),
        ({"family": "mlp", "choices": {"activation": "tan"}}, "activation is 'tan'; allowed: tanh"),
        ({"family": "mlp", "layers": [0]}, "a number in layers is 0; allowed: 1 to 65536"),
        ({"family": "mlp", "layers": [2**20]}, "a number in layers is 1048576; allowed: 1"),
        ({"seed": -1}, "seed is -1; allowed: 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296; allowed: 0 to 4294967295"),
        ({"evaluations": 9}, "evaluations is 9; allowed: 10 to"),
        ({"method": "cma"}, "method is 'cma'; allowed: .*did you mean 'cma-es'"),
        ({"family": "tree", "method": "cma-es"}, "family is 'tree'; allowed: .*linear.*cma-es moves float32"),
        (
            {"method": "threshold-search"},
            "family is 'linear'; allowed: tree; threshold-search searches trees",
        ),
        ({"depth": 3}, "depth is 3; allowed: none, method cma-es takes evaluations"),
        ({"family": "tree", "depth": 0}, "depth is 0; allowed: 1 to 16"),
        ({"family": "tree", "head": "argmax"}, "head is 'argmax'; allowed: vote"),
        (
            {"family": "tree", "game": "Taxi-v4"},
            "family is 'tree'; allowed: .*Taxi-v4 shows numbers of states",
        ),
        ({"family": "mlp", "evaluations": 9, "method": "ppo"}, "evaluations is 9; .*ppo takes steps"),
        ({"seconds": 0.0}, "seconds is 0.0; allowed: more than 0"),
        ({"seconds": float("nan")}, "seconds is nan; allowed: more than 0"),
    ],
)
def test_bad_arguments(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], words: str) -> None:
    interrupt_call(monkeypatch, 1)  # nothing is played
    with pytest.raises(ValueError, match=words):
        train(**{"game": GAME, "family": "linear", "seed": 0, **arguments})


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 0.5), ("seed", None), ("evaluations", 1e3), ("layers", [4.0])]
)
def test_bad_types(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"{name} is .*; allowed: an int"):
        train(**{"game": GAME, "family": "mlp", "seed": 0, name: value})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--layers", "4,x", "--family", "mlp"), "--layers is '4,x'; allowed: integers separated by commas"),
        (("--family", "random"), "this family has no parameters"),
        (("--family", "linear", "--save", "agent.bin"), "allowed: a name that ends in .safetensors"),
        (("--family", "linear", "--save", "/no/such/x.safetensors"), "there is no directory '/no/such'"),
        (("--family", "linear", "--json", "/no/such/x.json"), "there is no directory '/no/such'"),
    ],
)
def test_bad_options_are_one_line_and_exit_2(arguments: tuple[str, ...], words: str) -> None:
    done = run(GAME, "--seed", "0", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("package", ["cmaes", "threadpoolctl"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyNotInstalled, match=rf"{package}: pip install 'compute_layers\[train\]'"):
        train(GAME, "linear", seed=0)
    done = run(GAME, "--family", "linear", "--seed", "0")
    assert done.exit_code == 2
    assert "compute_layers[train]" in done.stderr


def test_the_families_that_can_be_trained() -> None:
    assert {"linear", "mlp", "tree", "table"} <= set(trainable())
    assert not {"constant", "random", "forest"} & set(trainable())


def test_blas_has_its_threads_back() -> None:
    def threads() -> list[int]:
        return [found["num_threads"] for found in threadpoolctl.threadpool_info()]

    before = threads()
    train(GAME, "linear", seed=0, evaluations=10)
    with pytest.raises(ValueError, match="evaluations"):
        train(GAME, "linear", seed=0, evaluations=1)
    assert threads() == before


# ---- the command ----


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    done = run(GAME, "--family", "linear", "--seed", "0", "--evaluations", "30", "--json", str(file))
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    assert set(found) == {
        *("schema", "game", "conditions", "metadata", "stopped"),
        *("episodes", "return_mean", "return_min", "progress"),
    }
    assert (found["schema"], found["game"]) == ("compute_layers/train/1", GAME)
    assert (found["stopped"], found["episodes"]) == ("evaluations", 1000)
    assert found["return_min"] <= found["return_mean"] <= 500
    assert len(found["progress"]) == 3
    for at in found["progress"]:
        assert set(at) == {"seconds", "evaluations", "steps", "recent", "best"}
    assert found["metadata"]["command"] == (
        f"compute-layers train {GAME} --family linear --head argmax --seed 0 --evaluations 30"
    )


def test_a_pipe_gets_plain_lines() -> None:
    done = run(GAME, "--family", "linear", "--seed", "0")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    lines = done.stderr.splitlines()
    assert lines
    assert all("evaluations" in line and "return" in line for line in lines)
    assert "return 500.00" in lines[-1]
    assert done.stdout.startswith(f"{GAME}/linear: return 500.0000 over seeds 0 to 999")


def test_a_saved_file_plays_its_recorded_return_at_every_level(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    asked = "--family mlp --layers 4 --activation relu --seed 1 --evaluations 28"
    done = run(GAME, *shlex.split(asked), "--save", str(file))
    assert done.exit_code == 0, done.output
    saved = agent_file(GAME, file)
    assert (saved.name, saved.layer, saved.choices) == ("mine", "subsymbolic", {"activation": "relu"})
    assert saved.metadata["command"].endswith("--seed 1 --evaluations 28 --save mine.safetensors")
    assert str(tmp_path) not in saved.metadata["command"]
    first = cl.rollout(GAME, Agent(saved, "python", None, seed=0), episodes=4, level="python").returns
    for level in served(GAME)[1:]:
        agent = Agent(saved, level.name, level.isa, seed=0)
        returns = cl.rollout(GAME, agent, episodes=1000, level=level.name, isa=level.isa).returns
        assert_same(returns[:4], first, level)
        again = AgentFile(saved.name, saved.game, saved.metadata, saved.tensors)
        again.note_returns(returns)
        assert again.metadata["return"] == saved.metadata["return"]


# ---- the agents that are shipped ----


def recorded(id: str, name: str) -> float:
    return float(agent_file(id, name).metadata["return"].split()[0])


def test_what_is_shipped() -> None:
    shapes = {
        name: {key: t.shape for key, t in agent_file(GAME, name).tensors.items()}
        for id, name in TRAINED
        if id == GAME
    }
    assert shapes["linear"] == {"W": (2, 4), "b": (2,)}
    assert shapes["mlp-16"] == {"W0": (16, 4), "b0": (16,), "W1": (2, 16), "b1": (2,)}
    assert [*shapes["mlp-64x64"].values()] == [(64, 4), (64,), (64, 64), (64,), (2, 64), (2,)]
    for name in ("linear", "mlp-16", "mlp-64x64"):
        assert agent_file(GAME, name).layer == "subsymbolic"
        assert recorded(GAME, name) >= 495


@pytest.mark.parametrize(("id", "name"), TRAINED)
def test_a_shipped_agent_plays_its_recorded_return(id: str, name: str) -> None:
    file = agent_file(id, name)
    again = AgentFile(name, file.game, file.metadata, file.tensors)
    again.note_returns(cl.rollout(id, name, episodes=1000, threads=2).returns)
    assert again.metadata["return"] == file.metadata["return"]


@pytest.mark.parametrize(("id", "name"), TRAINED)
def test_a_trained_file_says_how_it_was_made(id: str, name: str) -> None:
    said = agent_file(id, name).metadata
    command = shlex.split(said["command"])
    assert command[:3] == ["compute-layers", "train", id]
    assert command[command.index("--seed") + 1] == said["seed"]
    assert command[-2:] == ["--save", f"{name}.safetensors"]
    assert "numpy " in said["packages"]
    assert ("cmaes " in said["packages"]) == ("CMA-ES" in said["preparation"])
    assert ("blas" in said) == ("threshold search" not in said["preparation"])
    assert int(said["steps"]) > int(said["evaluations"]) > 0


@pytest.mark.parametrize(
    ("id", "name"), [*((id, name) for id, name in TRAINED if name == "linear"), (GAME, "searched-2")]
)
def test_the_command_in_a_shipped_file_makes_it_again(
    id: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = agent_file(id, name)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, shlex.split(shipped.metadata["command"])[1:])
    assert done.exit_code == 0, done.output
    made = agent_file(id, tmp_path / f"{name}.safetensors")
    threshold = registry.game(id).entry.reward_threshold
    assert threshold is not None
    assert float(made.metadata["return"].split()[0]) >= threshold
    for entry in ("packages", "blas"):
        here, there = made.metadata.get(entry), shipped.metadata.get(entry)
        if here != there:
            pytest.skip(f"{entry} here: {here}; the file's: {there}")
    assert_same(tensors(made), tensors(shipped), "tensors")
    assert made.metadata["steps"] == shipped.metadata["steps"]


def test_the_ladder_shows_the_preparation() -> None:
    tiny = ladder.Effort(episodes=4, python_seconds=0.01, rounds=1, chunk=0.0005)
    found = ladder.measure_ladder(GAME, ["linear"], ["cpp:baseline"], effort=tiny)
    assert [row.preparation for row in found.rows] == [agent_file(GAME, "linear").metadata["preparation"]]
    assert found.rows[0].preparation.startswith("CMA-ES, ")
    assert found.rows[0].preparation.endswith(" steps")
