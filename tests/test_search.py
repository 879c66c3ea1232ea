# SPDX-License-Identifier: MIT
"""Policies that plan by playing copies of the game: the same plans at every level, what they may not depend on, what is
refused, and the agents that are shipped."""

from __future__ import annotations

import copy
import json
import math
import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import Agent, AgentFile, agent_file
from compute_layers.pcg64 import PCG64
from compute_layers.registry import game as find_game
from compute_layers.searches import cem, shooting
from compute_layers.spec import Box, Discrete
from conftest import LEVELS, Array, assert_same, ctrl_c_soon

EVERY_GAME = True
FAMILIES = [stem for stem, family in registry.borrowers().items() if family.spec.searches]
SHIPPED = [
    (id, name)
    for id in registry.games()
    for name in cl.agents(id)
    if agent_file(id, name).family.spec.searches
]
SETTINGS = {"candidates": 5, "horizon": 4, "hold": 3, "commit": 2, "iterations": 3, "elites": 2}


def search(id: str, family: str, **settings: int) -> AgentFile:
    game = find_game(id)
    head = "box" if isinstance(game.action, Box) else "vote"
    metadata = {"family": family, "layer": "search", "head": head, "version": "1"}
    names = registry.family(family).spec.tensors
    tensors = {name: np.array([{**SETTINGS, **settings}[name]], np.int64) for name in names}
    return AgentFile("mine", game, metadata, tensors)


def played(file: AgentFile, level: cl.Level, **arguments: Any) -> dict[str, Array]:
    agent = Agent(file, level.name, level.isa, seed=0)
    assert (agent.level, agent.isa) == (level.name, level.isa)
    arguments = {"episodes": 3, "max_episode_steps": 20} | arguments
    game_isa = level.isa if level.isa in file.game.isas.get(level.name, ()) else None
    run = cl.rollout(file.game, agent, level=level.name, isa=game_isa, **arguments)
    return {"returns": run.returns, "lengths": run.lengths}


def served(id: str) -> list[cl.Level]:
    isas = find_game(id).isas
    return [level for level in LEVELS if level.isa is None or level.isa in isas[level.name]]


def start(id: str, n: int) -> Array:
    envs = cl.VectorEnv(n, game=id)
    envs.reset(seed=0)
    return np.stack([*envs.get_state()["state"].values()], axis=-1).astype(np.float64)


# ---- the same plans at every level ----


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("id", registry.games())
def test_the_levels_agree(id: str, family: str) -> None:
    file = search(id, family)
    expected = played(file, LEVELS[0])
    for level in served(id)[1:]:
        assert_same(played(file, level), expected, id, family, level)


@pytest.mark.emulate
@pytest.mark.parametrize("id", ["CartPole-v1", "Pendulum-v1"])
def test_native_levels_agree(id: str) -> None:
    file = search(id, "cem")
    first, *others = served(id)[1:]
    expected = played(file, first)
    for level in others:
        assert_same(played(file, level), expected, id, level)


@pytest.mark.parametrize(
    "settings",
    [
        {"candidates": 1, "horizon": 1, "hold": 1, "commit": 1, "iterations": 1, "elites": 1},
        {"candidates": 9, "horizon": 3, "commit": 3},  # nothing is left of a plan
        {"candidates": 8, "horizon": 7, "commit": 1, "elites": 8, "hold": 1},
        {"candidates": 17, "iterations": 1},
    ],
)
@pytest.mark.parametrize("id", ["CartPole-v1", "MountainCarContinuous-v0", "FrozenLake-v1"])
def test_the_levels_agree_on_settings(id: str, settings: dict[str, int]) -> None:
    for family in FAMILIES:
        file = search(id, family, **settings)
        expected = played(file, LEVELS[0])
        for level in (served(id)[1], served(id)[-1]):
            assert_same(played(file, level), expected, id, family, level)


@pytest.mark.parametrize(
    ("id", "arguments"),
    [
        ("CartPole-v1", {"sutton_barto_reward": True}),
        ("Pendulum-v1", {"g": 3.0}),
        ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": False}),
        ("Taxi-v4", {"is_rainy": True, "fickle_passenger": True}),
    ],
)
def test_the_copies_have_the_games_arguments(id: str, arguments: dict[str, Any]) -> None:
    file = search(id, "cem")
    expected = played(file, LEVELS[0], **arguments)
    for level in (served(id)[1], served(id)[-1]):
        assert_same(played(file, level, **arguments), expected, id, arguments, level)


def decisions(agent: Agent, states: Array) -> list[Any]:
    return [agent(rows) for rows in (states, states[0], states[:2])]


def test_the_levels_agree_on_decisions(game: str) -> None:
    states = start(game, 5)
    for family in FAMILIES:
        file = search(game, family)
        expected = decisions(Agent(file, "python", None, seed=3), states)
        for level in served(game)[1:]:
            found = decisions(Agent(file, level.name, level.isa, seed=3), states)
            assert_same(found, expected, game, family, level)


def test_levels_may_be_mixed() -> None:
    file = search("CartPole-v1", "shooting")
    expected = played(file, LEVELS[0])
    for game_level, level in (("python", served("CartPole-v1")[-1]), ("cpp", LEVELS[0])):
        agent = Agent(file, level.name, level.isa, seed=0)
        run = cl.rollout("CartPole-v1", agent, level=game_level, episodes=3, max_episode_steps=20)
        assert_same({"returns": run.returns, "lengths": run.lengths}, expected, game_level, level)


# ---- what plans depend on ----


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("id", ["CartPole-v1", "FrozenLake-v1"])
def test_environments_and_threads_change_nothing(id: str, family: str) -> None:
    agent = Agent(search(id, family), "auto", None, seed=0)
    expected = cl.rollout(id, agent, episodes=21, num_envs=1)
    for num_envs, threads in ((2, 1), (8, 3), (300, 2)):
        run = cl.rollout(id, agent, episodes=21, num_envs=num_envs, threads=threads)
        assert_same((run.returns, run.lengths), (expected.returns, expected.lengths), num_envs, threads)
    later = cl.rollout(id, agent, episodes=6, seed=15)
    assert_same(later.returns, expected.returns[15:])


def test_threads_of_level_python() -> None:
    agent = Agent(search("CartPole-v1", "cem"), "python", None, seed=0)
    runs = [
        cl.rollout("CartPole-v1", agent, episodes=4, max_episode_steps=10, threads=threads)
        for threads in (1, 2)
    ]
    assert_same(runs[0].returns, runs[1].returns)


def test_a_plan_does_not_know_what_will_come() -> None:
    """On ice that slips every time, whoever saw the environment's stream would find the goal more often than the best
    policy does."""
    agent = Agent(
        search("FrozenLake-v1", "shooting", candidates=200, horizon=30, commit=1, hold=1), "auto", None, 0
    )
    run = cl.rollout("FrozenLake-v1", agent, episodes=200)
    assert run.returns.mean() < 0.7442


def test_a_plan_is_carried_out_and_then_made_anew() -> None:
    """The steps of an episode, from the specification alone."""
    file = search("MountainCar-v0", "shooting", candidates=3, horizon=4, hold=2, commit=3)
    rules = find_game("MountainCar-v0").rules
    params = find_game("MountainCar-v0").default.params
    p = type("Params", (), params)
    rng = PCG64.from_seed(7, (1,))
    state = rules.reset(p, type("Options", (), rules.SPEC.options), PCG64.from_seed(7))
    rest: list[Any] = []

    class Planner:
        candidates, horizon, hold, commit, action = 3, 4, 2, 3, Discrete(3)

        def play(self, state: Any, sequence: Any, noise: int) -> float:
            total = 0.0
            for action in sequence:
                for _ in range(self.hold):
                    state, reward, ended = rules.step(p, state, action, None)
                    total += reward
                    if ended:
                        return total
            return total

    seen, total = [], 0.0
    for _ in range(5):
        plan = shooting.plan(Planner(), state, rest, rng)
        rest = plan[3:]
        for action in plan[:3]:
            for _ in range(2):
                seen.append(state)
                state, reward, _ = rules.step(p, state, action, None)
                total += reward
    run = cl.rollout("MountainCar-v0", Agent(file, "auto", None, 0), episodes=1, seed=7, max_episode_steps=30)
    assert run.returns.tolist() == [total] == [-30.0]
    # Positions, for the return says little: the same plans lead the same way.
    agent = Agent(file, "python", None, seed=7)
    assert agent(np.array(seen[0])) == shooting.plan(Planner(), seen[0], [], PCG64.from_seed(7, (1,)))[0]


def test_more_candidates_play_better() -> None:
    def mean(**settings: int) -> float:
        agent = Agent(search("MountainCar-v0", "shooting", horizon=6, hold=20, **settings), "auto", None, 0)
        return float(cl.rollout("MountainCar-v0", agent, episodes=50).returns.mean())

    assert mean(candidates=512, commit=6) > -105 > mean(candidates=16, commit=6)


# ---- parts of the specification ----


def test_normal_numbers() -> None:
    rng = PCG64.from_seed(0)
    drawn = np.array([cem.draw_normal(rng) for _ in range(20_000)])
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1.0) < 0.02
    assert np.abs(drawn).max() <= 3.0


def test_an_index_is_drawn_with_its_probability() -> None:
    rng = PCG64.from_seed(0)
    drawn = np.bincount([cem.draw_index([0.2, 0.0, 0.5, 0.3], rng) for _ in range(20_000)], minlength=4)
    assert np.abs(drawn / 20_000 - [0.2, 0.0, 0.5, 0.3]).max() < 0.015


def test_a_distribution_is_that_of_the_elites() -> None:
    assert cem.fit_discrete(3, [2, 0, 2]) == [2 / 6, 1 / 6, 3 / 6]
    mean, deviation = cem.fit_number([1.0, 2.0, 6.0])
    assert (mean, deviation) == (3.0, math.sqrt((4.0 + 1.0 + 9.0) / 3))


def test_equal_candidates_keep_their_order() -> None:
    assert shooting.rank([1.0, 3.0, -math.inf, 3.0]) == [1, 3, 0, 2]


def test_a_return_that_is_no_number_counts_as_the_worst() -> None:
    """A speed so great that the next position is infinite, and the angle's change of no sense."""
    for level in served("Acrobot-v1"):
        agent = Agent(search("Acrobot-v1", "cem"), level.name, level.isa, seed=0)
        huge = np.array([[0.0, 0.0, 1e300, -1e300], [1e308, -1e308, 0.0, 0.0]])
        assert set(agent(huge).tolist()) <= {0, 1, 2}


# ---- calls ----


def test_a_state_is_what_the_environment_gives() -> None:
    env = gym.make("compute_layers/CartPole-v1")
    env.reset(seed=1)
    state = np.concatenate([*env.unwrapped.get_state()["state"].values()])  # type: ignore[attr-defined]
    agent = Agent(search("CartPole-v1", "cem"), "auto", None, seed=0)
    assert type(agent(state)) is int
    assert agent(np.tile(state, (3, 1))).shape == (3,)
    box = Agent(search("Pendulum-v1", "cem"), "auto", None, seed=0)
    assert box(start("Pendulum-v1", 2)).dtype == np.float32
    assert box(start("Pendulum-v1", 2)).shape == (2, 1)


@pytest.mark.parametrize("level", ["python", "auto"])
def test_copies_go_on_in_the_streams(level: str) -> None:
    agent = Agent(search("CartPole-v1", "shooting"), level, None, seed=4)
    states = start("CartPole-v1", 3)
    agent(states)
    for twin in (copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))):
        assert_same(twin(states), copy.deepcopy(agent)(states))
    first = [agent(states).tolist() for _ in range(4)]
    agent.seed(4)
    agent(states)
    assert [agent(states).tolist() for _ in range(4)] == first


@pytest.mark.parametrize("level", ["python", "auto"])
@pytest.mark.parametrize(
    ("id", "state", "problem", "words"),
    [
        ("CartPole-v1", [0.0, 0.0, 0.0], ValueError, r"shape \(3,\); allowed: real numbers of shape \(4,\)"),
        ("CartPole-v1", [[[0.0] * 4]], ValueError, "shape"),
        ("CartPole-v1", 1.0, ValueError, "shape"),
        ("CartPole-v1", [0.0, math.nan, 0.0, 0.0], ValueError, "nan as x_dot; allowed: a finite number"),
        ("CartPole-v1", [0.0, 0.0, math.inf, 0.0], ValueError, "inf as theta"),
        ("CartPole-v1", ["a"] * 4, TypeError, "dtype"),
        ("CartPole-v1", [1j] * 4, TypeError, "dtype"),
        ("FrozenLake-v1", [16.0, 0.0], ValueError, "16.0 as s; allowed: integers 0 to 15"),
        ("FrozenLake-v1", [0.5, 0.0], ValueError, "0.5 as s"),
        ("FrozenLake-v1", [-1.0, 0.0], ValueError, "-1.0 as s"),
        ("FrozenLake-v1", [1e300, 0.0], ValueError, "as s"),
    ],
)
def test_what_is_no_state(level: str, id: str, state: Any, problem: Any, words: str) -> None:
    agent = Agent(search(id, "shooting"), level, None, seed=0)
    with pytest.raises(problem, match=words):
        agent(np.array(state))
    agent(start(id, 1))


def test_a_search_does_not_see_the_time() -> None:
    with pytest.raises(TypeError, match="elapsed is 3; allowed: None"):
        Agent(search("CartPole-v1", "cem"), "auto", None, seed=0)(start("CartPole-v1", 1), elapsed=3)


# ---- what is refused ----


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"candidates": 0}, "candidates is 0; allowed: 1 to 65536"),
        ({"candidates": 65537}, "candidates is 65537"),
        ({"candidates": -(2**63)}, "candidates is -9223372036854775808"),
        ({"horizon": 0}, "horizon is 0; allowed: 1 to 1024"),
        ({"horizon": 2**62}, "horizon is 4611686018427387904"),
        ({"hold": 1025}, "hold is 1025"),
        ({"commit": 5}, "commit is 5; allowed: 1 to 4"),
        ({"candidates": 65536, "horizon": 1024}, "candidates x horizon is 65536 x 1024, 67108864 numbers"),
        ({"iterations": 0}, "iterations is 0; allowed: 1 to 1024"),
        ({"elites": 6}, "elites is 6; allowed: 1 to 5"),
    ],
)
def test_settings_out_of_range(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=f"mine: {words}"):
        search("CartPole-v1", "cem", **settings)


def test_a_population_needs_observations() -> None:
    file = search("CartPole-v1", "cem")
    tensors = {name: tensor[None] for name, tensor in file.tensors.items()}
    with pytest.raises(ValueError, match="family 'cem'; allowed in a population: constant"):
        cl.rollout_population("CartPole-v1", Agent(file, "auto", None, 0), tensors, episodes=1)


@pytest.mark.parametrize("level", ["python", "auto"])
def test_ctrl_c_ends_a_search(level: str) -> None:
    file = search("CartPole-v1", "cem", candidates=64, horizon=100, commit=1)
    with pytest.raises(KeyboardInterrupt), ctrl_c_soon():
        cl.rollout("CartPole-v1", Agent(file, level, None, 0), episodes=100_000)


# ---- the shipped agents ----


def test_which_agents_are_shipped() -> None:
    assert {id for id, _ in SHIPPED} >= {"CartPole-v1", "MountainCar-v0", "Pendulum-v1", "Acrobot-v1"}


REACHED = {"CartPole-v1": 500.0, "MountainCar-v0": -110.0, "Pendulum-v1": -160.0, "Acrobot-v1": -85.0}


@pytest.mark.parametrize("id", REACHED)
def test_what_the_shipped_agents_reach(id: str) -> None:
    """As stated; the returns of the first seeds are played here, and the command makes the others."""
    means = []
    for name in (name for game, name in SHIPPED if game == id):
        means.append(float(agent_file(id, name).metadata["return"].split()[0]))
    assert max(means) >= REACHED[id]


@pytest.mark.parametrize(("id", "name"), SHIPPED)
def test_a_shipped_agent_returns_what_it_says(id: str, name: str, tmp_path: Path) -> None:
    file = agent_file(id, name)
    stated = json.loads(file.metadata["first_returns"])
    run = cl.rollout(id, name, episodes=len(stated), threads=2)
    assert run.returns.tolist() == stated
    assert "simulated steps a plan" in file.metadata["preparation"]
    assert "tools/write_agent.py" in file.metadata["command"]
    assert file.layer == "search"
