# SPDX-License-Identifier: MIT
"""Planning: the same bytes at every level, the optima that are known, what is refused, and the agents that are
shipped."""

from __future__ import annotations

import os
import re
import shlex
import signal
import threading
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import compute_layers as cl
from compute_layers import _core, check, planning, registry
from compute_layers.agents import agent_file
from compute_layers.batch import NO_LIMIT
from compute_layers.cli import app
from compute_layers.games import blackjack
from compute_layers.models import model_of
from compute_layers.planning import (
    METHODS,
    Plan,
    agent_of,
    backward_induction,
    exact_return,
    optimal_return,
    policy_iteration,
    value_iteration,
)
from compute_layers.spec import Box, Discrete
from compute_layers.table import Outcome
from conftest import LEVELS, Array, assert_same

EVERY_GAME = True
TABULAR = [id for id in registry.games() if registry.game(id).spec.table is not None]
PLANNED = [*TABULAR, "Blackjack-v1"]
NATIVE = [level for level in LEVELS if level.isa in registry.planner("backup").isas.get(level.name, ())]
SHIPPED = [
    (id, name)
    for id in PLANNED
    for name in cl.agents(id)
    if agent_file(id, name).layer == "search" and not agent_file(id, name).family.spec.searches
]
TIMED = [(id, name) for id, name in SHIPPED if agent_file(id, name).family.spec.sees_time]


def random_table(states: int, actions: int, most: int, seed: int = 0, ends: float = 0.1) -> cl.TabularGame:
    """Rows of 1 to ``most`` outcomes, rewards of both signs, and outcomes of probability 0."""
    rng = np.random.default_rng(seed)

    def row() -> list[tuple[float, int, float, bool]]:
        k = int(rng.integers(1, most, endpoint=True))
        p = rng.dirichlet(np.ones(k)) if k < 3 else np.append(rng.dirichlet(np.ones(k - 1)), 0.0)
        return list(
            zip(
                p.tolist(),
                rng.integers(0, states, k).tolist(),
                rng.normal(size=k).tolist(),
                (rng.random(k) < ends).tolist(),
                strict=True,
            )
        )

    P = [[row() for _ in range(actions)] for _ in range(states)]  # noqa: N806 - Gymnasium's name
    return cl.TabularGame(P, rng.dirichlet(np.ones(states)).tolist(), max_episode_steps=20)


def outcome(plan: Plan) -> dict[str, Any]:
    """What does not depend on the level."""
    return {
        "values": plan.values,
        "actions": plan.actions,
        "sweeps": plan.sweeps,
        "improvements": plan.improvements,
    }


def at_level(method: str, game: str | cl.TabularGame, level: cl.Level, **arguments: Any) -> dict[str, Any]:
    plan = METHODS[method](game, level=level.name, isa=level.isa, **arguments)
    assert (plan.level, plan.isa) == (level.name, level.isa)
    assert plan.seconds > 0
    return outcome(plan)


# ---- the same bytes at every level ----


@pytest.mark.emulate
def test_native_levels_are_written() -> None:
    assert registry.planners().keys() == {"backup"}
    assert {"baseline"} <= set(registry.planner("backup").isas["cpp"])
    assert NATIVE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("id", PLANNED)
def test_the_levels_agree_on_games(id: str, gamma: float, method: str) -> None:
    tolerance = 1e-2 if id == "Taxi-v4" and gamma == 0.99 else 1e-6  # level python takes its time
    expected = at_level(method, id, LEVELS[0], gamma=gamma, tolerance=tolerance)
    for level in NATIVE:
        assert_same(at_level(method, id, level, gamma=gamma, tolerance=tolerance), expected, id, level)


@pytest.mark.parametrize(
    ("id", "arguments"),
    [
        ("FrozenLake-v1", {"desc": ["SFG"]}),
        ("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"}),
        ("FrozenLake-v1", {"success_rate": 0.07, "reward_schedule": (3, -2, -0.1)}),
        ("Taxi-v4", {"is_rainy": True}),
        ("Blackjack-v1", {"sab": False, "natural": True}),
    ],
)
def test_the_levels_agree_on_settings(id: str, arguments: dict[str, Any]) -> None:
    expected = at_level("value-iteration", id, LEVELS[0], gamma=0.9, tolerance=1e-3, **arguments)
    assert not np.array_equal(expected["values"], value_iteration(id, gamma=0.9, tolerance=1e-3).values)
    for level in NATIVE:
        found = at_level("value-iteration", id, level, gamma=0.9, tolerance=1e-3, **arguments)
        assert_same(found, expected, id, arguments, level)


@pytest.mark.parametrize(
    "states", [1, 2, 3, 7, 8, pytest.param(9, marks=pytest.mark.emulate), 15, 16, 17, 40]
)
@pytest.mark.parametrize(("actions", "most"), [(1, 1), (1, 5), (2, 1), (3, 2), (4, 3), (7, 13)])
def test_the_levels_agree_on_tables(states: int, actions: int, most: int) -> None:
    game = random_table(states, actions, most, seed=states * 100 + actions)
    for method in METHODS:
        for gamma in (1 / 3, 0.97):
            expected = at_level(method, game, LEVELS[0], gamma=gamma, tolerance=1e-4)
            for level in NATIVE:
                found = at_level(method, game, level, gamma=gamma, tolerance=1e-4)
                assert_same(found, expected, states, actions, most, level)


@given(data=st.data())
@settings(max_examples=40)
def test_the_levels_agree_on_any_numbers(data: st.DataObject) -> None:
    """One sweep from any values: ties, zeros of both signs, denormals, rewards that drown the values."""
    number = st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, -1e-310, 1e300]) | st.floats(-1e300, 1e300)
    states, actions = data.draw(st.integers(1, 17)), data.draw(st.integers(1, 4))
    rows = []
    for _ in range(states):
        rows.append([])
        for _ in range(actions):
            p = data.draw(st.sampled_from([[1.0], [0.5, 0.5], [0.25, 0.75, 0.0]]))
            outcomes = [
                Outcome(
                    q, data.draw(st.integers(0, states - 1)), data.draw(number) / 2, data.draw(st.booleans())
                )
                for q in p
            ]
            rows[-1].append(outcomes)
    gamma = data.draw(st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.0, 1.0))
    values = np.array(data.draw(st.lists(number, min_size=states, max_size=states))) / 2
    expected = planning.Sweeper("python", None).run(rows, gamma, values, 0.0, 1)
    for level in NATIVE:
        found = planning.Sweeper(level.name, level.isa).run(rows, gamma, values, 0.0, 1)
        assert_same(found, expected, level)


def test_of_equal_actions_the_first_is_taken() -> None:
    rows = [[(1.0, s, float(r), True)] for s, r in ((0, 1), (0, 2), (0, 2), (0, 2))]
    game = cl.TabularGame([rows] * 9, [1.0] + [0.0] * 8)
    for level in (LEVELS[0], *NATIVE):
        found = at_level("value-iteration", game, level)
        assert_same(found["actions"], np.ones(9, np.int64), level)
        assert_same(found["values"], np.full(9, 2.0), level)


# ---- against another way to compute the same ----


def by_matrices(game: cl.TabularGame | str, gamma: float, sweeps: int) -> tuple[Array, Array]:
    """Value iteration with transition matrices: another order of the sums."""
    model = model_of(game, {})
    n, actions = len(model.rows), model.actions
    transitions, rewards = np.zeros((actions, n, n)), np.zeros((actions, n))
    for s, row in enumerate(model.rows):
        for a, outcomes in enumerate(row):
            for p, state, reward, terminated in outcomes:
                rewards[a, s] += p * reward
                transitions[a, s, state] += 0.0 if terminated else p
    values = np.zeros(n)
    for _ in range(sweeps):
        q = rewards + gamma * transitions @ values
        values = q.max(axis=0)
    return values, q


@pytest.mark.parametrize("gamma", [0.3, 0.95])
@pytest.mark.parametrize("game", [*PLANNED, random_table(50, 4, 9)], ids=[*PLANNED, "random"])
def test_the_values_are_those_of_matrices(game: cl.TabularGame | str, gamma: float) -> None:
    plan = value_iteration(game, gamma=gamma, tolerance=1e-13)
    values, q = by_matrices(game, gamma, plan.sweeps)
    distance = np.abs(plan.values - values).max()
    assert distance < 1e-12 * max(1.0, np.abs(values).max())  # the order of the sums
    if isinstance(game, cl.TabularGame):
        assert (plan.actions == q.argmax(axis=0)).all()


@pytest.mark.parametrize("game", [*PLANNED, random_table(50, 4, 9)], ids=[*PLANNED, "random"])
def test_policy_iteration_finds_what_value_iteration_finds(game: cl.TabularGame | str) -> None:
    plan = policy_iteration(game, gamma=0.95, tolerance=1e-12)
    values = value_iteration(game, gamma=0.95, tolerance=1e-12).values
    assert np.abs(plan.values - values).max() < 1e-9
    assert 1 < plan.improvements < 30
    assert plan.sweeps > plan.improvements


def test_a_sweep_is_what_the_kernel_says() -> None:
    """By hand: two outcomes, one of which ends the episode and counts nothing after it."""
    P = [[[(0.25, 0, 1.0, False), (0.75, 1, 2.0, True)]], [[(1.0, 0, -1.0, False)]]]  # noqa: N806
    rows = model_of(cl.TabularGame(P, [1.0, 0.0]), {}).rows
    for level in (LEVELS[0], *NATIVE):
        found = planning.Sweeper(level.name, level.isa).run(rows, 0.5, np.array([4.0, 100.0]), 0.0, 1)
        assert_same(found[0], np.array([0.25 * (1 + 0.5 * 4) + 0.75 * 2, -1 + 0.5 * 4]), level)
        assert found[2] == 99.0


# ---- exact returns ----

# By dynamic programming with other programs, to the digits that are given.
OPTIMA = [
    ("FrozenLake-v1", {}, 0.7442, 4),
    ("FrozenLake8x8-v1", {}, 0.9132, 4),
    ("FrozenLake-v1", {"map_name": "8x8"}, 0.6407, 4),
    ("Taxi-v4", {}, 7.93, 2),
    ("Taxi-v4", {"is_rainy": True}, 3.955, 3),
    ("CliffWalking-v1", {}, -13.0, 9),
    ("CliffWalking-v1", {"is_slippery": True}, -64.71, 2),
    ("CliffWalkingSlippery-v1", {}, -64.71, 2),
    ("Blackjack-v1", {}, -0.0431, 4),
    ("Blackjack-v1", {"sab": False}, -0.0466, 4),
    ("Blackjack-v1", {"sab": False, "natural": True}, -0.0257, 4),
]


@pytest.mark.parametrize(("id", "arguments", "expected", "digits"), OPTIMA)
def test_the_optimum_under_the_limit(id: str, arguments: Any, expected: float, digits: int) -> None:
    assert round(optimal_return(id, **arguments), digits) == expected


def test_the_best_policies_that_do_not_see_the_clock() -> None:
    found = {
        id: exact_return(id, value_iteration(id, gamma=0.999).actions)
        for id in ("FrozenLake-v1", "FrozenLake8x8-v1")
    }
    assert round(found["FrozenLake-v1"], 4) == 0.7402
    assert round(found["FrozenLake8x8-v1"], 3) == 0.886


@pytest.mark.parametrize("id", TABULAR)
@pytest.mark.parametrize("limit", [1, 7, 30])
def test_an_exact_return_is_that_of_the_distributions(id: str, limit: int) -> None:
    """Forwards instead of backwards: where the policy is after each step, and what it is paid on the way."""
    model = model_of(id, {})
    actions = np.random.default_rng(limit).integers(0, model.actions, len(model.rows))
    at, total = np.array(model.starts), 0.0
    for _ in range(limit):
        after = np.zeros_like(at)
        for s, row in enumerate(model.rows):
            for p, state, reward, terminated in row[actions[s]]:
                total += at[s] * p * reward
                after[state] += 0.0 if terminated else at[s] * p
        at = after
    found = exact_return(id, actions, max_episode_steps=limit)
    assert abs(found - total) < 1e-12 * max(1.0, abs(total))
    for level in (LEVELS[0], *NATIVE):
        assert exact_return(id, actions, max_episode_steps=limit, level=level.name, isa=level.isa) == found


def test_without_a_limit_episodes_must_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        exact_return("CliffWalking-v1", agent_actions("CliffWalking-v1", "straight"), max_episode_steps=-1)
        == -13
    )
    monkeypatch.setattr(planning, "MOST_SWEEPS", 5000)
    with pytest.raises(
        ValueError, match=r"max_episode_steps is -1: after 5000 steps .* move by 1; allowed: a limit"
    ):
        exact_return("CliffWalking-v1", np.zeros(48, np.int64), max_episode_steps=-1)
    assert exact_return("CliffWalking-v1", np.zeros(48, np.int64)) == -1000  # the limit of rollouts


def agent_actions(id: str, name: str) -> Array:
    return agent_file(id, name).tensors["actions"]


def contains(returns: Array, exact: float) -> bool:
    """Whether the 99 % interval of the mean contains the value."""
    return bool(abs(returns.mean() - exact) <= 2.576 * returns.std(ddof=1) / len(returns) ** 0.5 + 1e-12)


HANDS = {"Blackjack-v1": 1_000_000}
BY_TABLE = [
    (id, name)
    for id in PLANNED
    for name in cl.agents(id)
    if agent_file(id, name).family.stem in ("table", "timed_table")
]


@pytest.mark.parametrize(("id", "name"), BY_TABLE)
def test_the_interval_of_a_rollout_contains_the_exact_return(id: str, name: str) -> None:
    returns = cl.rollout(id, name, episodes=HANDS.get(id, 20_000), seed=2**40).returns
    assert contains(returns, exact_return(id, agent_actions(id, name)))


def test_the_interval_of_a_table_of_ones_own_contains_the_exact_return() -> None:
    game = random_table(30, 3, 4, seed=5)
    actions = np.random.default_rng(0).integers(0, 3, 30)
    metadata = {"family": "table", "layer": "search", "head": "vote", "version": "1"}
    agent = cl.Agent(planning.AgentFile("mine", game, metadata, {"actions": actions}), "auto", None, 0)
    assert contains(cl.rollout(game, agent, episodes=20_000).returns, exact_return(game, actions))


# ---- policies that see the time ----


@pytest.mark.parametrize(
    ("id", "limit"), [("FrozenLake-v1", 30), ("Taxi-v4", 3), ("Blackjack-v1", 2), ("CliffWalking-v1", 20)]
)
def test_the_levels_agree_on_backward_induction(id: str, limit: int) -> None:
    found = [
        backward_induction(id, max_episode_steps=limit, level=level.name, isa=level.isa)
        for level in (LEVELS[0], *NATIVE)
    ]
    assert found[0].actions.shape == (limit, max(model_of(id, {}).observations) + 1)
    for plan in found[1:]:
        assert_same(outcome(plan), outcome(found[0]), id, plan.level)


@pytest.mark.parametrize("limit", [1, 7, 40])
def test_backward_induction_is_optimal(limit: int) -> None:
    """Against every policy of a small game would take too long: against the optimum, which follows from the values, and
    against policies that do not see the time."""
    game = random_table(12, 3, 4, seed=limit)
    plan = backward_induction(game, max_episode_steps=limit)
    exact = exact_return(game, plan.actions, max_episode_steps=limit)
    assert exact == pytest.approx(optimal_return(game, max_episode_steps=limit), abs=1e-12)
    assert exact >= exact_return(game, value_iteration(game).actions, max_episode_steps=limit) - 1e-12
    for seed in range(20):
        others = np.random.default_rng(seed).integers(0, 3, plan.actions.shape)
        assert exact_return(game, others, max_episode_steps=limit) <= exact + 1e-12


def test_an_exact_return_of_rows_that_repeat_is_that_of_one_row() -> None:
    actions = value_iteration("FrozenLake-v1").actions
    expected = exact_return("FrozenLake-v1", actions)
    for rows in (1, 5, 100, 120):
        found = exact_return("FrozenLake-v1", np.tile(actions, (rows, 1)))
        assert found == pytest.approx(expected, abs=1e-14)


def test_backward_induction_knows_its_steps() -> None:
    assert backward_induction("FrozenLake-v1").actions.shape == (100, 16)
    assert backward_induction("FrozenLake-v1").sweeps == 100
    with pytest.raises(ValueError, match="max_episode_steps is -1; allowed: 1 to 100000"):
        backward_induction("FrozenLake-v1", max_episode_steps=-1)
    with pytest.raises(ValueError, match="gamma is 2; allowed"):
        backward_induction("FrozenLake-v1", gamma=2)


OPTIMA = {"FrozenLake-v1": "0.744190", "FrozenLake8x8-v1": "0.913220"}


@pytest.mark.parametrize("id", OPTIMA)
def test_the_optimum_under_the_time_limit(id: str) -> None:
    file = agent_file(id, "optimal")
    exact = exact_return(id, file.tensors["actions"])
    assert f"{exact:.6f}" == f"{optimal_return(id):.6f}" == OPTIMA[id]
    assert file.metadata["exact"].startswith(f"{OPTIMA[id]} expected")
    assert contains(cl.rollout(id, "optimal", episodes=1000).returns, exact)  # the evaluation episodes


@pytest.mark.parametrize(
    "level", [pytest.param(level, marks=pytest.mark.emulate) for level in LEVELS], ids=str
)
def test_a_policy_sees_the_time(level: cl.Level) -> None:
    if level.isa not in (None, *registry.family("timed_table").isas.get(level.name, ())):
        pytest.skip("no such kernel is written")
    agent = cl.load_agent("FrozenLake-v1", "optimal", level=level.name, isa=level.isa)
    table = agent_file("FrozenLake-v1", "optimal").tensors["actions"]
    states, steps = np.tile(np.arange(16), 110), np.repeat(np.arange(110), 16)
    assert_same(agent(states, elapsed=steps), table[np.minimum(steps, 99), states])
    assert_same(agent(states[:16], elapsed=7), table[7])
    assert agent(14, elapsed=95) == table[95, 14]
    assert agent(14, elapsed=2**62) == table[99, 14]
    runs = [
        cl.rollout("FrozenLake-v1", each, episodes=40, num_envs=num_envs)
        for each, num_envs in ((agent, 3), (agent, 40), ("optimal", 256))
    ]
    for run_ in runs[1:]:
        assert_same((run_.returns, run_.lengths), (runs[0].returns, runs[0].lengths), level)


def timed(id: str, actions: Any, head: str = "vote", game: Any = None) -> cl.Agent:
    metadata = {"family": "timed_table", "layer": "search", "head": head, "version": "1"}
    return cl.Agent(
        planning.AgentFile("mine", game or registry.game(id), metadata, {"actions": actions}), "auto", None, 0
    )


def test_a_rollout_gives_the_steps_since_the_reset() -> None:
    """On dry ice: right, right, down … by the clock alone, whatever the state."""
    walk = [2, 2, 1, 1, 1, 2]
    actions = np.repeat(np.array(walk)[:, None], 16, axis=1)
    for level in ("python", "auto"):
        agent = cl.Agent(timed("FrozenLake-v1", actions).file, level, None, 0)
        run_ = cl.rollout("FrozenLake-v1", agent, level=level, episodes=9, num_envs=2, is_slippery=False)
        assert run_.returns.tolist() == [1.0] * 9
        assert run_.lengths.tolist() == [6] * 9


def test_time_and_a_tuple_of_numbers() -> None:
    actions = np.random.default_rng(0).integers(0, 2, (3, 32 * 11 * 2))
    agent = timed("Blackjack-v1", actions)
    assert agent((20, 10, 1), elapsed=2) == actions[2, (20 * 11 + 10) * 2 + 1]
    python = cl.Agent(agent.file, "python", None, 0)
    runs = [cl.rollout("Blackjack-v1", each, episodes=300).returns for each in (agent, python)]
    assert_same(runs[0], runs[1])


def test_time_and_numbers_for_actions() -> None:
    space = Box((-1.0, -2.0), (1.0, 2.0))
    game = check.with_spaces(registry.game("FrozenLake-v1"), Discrete(3), space)
    actions = np.random.default_rng(0).uniform(-1, 1, (4, 3, 2)).astype(np.float32)
    for level in LEVELS[:1] + NATIVE:
        agent = cl.Agent(timed("", actions, "box", game).file, level.name, level.isa, 0)
        assert_same(agent(np.array([2, 0, 1]), elapsed=np.array([3, 0, 9])), actions[[3, 0, 3], [2, 0, 1]])


@pytest.mark.parametrize(
    ("elapsed", "error", "match"),
    [
        (None, TypeError, "elapsed is None; allowed: integers from 0 on"),
        (-1, ValueError, "elapsed is -1; allowed"),
        (1.0, TypeError, "elapsed is 1.0; allowed"),
        ("1", TypeError, "elapsed is 1; allowed"),
        ([1, 2, 3], ValueError, r"elapsed has shape \(3,\); allowed"),
        ([[1], [2]], ValueError, r"elapsed has shape \(2, 1\)"),
        ([0, -5], ValueError, "elapsed is -5"),
        (2**64 - 1, ValueError, "elapsed is -1"),
        (2**70, TypeError, "elapsed is"),
    ],
)
def test_what_is_no_time(elapsed: Any, error: type[Exception], match: str) -> None:
    agent = cl.load_agent("FrozenLake-v1", "optimal")
    with pytest.raises(error, match=match):
        agent(np.array([0, 1]), elapsed=elapsed)
    with pytest.raises(TypeError, match="elapsed is 1; allowed: None, this policy does not see it"):
        cl.load_agent("FrozenLake-v1", "arrows")(0, elapsed=1)


def test_what_sees_the_time_is_no_teacher() -> None:
    lower = pytest.importorskip("compute_layers.lower")
    with pytest.raises(ValueError, match="'optimal', which sees the time"):
        lower.lower("optimal", "FrozenLake-v1")
    tensors = {"actions": np.zeros((1, 2, 16), np.int64)}
    with pytest.raises(ValueError, match="family 'timed_table'; allowed in a population"):
        cl.rollout_population("FrozenLake-v1", "optimal", tensors, episodes=1)


# ---- Blackjack's table ----


def test_the_table_of_blackjack_is_that_of_its_rules() -> None:
    """Probabilities from the table against the shares of the cards that the rules deal."""
    model = model_of("Blackjack-v1", {})
    assert abs(sum(model.starts) - 1.0) < 1e-12
    hands = 200_000
    envs = cl.VectorEnv(hands, game="Blackjack-v1")
    (total, card, ace), _ = envs.reset(seed=1)
    seen = (total * 11 + card) * 2 + ace
    starts = np.bincount(model.observations, model.starts, minlength=704)
    share = np.bincount(seen, minlength=704) / hands
    assert (np.abs(share - starts) <= 5 * np.sqrt(starts / hands)).all()
    (total, card, ace), reward, ended, _, _ = envs.step(np.ones(hands, np.int64))
    after = np.zeros(704)
    expected = 0.0
    for start, row in zip(model.starts, model.rows, strict=True):
        for p, state, paid, _ in row[blackjack.HIT]:
            after[model.observations[state]] += start * p
            expected += start * p * paid
    share = np.bincount((total * 11 + card) * 2 + ace, minlength=704) / hands
    assert (np.abs(share - after) <= 5 * np.sqrt(after / hands)).all()
    assert abs(reward.mean() - expected) < 5 * reward.std() / hands**0.5
    assert (reward[ended] == -1).all()


def test_the_plan_for_blackjack_is_basic_strategy() -> None:
    plan = value_iteration("Blackjack-v1", gamma=1.0)
    strategy = agent_actions("Blackjack-v1", "basic-strategy")
    model = model_of("Blackjack-v1", {})
    hands = [s for s in range(704) if any(not terminated for *_, terminated in model.rows[s][blackjack.HIT])]
    playing = [s for s in hands if s // 22 >= 12]
    assert len(playing) > 150
    assert (plan.actions[playing] == strategy[playing]).all()
    assert exact_return("Blackjack-v1", strategy) == pytest.approx(exact_return("Blackjack-v1", plan.actions))


# ---- what is refused ----

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"game": "CartPole-v1"},
        ValueError,
        "game is 'CartPole-v1'; allowed: FrozenLake-v1, .*, or a TabularGame",
    ),
    ({"game": "Frozenlake-v1"}, ValueError, "did you mean 'FrozenLake-v1'"),
    ({"gamma": -0.1}, ValueError, r"gamma is -0\.1; allowed: from 0\.0 to 1\.0"),
    ({"gamma": 1.1}, ValueError, r"gamma is 1\.1; allowed"),
    ({"gamma": float("nan")}, ValueError, "gamma is nan; allowed"),
    ({"gamma": "much"}, TypeError, "gamma is 'much'; allowed"),
    ({"tolerance": -1e-9}, ValueError, "tolerance is -1e-09; allowed"),
    ({"tolerance": None}, TypeError, "tolerance is None; allowed"),
    ({"level": "fast"}, ValueError, "level is 'fast'; allowed"),
    ({"level": "asm", "isa": "baseline"}, cl.LevelUnavailable, "not available for planner backup"),
    ({"map_name": "5x5"}, ValueError, "map_name is '5x5'"),
    ({"map": "4x4"}, TypeError, "arguments of the game"),
    ({"game": "Taxi-v4", "fickle_passenger": True}, ValueError, "fickle_passenger is True; allowed: False"),
    ({"success_rate": 2.0}, ValueError, r"P\[0\]\[0\]\[0\] has probability -0\.5; allowed: from 0 on"),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("arguments", "error", "match"), REFUSED)
def test_what_a_planner_refuses(
    arguments: dict[str, Any], error: type[Exception], match: str, method: str
) -> None:
    with pytest.raises(error, match=match):
        METHODS[method](**{"game": "FrozenLake-v1", **arguments})


@pytest.mark.parametrize("level", [LEVELS[0], *NATIVE], ids=str)
def test_values_that_do_not_settle(level: cl.Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_SWEEPS", 50)
    for_ever = cl.TabularGame([[[(1.0, 0, 1.0, False)]]], [1.0])
    for plan in METHODS.values():
        with pytest.raises(
            ValueError, match=r"gamma is 1\.0, .* after 50 sweeps values still move by 1; allowed"
        ):
            plan(for_ever, gamma=1.0, level=level.name, isa=level.isa)
        huge = cl.TabularGame([[[(1.0, 0, 1e308, False)]]], [1.0])
        with pytest.raises(ValueError, match="P has rewards so large"):
            plan(huge, gamma=1.0, level=level.name, isa=level.isa)


def test_policies_that_take_turns_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_SWEEPS", 3)
    with pytest.raises(ValueError, match="after 4 sweeps policies still change; allowed: a larger tolerance"):
        policy_iteration("CliffWalking-v1", gamma=0.5, tolerance=0.4)


@pytest.mark.parametrize(
    ("actions", "error", "match"),
    [
        (np.zeros(15, np.int64), ValueError, r"actions has shape \(15,\); allowed: \(16,\)"),
        (np.zeros((16, 1), np.int64), ValueError, r"actions has shape \(16, 1\)"),
        (np.zeros(16), TypeError, "actions has dtype float64; allowed: integers"),
        ([0] * 15 + [4], ValueError, r"actions\[15\] is 4; allowed: 0 to 3"),
        ([-1] + [0] * 15, ValueError, r"actions\[0\] is -1; allowed: 0 to 3"),
        ([[0] * 16, [0] * 15 + [4]], ValueError, r"actions\[1, 15\] is 4; allowed: 0 to 3"),
        (np.zeros((0, 16), np.int64), ValueError, r"actions has shape \(0, 16\)"),
        (np.zeros((1, 1, 16), np.int64), ValueError, r"allowed: \(16,\) or \(steps, 16\)"),
    ],
)
def test_actions_that_are_no_policy(actions: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        exact_return("FrozenLake-v1", actions)


@pytest.mark.parametrize("limit", [0, -2, 1.5, "10", True])
def test_a_limit_that_is_none(limit: Any) -> None:
    for call in (lambda: optimal_return("FrozenLake-v1", max_episode_steps=limit),):
        with pytest.raises((ValueError, TypeError), match="max_episode_steps is .*; allowed"):
            call()


def arrays(**changes: Any) -> dict[str, Any]:
    """The arguments of the native sweep, for two states, an action and three outcomes."""
    return {
        "planner": "backup",
        "level": "cpp",
        "isa": "baseline",
        "counts": np.array([[1], [2]]),
        "probabilities": np.array([1.0, 0.5, 0.5]),
        "rewards": np.zeros(3),
        "states": np.array([1, 0, 1]),
        "terminated": np.zeros(3, np.int64),
        "gamma": 0.5,
        "values": np.ones(2),
        "tolerance": 0.0,
        "most": 3,
        **changes,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"counts": np.array([[1], [1]])},
        {"counts": np.array([[1], [3]])},
        {"counts": np.array([[0], [3]])},
        {"counts": np.array([[-1], [4]])},
        {"counts": np.array([[2**63 - 1], [4]])},
        {"counts": np.array([1, 2])},
        {"counts": np.zeros((2, 0), np.int64)},
        {"counts": np.array([[1], [1], [1]])},
        {"probabilities": np.ones(2)},
        {"rewards": np.ones(4)},
        {"terminated": np.zeros(2, np.int64)},
        {"states": np.array([1, 0, 2])},
        {"states": np.array([1, 0, -1])},
        {"values": np.ones(3)},
        {"values": np.ones((2, 1))},
        {"gamma": float("nan")},
        {"gamma": -1.0},
        {"tolerance": float("nan")},
        {"most": 0},
        {"isa": "sse9"},
    ],
    ids=str,
)
def test_the_native_sweep_refuses_what_it_would_not_survive(change: dict[str, Any]) -> None:
    assert _core.sweep(**arrays())[2] == 3
    with pytest.raises(ValueError, match="belong together|isa is"):
        _core.sweep(**arrays(**change))


def test_the_native_sweep_has_no_other_kernels() -> None:
    for change in ({"level": "asm"}, {"level": "python"}):
        with pytest.raises(RuntimeError, match="no kernel"):
            _core.sweep(**arrays(**change))
    with pytest.raises(KeyError, match="not in the registry"):
        _core.sweep(**arrays(planner="table"))


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals come another way")
def test_ctrl_c_ends_planning() -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        _core.sweep(**arrays(rewards=np.ones(3), gamma=1.0, most=NO_LIMIT))
    timer.join()


# ---- agents ----


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["plan", *arguments])


def test_which_agents_are_shipped() -> None:
    assert [(id, "value-iteration") for id in PLANNED] == [entry for entry in SHIPPED if entry not in TIMED]
    assert TIMED == [("FrozenLake-v1", "optimal"), ("FrozenLake8x8-v1", "optimal")]


REACHED = {
    "FrozenLake-v1": 0.735,
    "FrozenLake8x8-v1": 0.85,
    "CliffWalking-v1": -13.0,
    "CliffWalkingSlippery-v1": -64.71,
    "Taxi-v4": 7.93,
    "Blackjack-v1": -0.0431,
}


@pytest.mark.parametrize("id", REACHED)
def test_what_the_shipped_agents_reach(id: str) -> None:
    file = agent_file(id, "value-iteration")
    exact = exact_return(id, file.tensors["actions"])
    digits = len(repr(REACHED[id]).split(".")[1])
    assert round(exact, digits) >= REACHED[id]
    stated, best = re.match(
        r"(\S+) expected within \d+ steps, (\S+) at best$", file.metadata["exact"]
    ).groups()
    assert (stated, best) == (f"{exact:.6f}", f"{optimal_return(id):.6f}")


def without_time(metadata: dict[str, str]) -> dict[str, str]:
    return {name: re.sub(r"\S+ ms$", "", text) for name, text in metadata.items()}


@pytest.mark.parametrize(("id", "name"), SHIPPED)
def test_a_shipped_agent_comes_of_its_command(
    id: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = agent_file(id, name)
    program, subcommand, *arguments = shlex.split(shipped.metadata["command"])
    assert (program, subcommand, arguments[0]) == ("compute-layers", "plan", id)
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    made = agent_file(id, tmp_path / f"{name}.safetensors")
    assert_same(made.tensors, shipped.tensors, "tensors")
    assert without_time(made.metadata) == without_time(shipped.metadata)


@pytest.mark.parametrize("level", [LEVELS[0], *NATIVE], ids=str)
def test_the_command_at_each_level(level: cl.Level, tmp_path: Path) -> None:
    asked = level.name if level.isa is None else f"{level.name}:{level.isa}"
    file = tmp_path / "mine.safetensors"
    result = run(
        "CliffWalking-v1",
        "--method",
        "policy-iteration",
        "--gamma",
        "0.9",
        "--level",
        asked,
        "--save",
        str(file),
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("CliffWalking-v1/mine: return -13.0000 over seeds 0 to 999")
    assert re.fullmatch(
        rf"policy iteration, \d+ improvements, \d+ sweeps, \S+ ms at {re.escape(str(level))}", lines[1]
    )
    assert lines[2] == (
        "compute-layers plan CliffWalking-v1 --method policy-iteration --gamma 0.9 --save mine.safetensors"
    )
    made = agent_file("CliffWalking-v1", file)
    assert (made.layer, made.family.stem, made.head) == ("search", "table", "vote")
    assert cl.rollout("CliffWalking-v1", file, episodes=1).returns == [-13]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["CartPole-v1"], "game is 'CartPole-v1'; allowed"),
        (["FrozenLake-v1", "--method", "values"], "--method is 'values'; allowed: value-iteration"),
        (["FrozenLake-v1", "--gamma", "2"], "gamma is 2.0; allowed"),
        (["FrozenLake-v1", "--method", "backward-induction", "--tolerance", "1"], "--tolerance is 1.0;"),
        (["FrozenLake-v1", "--level", "asm:baseline"], "not available for planner backup"),
        (["FrozenLake-v1", "--level", "asm:sse"], "isa is 'sse'; allowed"),
        (["FrozenLake-v1", "--save", "agent.json"], "--save is 'agent.json'; allowed"),
        (["FrozenLake-v1", "--save", "nowhere/a.safetensors"], "there is no directory 'nowhere'"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], match: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert match in result.stderr


def test_only_an_id_as_it_stands_becomes_an_agent() -> None:
    other = cl.TabularGame.from_gymnasium(gym.make("FrozenLake-v1"))
    for plan in (value_iteration(other), value_iteration("FrozenLake-v1", is_slippery=False)):
        with pytest.raises(
            ValueError, match="the plan is for FrozenLake-v1 with .*; allowed: .* without arguments"
        ):
            agent_of(plan)
    assert (
        agent_of(value_iteration("FrozenLake-v1", tolerance=1e-3))
        .metadata["command"]
        .endswith("--gamma 0.999 --tolerance 0.001")
    )


def test_a_table_of_ones_own_gives_the_same_plan() -> None:
    for id in TABULAR:
        game = cl.TabularGame.from_gymnasium(gym.make(id))
        assert_same(outcome(value_iteration(game)), outcome(value_iteration(id)), id)
        assert optimal_return(game) == optimal_return(id)
