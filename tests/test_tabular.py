# SPDX-License-Identifier: MIT
"""Tables: how probabilities become draws, what is refused, and games of one's own."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.toy_text import frozen_lake as gymnasium_frozen_lake
from gymnasium.envs.toy_text.utils import categorical_sample
from gymnasium.vector import AutoresetMode

import compute_layers as cl
from compute_layers import registry
from compute_layers.games import frozen_lake
from compute_layers.table import Table
from conftest import LEVELS, assert_same, unserved

TOY_TEXT = [id for id in cl.games() if registry.game(id).spec.table is not None]
STAY = {0: {0: [(1.0, 0, 0.0, False)]}}
SERVED = [level for level in LEVELS if not unserved(TOY_TEXT[0], level)]
at_every_level = pytest.mark.parametrize("level", SERVED, ids=str)


class Chosen:
    """A generator that draws what it is told to."""

    def __init__(self, u: float) -> None:
        self._u = u

    def random(self) -> float:
        return self._u


def around(number: float) -> list[float]:
    """Multiples of 2**-53 in [0, 1), which are what `random` may draw, at a number."""
    unit = round(number * 2**53)
    return [k / 2**53 for k in range(unit - 2, unit + 3) if 0 <= k < 2**53]


@pytest.mark.parametrize(
    "probabilities",
    [
        [1.0],
        [1 / 3] * 3,
        [0.33333333333333337, 1 / 3, 0.33333333333333337],
        [0.0, 1.0],
        [1.0, 0.0],
        [0.1] * 10,
        [0.465, 0.07, 0.465],
        [-0.5, 2.0, -0.5],
        [0.9, 0.3, -0.2],
        [1 - 1e-10],
        [0.5, 0.5 - 1e-10],
    ],
)
def test_a_row_draws_what_categorical_sample_draws(probabilities: list[float]) -> None:
    rows = [[[(p, k, float(k), False) for k, p in enumerate(probabilities)]] for _ in probabilities]
    table = Table(rows, probabilities)
    for mark in [0.0, 1.0, *np.cumsum(probabilities), *np.linspace(0, 1, 41)]:
        for u in around(float(mark)):
            theirs = categorical_sample(probabilities, Chosen(u))
            assert table.rows[0][0].draw(u).state == theirs, (u, probabilities)
            assert table.start(u) == theirs, (u, probabilities)


@pytest.mark.parametrize(
    ("transitions", "starts", "message"),
    [
        ({0: {0: [(0.5, 0, 0.0, False)]}}, [1.0], r"probabilities of P\[0\]\[0\] sum to 0.5"),
        ({0: {0: [(1.0 + 2e-9, 0, 0.0, False)]}}, [1.0], r"P\[0\]\[0\] sum to"),
        ({0: {0: [(float("nan"), 0, 0.0, False)]}}, [1.0], r"P\[0\]\[0\]\[0\] is .* finite"),
        ({0: {0: [(1.0, 0, float("inf"), False)]}}, [1.0], r"P\[0\]\[0\]\[0\] is .* finite"),
        ({0: {0: [(1.0, 1, 0.0, False)]}}, [1.0], r"P\[0\]\[0\]\[0\] leads to state 1; allowed: 0 to 0"),
        ({0: {0: [(1.0, -1, 0.0, False)]}}, [1.0], r"leads to state -1"),
        ({0: {0: [(1.0, 0.5, 0.0, False)]}}, [1.0], r"leads to state 0.5"),
        ({0: {0: []}}, [1.0], r"P\[0\]\[0\] is empty"),
        ({0: {}}, [1.0], r"P\[0\] has the keys"),
        ({}, [], r"P has the keys"),
        ({1: {0: [(1.0, 0, 0.0, False)]}}, [1.0], r"P has the keys \[1\]"),
        (
            [[[(1.0, 0, 0, False)]], [[(1.0, 0, 0, False)]] * 2],
            [1.0, 0.0],
            r"P\[1\] has 2 actions; allowed: 1",
        ),
        (STAY, [0.5], "initial_state_distrib sums to 0.5"),
        (STAY, [0.5, 0.5], "initial_state_distrib has length 2; allowed: 1"),
    ],
)
def test_a_damaged_table_is_refused(transitions: Any, starts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cl.TabularGame(transitions, starts)


@pytest.mark.parametrize(
    ("transitions", "starts", "message"),
    [
        (7, [1.0], "P is 7; allowed: a list"),
        ({0: {0: 7}}, [1.0], r"P\[0\]\[0\] is 7"),
        ({0: {0: [(1.0, 0, 0.0)]}}, [1.0], r"P\[0\]\[0\]\[0\] is .* allowed: \(probability"),
        ({0: {0: [("x", 0, 0.0, False)]}}, [1.0], r"P\[0\]\[0\]\[0\]"),
        (STAY, 7, "initial_state_distrib is 7"),
        (STAY, ["x"], "initial_state_distrib is"),
    ],
)
def test_what_is_no_table_is_refused(transitions: Any, starts: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        cl.TabularGame(transitions, starts)


class Chain(gym.Env[Any, Any]):
    """Somebody's own toy-text environment: rows of different lengths, with draws in Gymnasium's way."""

    observation_space = spaces.Discrete(5)
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.P = {
            s: {
                0: [(0.25, max(s - 1, 0), -0.5, False), (0.75, s, 0.0, False)],
                1: [
                    (0.1, 0, -3.0, True),
                    (0.2, s, 0.0, False),
                    (0.3, s, 0.25, False),
                    (0.4, min(s + 1, 4), 1.5, s == 3),
                ],
            }
            for s in range(5)
        }
        self.P[2][0] = [(1.0, 4, 7.0, False)]
        self.initial_state_distrib = np.array([0.5, 0.0, 0.25, 0.25, 0.0])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.s = int(categorical_sample(self.initial_state_distrib, self.np_random))
        return self.s, {"prob": 1}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        transitions = self.P[self.s][action]
        p, self.s, reward, terminated = transitions[
            categorical_sample([t[0] for t in transitions], self.np_random)
        ]
        return self.s, reward, terminated, False, {"prob": p}


@at_every_level
def test_a_table_of_ones_own_plays_as_its_environment(level: cl.Level) -> None:
    n, rng = 37, np.random.default_rng(0)
    game = cl.TabularGame.from_gymnasium(Chain())
    assert game.id == "Chain"
    envs = game.make_vec(n, level=level.name, isa=level.isa)
    theirs = [Chain() for _ in range(n)]
    assert (envs.level, envs.single_observation_space, envs.single_action_space) == (
        level.name,
        Chain.observation_space,
        Chain.action_space,
    )
    ended = np.zeros(n, np.bool_)
    first, info = envs.reset(seed=5)
    assert first.tolist() == [env.reset(seed=5 + i)[0] for i, env in enumerate(theirs)]
    assert_same(info, {"prob": np.ones(n), "_prob": np.ones(n, np.bool_)})
    for _ in range(200):
        actions = rng.integers(0, 2, n)
        found = envs.step(actions)
        wanted = [
            (*env.reset()[:1], 0.0, False, False, {"prob": 1.0}) if done else env.step(int(action))
            for env, action, done in zip(theirs, actions, ended, strict=True)
        ]
        for k, dtype in enumerate((np.int64, np.float64, np.bool_, np.bool_)):
            assert_same(found[k], np.array([row[k] for row in wanted], dtype))
        assert_same(found[4]["prob"], np.array([row[4]["prob"] for row in wanted], np.float64))
        ended = found[2] | found[3]
    assert envs._batch.damaged() == -1


def test_a_game_of_ones_own_is_a_game() -> None:
    game = cl.TabularGame(Chain().P, Chain().initial_state_distrib, "chain", max_episode_steps=9)
    again = pickle.loads(pickle.dumps(game))
    assert (again.id, again.entry, again.default.table.rows) == ("chain", game.entry, game.default.table.rows)
    envs = again.make_vec(4)
    envs.reset(seed=0)
    for _ in range(9):
        truncated = envs.step(np.zeros(4, np.int64))[3]
    assert truncated.any()
    other = copy.deepcopy(envs)
    assert_same(other.step(np.ones(4, np.int64)), envs.step(np.ones(4, np.int64)))
    assert game.make(level="python").reset(seed=1)[0] == Chain().reset(seed=1)[0]
    with pytest.raises(TypeError, match="arguments of the game: none"):
        game.make(slippery=True)
    with pytest.raises(ValueError, match="allowed"):
        cl.rollout(game, "nobody", episodes=1)


def test_an_environment_without_a_table_is_no_tabular_game() -> None:
    with pytest.raises(TypeError, match="env is a CartPoleEnv; allowed: an environment with P"):
        cl.TabularGame.from_gymnasium(gym.make("CartPole-v1"))
    with pytest.raises(TypeError, match="env is a int"):
        cl.TabularGame.from_gymnasium(3)


@pytest.mark.parametrize("id", TOY_TEXT)
@pytest.mark.parametrize("through", ["gymnasium", "ours"])
def test_the_tables_are_gymnasiums(id: str, through: str) -> None:
    bare: Any = gym.make(id).unwrapped
    if through == "ours":
        bare = gym.make(f"compute_layers/{id}").unwrapped
    game = cl.TabularGame.from_gymnasium(bare)
    table = registry.game(id).default.table
    assert game.default.table.rows == table.rows
    assert game.default.table.starts == table.starts


# ---- what the games of Gymnasium have besides ----


@at_every_level
@pytest.mark.parametrize(
    "mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.name
)
@pytest.mark.parametrize("id", TOY_TEXT)
def test_infos_are_gymnasiums(id: str, mode: AutoresetMode, level: cl.Level) -> None:
    """But for the integers that Gymnasium cuts `prob` to when its first environment has just been reset."""
    n, rng = 5, np.random.default_rng(1)
    limit = registry.game(id).entry.max_episode_steps and 7
    kwargs = {} if limit is None else {"max_episode_steps": limit}
    theirs = gym.make_vec(id, n, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **kwargs)
    ours = gym.make_vec(
        f"compute_layers/{id}", n, level=level.name, isa=level.isa, autoreset_mode=mode, **kwargs
    )
    for options in (None, {"reset_mask": np.array([True, False, True, False, False])}):
        mine, yours = (
            envs.reset(seed=3, options=None if options is None else dict(options)) for envs in (ours, theirs)
        )
        assert_same(mine, _with_floats(yours))
        for _ in range(25):
            actions = rng.integers(0, ours.single_action_space.n, n)
            mine, yours = ours.step(actions), _with_floats(theirs.step(actions))
            if "prob" in yours[4] and not (yours[4]["prob"] % 1).any():
                mine[4]["prob"] = np.trunc(mine[4]["prob"])
            assert_same(mine, yours)


def _with_floats(result: Any) -> Any:
    """Gymnasium's result with `prob` as float64."""
    info = dict(result[-1])
    if "prob" in info:
        info["prob"] = info["prob"].astype(np.float64)
    return (*result[:-1], info)


@at_every_level
@pytest.mark.parametrize("id", TOY_TEXT)
def test_a_single_environment_reports_what_gymnasiums_does(id: str, level: cl.Level) -> None:
    rng = np.random.default_rng(2)
    ours = gym.make(f"compute_layers/{id}", level=level.name, isa=level.isa)
    theirs = gym.make(id)
    mine, yours = ours.reset(seed=8), theirs.reset(seed=8)
    assert_same(mine, yours)
    assert type(mine[0]) is int
    for _ in range(60):
        action = int(rng.integers(0, ours.action_space.n))
        mine, yours = ours.step(action), theirs.step(action)
        assert_same(mine, (yours[0], float(yours[1]), bool(yours[2]), *yours[3:]))
        assert type(mine[0]) is int
        if mine[2] or mine[3]:
            assert_same(ours.reset(), theirs.reset())


def test_infos_are_copies() -> None:
    env = gym.make("compute_layers/Taxi-v4").unwrapped
    _, first = env.reset(seed=0)
    first["action_mask"][:] = 9
    *_, second = env.step(0)
    assert second["action_mask"].max() == 1
    envs = gym.make_vec("compute_layers/Taxi-v4", 3)
    _, first = envs.reset(seed=0)
    kept = {name: array.copy() for name, array in first.items()}
    envs.step(np.zeros(3, np.int64))
    assert_same(first, kept)


# ---- FrozenLake's maps ----


@pytest.mark.parametrize("seed", range(300))
def test_random_maps_are_gymnasiums(seed: int) -> None:
    size, p = 2 + seed % 7, 0.3 + seed % 5 / 5
    wanted = gymnasium_frozen_lake.generate_random_map(size, p, seed)
    assert frozen_lake.generate_random_map(size, p, seed) == wanted
    ours = registry.game("FrozenLake-v1").setting({"desc": wanted})
    theirs: Any = gym.make("FrozenLake-v1", desc=wanted).unwrapped
    assert ours.table is not None
    assert ours.table.P == theirs.P
    assert ours.observation.size == 1
    assert ours.observation.n == theirs.observation_space.n  # type: ignore[union-attr]


@pytest.mark.parametrize(("size", "p"), [(1, 0.8), (0, 0.8), (4, 0.0), (4, -1.0), (4, float("nan"))])
def test_maps_that_cannot_be_are_refused(size: int, p: float) -> None:
    with pytest.raises(ValueError, match="allowed"):
        frozen_lake.generate_random_map(size, p)


def test_a_batch_shares_its_random_map_and_keeps_it() -> None:
    envs = gym.make_vec("compute_layers/FrozenLake-v1", 3, map_name=None)
    assert envs.unwrapped.desc.shape == (8, 8)
    again = pickle.loads(pickle.dumps(envs))
    assert (again.unwrapped.desc == envs.unwrapped.desc).all()
    assert again.unwrapped.P == envs.unwrapped.P


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"map_name": "5x5"}, "map_name is '5x5'; allowed: 4x4, 8x8, or None"),
        ({"desc": ["SF", "F"]}, "desc is .* allowed: strings of one length"),
        ({"desc": []}, "desc is"),
        ({"desc": "SFFG"}, "desc is"),
        ({"reward_schedule": (1, 0)}, "reward_schedule is"),
        ({"success_rate": float("nan")}, "finite"),
    ],
)
def test_bad_arguments_of_frozen_lake(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make("compute_layers/FrozenLake-v1", **arguments)


def test_a_map_without_a_start_begins_in_its_first_cell() -> None:
    env = gym.make("compute_layers/FrozenLake-v1", desc=["FF", "FG"])
    assert {env.reset(seed=seed)[0] for seed in range(20)} == {0}
