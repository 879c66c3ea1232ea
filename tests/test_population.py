# SPDX-License-Identifier: MIT
"""Many candidates in one native call: the rows are the rollouts of the candidates, byte for byte."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import Agent, AgentFile, agent_file
from conftest import KINDS_OF_AGENTS, LEVELS, Array, assert_same, ctrl_c_soon, served

GAME = "CartPole-v1"
FASTEST = LEVELS[-1]
Tensors = dict[str, Array]


def linear(candidates: int, seed: int = 0) -> tuple[AgentFile, Tensors]:
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=(candidates, 2, 4)), rng.normal(scale=0.1, size=(candidates, 2))
    return file_of("linear", {"W": w.astype(np.float32), "b": b.astype(np.float32)})


def mlp(candidates: int, seed: int = 0) -> tuple[AgentFile, Tensors]:
    rng = np.random.default_rng(seed)
    shapes = {"W0": (5, 4), "b0": (5,), "W1": (3, 5), "b1": (3,), "W2": (2, 3), "b2": (2,)}
    tensors = {
        name: rng.normal(size=(candidates, *shape)).astype(np.float32) for name, shape in shapes.items()
    }
    return file_of("mlp", tensors, activation="relu")


def constant(candidates: int, seed: int = 0) -> tuple[AgentFile, Tensors]:
    actions = np.random.default_rng(seed).integers(0, 2, (candidates, 1))
    return file_of("constant", {"value": actions})


FAMILIES = {make.__name__: make for make in (linear, mlp, constant)}


def file_of(family: str, tensors: Tensors, **choices: str) -> tuple[AgentFile, Tensors]:
    """A file with the first candidate's tensors, and all tensors."""
    metadata = {"family": family, "layer": "subsymbolic", "head": "argmax", "version": "1", **choices}
    first = {name: tensor[0] for name, tensor in tensors.items()}
    return AgentFile(family, registry.game(GAME), metadata, first), tensors


def one_by_one(file: AgentFile, tensors: Tensors, **kwargs: Any) -> tuple[Array, Array]:
    """Returns and lengths of every candidate's own rollout."""
    runs = []
    for c in range(len(next(iter(tensors.values())))):
        own = {name: tensor[c] for name, tensor in tensors.items()}
        alone = AgentFile(file.name, file.game, file.metadata, own)
        runs.append(cl.rollout(file.game.id, Agent(alone, "cpp", None, seed=0), level="cpp", **kwargs))
    return np.stack([run.returns for run in runs]), np.stack([run.lengths for run in runs])


def outcome(run: cl.Rollout) -> tuple[Array, Array]:
    return run.returns, run.lengths


def policy_levels(file: AgentFile) -> list[cl.Level]:
    return [at for at in LEVELS if at.isa is None or at.isa in file.family.isas[at.name]]


# ---- what it returns ----


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("threads", [1, 3])
def test_every_pair_of_levels_is_the_candidates_rollouts(family: str, threads: int) -> None:
    file, tensors = FAMILIES[family](5)
    common: dict[str, Any] = {"episodes": 4, "seed": 2**32, "max_episode_steps": 25}
    expected = one_by_one(file, tensors, **common)
    assert len({row.tobytes() for row in expected[1]}) > 1, "the candidates play alike"
    for level in served(GAME):
        for policy in policy_levels(file):
            agent = Agent(file, policy.name, policy.isa, seed=0)
            split: dict[str, Any] = {"threads": threads, "num_envs": 3}
            run = cl.rollout_population(
                GAME, agent, tensors, level=level.name, isa=level.isa, **common, **split
            )
            assert (run.level, run.isa) == (level.name, level.isa)
            assert (run.policy_level, run.policy_isa) == (policy.name, policy.isa)
            assert_same(outcome(run), expected, f"candidates at {level}, policy at {policy},")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("num_envs", [1, 3, 8, 64, 300])
@pytest.mark.parametrize("threads", [1, 2, 3, 40])
def test_splitting_the_work_changes_nothing(family: str, num_envs: int, threads: int) -> None:
    file, tensors = FAMILIES[family](17)
    expected = one_by_one(file, tensors, episodes=50, seed=3)
    agent = Agent(file, "auto", None, seed=0)
    run = cl.rollout_population(GAME, agent, tensors, episodes=50, seed=3, num_envs=num_envs, threads=threads)
    assert_same(outcome(run), expected, "candidates")


@given(data=st.data())
@settings(max_examples=40)
def test_any_population(data: st.DataObject) -> None:
    make = FAMILIES[data.draw(st.sampled_from(sorted(FAMILIES)))]
    file, tensors = make(data.draw(st.integers(1, 30)), data.draw(st.integers(0, 99)))
    common: dict[str, Any] = {
        "episodes": data.draw(st.integers(1, 40)),
        "seed": data.draw(st.integers(0, 2**64 - 1)),
        "max_episode_steps": data.draw(st.sampled_from([1, 7, 64, 200])),
    }
    split = {"num_envs": data.draw(st.integers(1, 50)), "threads": data.draw(st.integers(1, 5))}
    run = cl.rollout_population(GAME, Agent(file, "auto", None, seed=0), tensors, **common, **split)
    assert_same(outcome(run), one_by_one(file, tensors, **common), "candidates")


SHIPPED = [agent for agent in KINDS_OF_AGENTS if agent_file(*agent).tensors]


@pytest.mark.parametrize(("id", "name"), SHIPPED)
def test_copies_of_a_shipped_agent_play_as_it_does(id: str, name: str) -> None:
    file = agent_file(id, name)
    copies = {key: np.stack([tensor] * 3) for key, tensor in file.tensors.items()}
    run = cl.rollout_population(id, name, copies, episodes=20, threads=2)
    assert_same(run.returns, np.stack([cl.rollout(id, name, episodes=20).returns] * 3), "returns")


def test_a_population_describes_itself() -> None:
    file, tensors = linear(6)
    run = cl.rollout_population(GAME, Agent(file, "auto", None, seed=0), tensors, episodes=7)
    assert (run.returns.dtype, run.returns.shape) == (np.float64, (6, 7))
    assert (run.lengths.dtype, run.lengths.shape) == (np.int64, (6, 7))
    assert run.steps == run.lengths.sum() > 0
    assert run.seconds > 0


def test_the_layout_of_the_tensors_does_not_matter() -> None:
    file, tensors = mlp(12)
    agent = Agent(file, "auto", None, seed=0)
    expected = cl.rollout_population(GAME, agent, tensors, episodes=5)
    odd = {name: np.asfortranarray(np.repeat(tensor, 2, axis=0))[::2] for name, tensor in tensors.items()}
    assert not odd["W0"].flags.c_contiguous
    assert_same(outcome(cl.rollout_population(GAME, agent, odd, episodes=5)), outcome(expected), "candidates")


def test_arguments_of_the_game_reach_every_candidate() -> None:
    file, tensors = linear(4)
    agent = Agent(file, "auto", None, seed=0)
    common: dict[str, Any] = {"episodes": 10, "sutton_barto_reward": True}
    run = cl.rollout_population(GAME, agent, tensors, **common)
    assert (run.returns <= 0).all()
    assert_same(outcome(run), one_by_one(file, tensors, **common), "candidates")


# ---- errors ----


def refused(problem: type[Exception], match: str, tensors: Any, **kwargs: Any) -> None:
    file, _ = linear(2)
    with pytest.raises(problem, match=match):
        cl.rollout_population(GAME, Agent(file, "auto", None, seed=0), tensors, **{"episodes": 1, **kwargs})


def test_bad_tensors() -> None:
    _, good = linear(3)
    refused(TypeError, "tensors is .*allowed: arrays by name", [1, 2])
    refused(ValueError, "tensors are none; allowed: ", {})
    refused(ValueError, r"W \(3, 2, 4\), b \(2, 2\); allowed: .*one length", {**good, "b": good["b"][:2]})
    refused(ValueError, "tensors are .*allowed: ", {name: tensor[:0] for name, tensor in good.items()})
    refused(ValueError, "tensors are .*allowed: ", {**good, "b": np.float32(0)})
    refused(ValueError, r"the tensors are \['W'\]; family linear has W, b", {"W": good["W"]})
    refused(
        ValueError, r"W is float64 .*; allowed: float32 \(3, 2, 4\)", {**good, "W": good["W"].astype(float)}
    )
    refused(ValueError, r"W is float32 \(3, 2, 3\); allowed: ", {**good, "W": good["W"][:, :, :3]})
    wild = {**good, "b": good["b"].copy()}
    wild["b"][2, 1] = np.nan
    refused(ValueError, "b has a number that is not finite", wild)


def test_the_last_candidate_is_checked_too() -> None:
    file, tensors = constant(3)
    tensors["value"][2] = 2
    with pytest.raises(ValueError, match="value is 2; allowed: 0 to 1"):
        cl.rollout_population(GAME, Agent(file, "auto", None, seed=0), tensors, episodes=1)


@pytest.mark.parametrize("name", ["episodes", "num_envs", "threads"])
@pytest.mark.parametrize(("value", "problem"), [(0, ValueError), (2**40, ValueError), (1.5, TypeError)])
def test_a_bad_count(name: str, value: Any, problem: type[Exception]) -> None:
    refused(problem, rf"{name} is .*allowed: ", linear(3)[1], **{name: value})


def test_a_family_without_parameters_is_no_population() -> None:
    with pytest.raises(ValueError, match="tensors are none"):
        cl.rollout_population(GAME, "random", {}, episodes=1)


def test_the_core_refuses_what_does_not_fit() -> None:
    """What the package never sends: too few entries for the candidates."""
    file, tensors = linear(3)
    sent: dict[str, Any] = {}

    def keep(**arguments: Any) -> Any:
        sent.update(arguments)
        return np.zeros((3, 1)), np.zeros((3, 1), np.int64), 0.0

    core = cl.rollout.__globals__["_core"]
    original = core.rollout_population
    core.rollout_population = keep
    try:
        cl.rollout_population(GAME, Agent(file, "auto", None, seed=0), tensors, episodes=1)
    finally:
        core.rollout_population = original
    original(**sent)
    for wrong in ({"candidates": 4}, {"candidates": 0}, {"policy_rules": [None]}, {"policy_level": "python"}):
        with pytest.raises(ValueError, match="must be stacked"):
            original(**{**sent, **wrong})


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows cannot signal a thread")
@pytest.mark.parametrize("level", ["python", "cpp", FASTEST.name])
def test_ctrl_c_stops_a_population(level: str) -> None:
    file, tensors = linear(64)
    agent = Agent(file, level, None, seed=0)
    with pytest.raises(KeyboardInterrupt), ctrl_c_soon():
        cl.rollout_population(GAME, agent, tensors, episodes=2**16, level=level, threads=2)
    small: dict[str, Any] = {"episodes": 3, "max_episode_steps": 20}
    run = cl.rollout_population(GAME, agent, tensors, level=level, **small)
    assert_same(outcome(run), one_by_one(file, tensors, **small), "the next population")


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_of_level_python_comes_through(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    file, tensors = linear(6)
    agent = Agent(file, "python", None, seed=0)

    def act(policy: Any, observation: Any, rng: Any) -> int:
        raise ZeroDivisionError("the rule is broken")

    monkeypatch.setattr(file.family.rules, "act", act)
    with pytest.raises(ZeroDivisionError, match="the rule is broken"):
        cl.rollout_population(GAME, agent, tensors, episodes=3, level="cpp", threads=threads)
