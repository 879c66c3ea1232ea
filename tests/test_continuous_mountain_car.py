# SPDX-License-Identifier: MIT
"""MountainCarContinuous' own facts: the types of its numbers, its attributes and options, Box actions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import swing
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import compute_layers as cl
from compute_layers import registry
from conftest import Array, Maker, assert_same, inside, served, unchanged_by

EVERY_GAME = True  # all levels, see conftest.py
CARS = [id for id in cl.games() if id.startswith("MountainCarContinuous")]
pytestmark = pytest.mark.parametrize("game", CARS, indirect=True)

ATTRIBUTES: dict[str, dict[str, float]] = {
    "defaults": {},
    "a fast goal": {"goal_velocity": 0.05},
    "a goal beyond the speed": {"goal_velocity": 0.07},
    "strong": {"power": 0.02, "max_speed": 0.3},
    "backwards": {"power": -0.0015, "goal_position": -0.55},
    "a narrow valley": {"min_position": -0.5, "max_position": -0.45, "goal_position": -0.47},
    "no valley": {"min_position": -0.5, "max_position": -0.5, "goal_position": -0.5},
    "walls crossed": {"min_position": -0.4, "max_position": -0.6, "goal_position": -0.41},
    "slow": {"max_speed": 0.0007, "goal_position": -0.5},
    "negative speed": {"max_speed": -0.01, "goal_position": -0.5},
    "half the force": {"min_action": -0.3, "max_action": 0.7},
    "one force": {"min_action": 0.1, "max_action": 0.1},
    "forces crossed": {"min_action": 0.3, "max_action": -0.2},
    "much force": {"min_action": -7.0, "max_action": 3.5},
}
changed = pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)
NAMES = ["min_action", "max_action", "min_position", "max_position", "max_speed", "goal_position"]
NAMES += ["goal_velocity", "power"]
SETTINGS: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "max_episode_steps": -1}


def inject_libms_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        registry.game(CARS[0]).rules, "sin_cos", lambda angle: (math.sin(angle), math.cos(angle))
    )


def bare(n: int, goal_velocity: float = 0, **attributes: float) -> SyncVectorEnv:
    """Gymnasium's environments without wrappers, hence without a time limit."""
    envs = SyncVectorEnv(
        [lambda: Continuous_MountainCarEnv(goal_velocity=goal_velocity)] * n,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    for name, value in attributes.items():
        envs.set_attr(name, value)
    return envs


def states(envs: SyncVectorEnv) -> dict[str, Array]:
    found = [env.state for env in envs.envs]  # type: ignore[attr-defined]
    columns = np.array(found, np.float64).T
    fresh = np.array([state.dtype == np.float64 for state in found], np.int64)
    return {
        **dict(zip(("position", "velocity"), map(np.ascontiguousarray, columns), strict=True)),
        "fresh": fresh,
    }


def forces(shape: tuple[int, ...], seed: int) -> Array:
    """Actions that push with the velocity's sign or against it for a while, some out of bounds, and some
    of the numbers where something changes."""
    rng = np.random.default_rng(seed)
    special = np.array([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 5.0, -1e30, 3.4e38], np.float32)
    special = np.concatenate(
        [special, np.nextafter(special, np.float32(0)), np.float32([1.0000001, -1.0000001])]
    )
    smooth = np.repeat(rng.uniform(-1.6, 1.6, (shape[0] // 20 + 1, *shape[1:])), 20, axis=0)[: shape[0]]
    chosen = np.where(rng.random(shape) < 0.5, smooth, rng.uniform(-1.2, 1.2, shape))
    chosen = np.where(rng.random(shape) < 0.1, rng.choice(special, shape), chosen)
    return chosen.astype(np.float32)[..., None]


def energetic(observation: Array) -> Array:
    """Push with all force the way that the car moves: the shortest way to the goal."""
    return np.where(observation[..., 1:] < 0, -1, 1).astype(np.float32)


@changed
def test_level_python_with_libms_cosine_is_gymnasium_byte_for_byte(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch, attributes: dict[str, float]
) -> None:
    inject_libms_cosine(monkeypatch)
    n, steps = 50, 40 if attributes else 400
    ours, theirs = make_all.vec(n, **SETTINGS), bare(n, **attributes)
    assert ours.level == "python"
    for name, value in attributes.items():
        ours.set_attr(name, value)
    for options in (None, {"low": -1.3, "high": 0.7}):
        assert_same(ours.reset(seed=1, options=options), theirs.reset(seed=1, options=options), "reset")
        for at, row in enumerate(forces((steps, n), 1)):
            if at % 3 == 0:
                # By chance alone the car never reaches the goal.
                row = energetic(np.array([*theirs.get_attr("state")])) * np.maximum(np.abs(row), 0.5)
            assert_same(ours.step(row), theirs.step(row), "step", at)
            assert_same(ours.get_state()["state"], states(theirs), "state after step", at)


def test_the_goal_is_reached_and_paid_as_in_gymnasium(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole episodes of a policy that arrives, again and again, with every goal_velocity."""
    inject_libms_cosine(monkeypatch)
    for goal_velocity in (0.0, 0.03, 0.06):
        ours, theirs = make_all.vec(20, goal_velocity=goal_velocity, **SETTINGS), bare(20, goal_velocity)
        seen, _ = ours.reset(seed=2)
        theirs.reset(seed=2)
        arrived = 0
        for at in range(300):
            row = energetic(seen) * np.float32(0.9)
            results = ours.step(row), theirs.step(row)
            assert_same(*results, "step", at)
            seen = results[0][0]
            arrived += int(results[0][2].sum())
        assert arrived > 20


def test_the_injected_cosine_is_what_level_python_uses(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is another one; that a float32 state seldom shows it is no merit of ours."""
    runs = []
    for inject in (False, True):
        if inject:
            inject_libms_cosine(monkeypatch)
        rules = registry.game(CARS[0]).rules
        runs.append([rules.sin_cos(3.0 * position)[1] for position in np.linspace(-1.2, 0.6, 5000).tolist()])
    differ = float(np.mean(np.array(runs[0]) != np.array(runs[1])))
    assert 0.0 < differ < 0.5
    assert np.abs(np.array(runs[0]) - np.array(runs[1])).max() < 1e-15


@changed
def test_rewards_and_flags_are_those_of_gymnasium(make: Maker, attributes: dict[str, float]) -> None:
    """With our cosine: its last bit is lost where float64 becomes float32, but for a step in millions."""
    ours, theirs = make.vec(16, **SETTINGS), bare(16, **attributes)
    for name, value in attributes.items():
        ours.set_attr(name, value)
    assert_same(ours.reset(seed=3)[0], theirs.reset(seed=3)[0], "reset")
    for at, row in enumerate(forces((150, 16), 3)):
        assert_same(ours.step(row)[1:4], theirs.step(row)[1:4], "rewards and flags of step", at)


@changed
def test_changed_attributes_give_the_same_bytes_at_every_level(
    make_all: Maker, attributes: dict[str, float], mode: AutoresetMode
) -> None:
    """Set before and after a reset: kernels for usual numbers hand over to the general one."""
    n = 37
    batches = [
        make_all.vec(n, level, autoreset_mode=mode, max_episode_steps=40) for level in served(make_all.id)
    ]
    for late in (False, True):
        for envs in batches:
            if late:
                envs.reset(seed=2)
            for name, value in attributes.items():
                envs.set_attr(name, value)
            if not late:
                envs.reset(seed=2)
        for at, row in enumerate(forces((60, n), 2)):
            results = [envs.step(row) for envs in batches]
            for envs, result in zip(batches, results, strict=True):
                assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python differ: step", at)
                assert_same(envs.get_state(), batches[0].get_state(), "state after step", at)
            ended = results[0][2] | results[0][3]
            if mode is AutoresetMode.DISABLED and ended.any():
                for envs in batches:
                    envs.reset(options={"reset_mask": ended.copy()})


def test_the_shorter_cosine_gives_the_same_float32(make: Maker) -> None:
    """For every 499th float32 position in play; tools/swing.py tries all."""
    if make.level.name == "python":
        pytest.skip("level python has one cosine")
    assert swing.differing(make.level, every=499)[0] == []


def test_attributes_are_those_of_gymnasium(make: Maker) -> None:
    ours, theirs = make.one(goal_velocity=0.02), Continuous_MountainCarEnv(goal_velocity=0.02)
    assert [getattr(ours, name) for name in NAMES] == [getattr(theirs, name) for name in NAMES]
    assert ours._batch.names == NAMES


@pytest.mark.parametrize(
    "options",
    [{"low": -0.7}, {"high": -0.2}, {"low": -0.55, "high": -0.5}, {"low": -0.5, "high": -0.5}]
    + [{"low": "-0.55"}, {"low": False, "high": np.float32(1)}, {"low": -2, "high": 2}, {"low": 0.4, "high": 0.7}, {}],
)  # fmt: skip
def test_reset_options(make: Maker, options: dict[str, Any]) -> None:
    """They hold for that reset only; states out of bounds are played as Gymnasium plays them."""
    ours, theirs = make.one(), Continuous_MountainCarEnv()
    for seed in range(20):
        assert_same(ours.reset(seed=seed, options=options), theirs.reset(seed=seed, options=options), "reset")
        for action in forces((60,), seed):
            results = [env.step(action) for env in (ours, theirs)]
            assert_same(*(result[1:] for result in results), "step")
            if results[0][2] or results[0][3]:
                break
        assert_same(ours.reset(), theirs.reset(), "the following reset")
    batches = make.vec(9, **SETTINGS), bare(9)
    assert_same(*(envs.reset(seed=4, options=dict(options)) for envs in batches), "reset of a batch")
    for row in forces((30, 9), 4):
        results = [envs.step(row) for envs in batches]
        assert_same(*(result[1:4] for result in results), "step of a batch")


@pytest.mark.parametrize("options", [{"low": -0.3}, {"high": -0.7}, {"low": 1, "high": 0.5}])
def test_reset_options_the_wrong_way_round(make: Maker, options: dict[str, Any]) -> None:
    env = make.one()
    env.reset(seed=0)
    with unchanged_by(env, ValueError, match=r"options\['low'\] is .*, above options\['high'\]"):
        env.reset(seed=1, options=options)


def test_stepping_beyond_termination_goes_on_as_in_gymnasium(make: Maker) -> None:
    ours, theirs = make.one(), Continuous_MountainCarEnv()
    for seed in range(5):
        played = []
        for env in (ours, theirs):
            seen, _ = env.reset(seed=seed)
            results = []
            beyond = 0
            while beyond < 60 and len(results) < 400:
                result = env.step(energetic(seen) if not beyond else np.float32([-0.5]))
                seen = result[0]
                beyond += bool(beyond or result[2])
                results.append(result[1:])
            assert beyond == 60
            played.append(results)
        assert_same(*played, "episode and what follows, seed", seed)


def test_the_state_may_be_read_and_set_as_gymnasiums(make: Maker) -> None:
    """A float64 state that is set is one fresh from a reset."""
    ours, theirs = make.one(), Continuous_MountainCarEnv()
    assert ours.state is None
    for env in (ours, theirs):
        env.reset(seed=3)
    assert_same(ours.state, theirs.state, "after reset")
    for action in forces((5,), 0):
        assert_same(*(env.step(action)[1:] for env in (ours, theirs)), "step")
    assert ours.state.tolist() == theirs.state.tolist()
    assert ours.get_state()["state"]["fresh"] == 0
    for position in (0.4 + 1e-12, 0.45, -1.2, 0.6):
        for env in (ours, theirs):
            env.state = np.array([position, 0.0])
        assert_same(ours.state, theirs.state, "after setting")
        assert ours.get_state()["state"]["fresh"] == 1
        assert_same(*(env.step(np.float32([0.25])) for env in (ours, theirs)), "a step")
    kept = inside(ours)
    for wrong in ([1.0, 2.0, 1.0], [np.nan, 0.0], [0.1], "x", None):
        with pytest.raises((ValueError, TypeError)):
            ours.state = wrong
        assert_same(inside(ours), kept, "after a refusal")


@pytest.mark.parametrize("value", [2, -1, 2**40, -(2**63)])
def test_a_snapshot_with_an_integer_out_of_bounds_is_refused(make: Maker, value: int) -> None:
    for envs in (make.vec(5), make.one()):
        envs.reset(seed=0)
        snapshot = envs.get_state()
        snapshot["state"]["fresh"][-1] = value
        snapshot["state"]["position"][:] = 0.0
        with unchanged_by(
            envs, ValueError, match=rf"^state\['fresh'\] has {value}; allowed: integers 0 to 1$"
        ):
            envs.set_state(snapshot)


def test_numbers_that_are_no_float32_are_rounded_where_the_state_is_not_fresh(make: Maker) -> None:
    exact, rounded = make.vec(2), make.vec(2)
    for envs in (exact, rounded):
        envs.reset(seed=0)
        snapshot = envs.get_state()
        snapshot["state"]["fresh"][:] = 0
        snapshot["state"]["position"][:] = 0.1, 1e300
        snapshot["state"]["velocity"][:] = -0.01, 1e-300
        if envs is rounded:
            snapshot["state"]["position"][0] = np.float32(0.1)
            snapshot["state"]["velocity"][0] = np.float32(-0.01)
        envs.set_state(snapshot)
    row = np.float32([[0.3], [0.3]])
    assert_same(exact.step(row)[0][0], rounded.step(row)[0][0], "steps")


# ---- actions ----


def test_the_reward_charges_the_action_that_was_asked_for(make: Maker) -> None:
    env = make.one()
    env.reset(seed=0)
    assert env.step(np.float32([5.0]))[1] == -2.5
    assert_same(env.step(np.float32([0.0]))[1], 0.0, "no force")
    ours, clipped = make.vec(3), make.vec(3)
    for envs, row in ((ours, [[9.0], [-1.5], [0.5]]), (clipped, [[2.0], [-3.0], [0.5]])):
        envs.reset(seed=0)
        envs.step(np.float32(row))
    assert_same(ours.get_state()["state"], clipped.get_state()["state"], "states")


# ---- whole episodes ----


def gymnasium_run(choose: Any, episodes: int, limit: int = 999) -> tuple[Array, Array]:
    """Lengths and returns."""
    env = Continuous_MountainCarEnv()
    lengths, returns = [], []
    for seed in range(episodes):
        seen, _ = env.reset(seed=seed)
        total, length, terminated = 0.0, 0, False
        policy = choose(seed)
        while not terminated and length < limit:
            seen, reward, terminated, _, _ = env.step(policy(seen))
            total += reward
            length += 1
        lengths.append(length)
        returns.append(total)
    return np.array(lengths), np.array(returns)


def random_policy(seed: int) -> Any:
    """The random agent's actions, drawn from the documented stream by NumPy."""
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(1,))))
    actions = iter(stream.uniform(-1.0, 1.0, size=(999, 1)).astype(np.float32))
    return lambda seen: next(actions)


def test_random_episodes_have_gymnasiums_lengths_and_returns(game: str) -> None:
    lengths, returns = gymnasium_run(random_policy, 150)
    for level in served(game):
        episodes = 5 if level.name == "python" else len(lengths)
        policy = "python" if level.name == "python" else "cpp"
        run = cl.rollout(
            game, "random", episodes=episodes, level=level.name, isa=level.isa, policy_level=policy
        )
        assert_same(run.lengths, lengths[:episodes], f"lengths at {level}")
        assert_same(run.returns, returns[:episodes], f"returns at {level}")


@pytest.mark.parametrize("share", [1.0, 0.85])
def test_episodes_that_reach_the_goal_end_on_gymnasiums_step(make: Maker, share: float) -> None:
    """A thousand of them, natively; rewards and flags of every step."""
    n = 4 if make.level.name == "python" else 200
    settings: dict[str, Any] = {**SETTINGS, "max_episode_steps": 999}
    ours, theirs = make.vec(n, **settings), make.sync(n, id=make.id, autoreset_mode=AutoresetMode.SAME_STEP)
    seen, _ = ours.reset(seed=0)
    theirs.reset(seed=0)
    for at in range(120):
        row = energetic(seen) * np.float32(share)
        results = ours.step(row), theirs.step(row)
        assert_same(*(result[1:4] for result in results), "step", at)
        seen = results[0][0]
