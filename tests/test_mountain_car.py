# SPDX-License-Identifier: MIT
"""MountainCar's own facts: the expression tree, the wall, its attributes and options, the short reduction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import compute_layers as cl
from compute_layers import registry
from conftest import Array, Maker, assert_same, served, unchanged_by

CARS = [id for id in cl.games() if id in ("MountainCar-v0",)]
pytestmark = pytest.mark.parametrize("game", CARS, indirect=True)

ATTRIBUTES: dict[str, dict[str, float]] = {
    "defaults": {},
    "a fast goal": {"goal_velocity": 0.03},
    "a goal beyond the speed": {"goal_velocity": 0.07},
    "a goal at the bottom": {"goal_position": -0.5, "goal_velocity": -0.002},
    "moon": {"gravity": 0.0004, "force": 0.0005},
    "strong": {"force": 0.02, "max_speed": 0.3},
    "backwards": {"force": -0.001, "gravity": -0.0025},
    "a narrow valley": {"min_position": -0.5, "max_position": -0.45, "goal_position": -0.47},
    "a wide valley": {"min_position": -1.25, "max_position": 1.25, "goal_position": 1.2, "force": 0.003},
    "several valleys": {"min_position": -9.0, "max_position": 7.0, "goal_position": 6.0, "force": 0.01},
    "no valley": {"min_position": -0.5, "max_position": -0.5},
    "walls crossed": {"min_position": -0.4, "max_position": -0.6, "goal_position": -0.41},
    "slow": {"max_speed": 0.0007, "goal_position": -0.41},
    "negative speed": {"max_speed": -0.01, "goal_position": 0.1},
}
changed = pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)
NAMES = ["min_position", "max_position", "max_speed", "goal_position", "goal_velocity", "force", "gravity"]
SETTINGS: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "max_episode_steps": -1}


def libm_sin_cos(angle: float) -> tuple[float, float]:
    return math.sin(angle), math.cos(angle)


def inject_libms_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.game(CARS[0]).rules, "sin_cos", libm_sin_cos)


def bare(n: int, goal_velocity: float = 0, **attributes: float) -> SyncVectorEnv:
    """Gymnasium's environments without wrappers, hence without a time limit."""
    envs = SyncVectorEnv(
        [lambda: MountainCarEnv(goal_velocity=goal_velocity)] * n, autoreset_mode=AutoresetMode.SAME_STEP
    )
    for name, value in attributes.items():
        envs.set_attr(name, value)
    return envs


def states(envs: SyncVectorEnv) -> dict[str, Array]:
    columns = np.array([env.state for env in envs.envs], np.float64).T  # type: ignore[attr-defined]
    return dict(zip(("position", "velocity"), map(np.ascontiguousarray, columns), strict=True))


def energetic(observation: Array) -> Array:
    """Push the way that the car moves: it arrives in some 120 steps."""
    return np.where(observation[..., 1] < 0, 0, 2)


def mixed(observation: Array, rng: np.random.Generator) -> Array:
    """So, but at random every fourth time."""
    n = len(observation)
    return np.where(rng.random(n) < 0.25, rng.integers(0, 3, n), energetic(observation))


@changed
def test_level_python_with_libms_cosine_is_gymnasium_byte_for_byte(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch, attributes: dict[str, float]
) -> None:
    """With random actions and with such that arrive."""
    inject_libms_cosine(monkeypatch)
    n, steps = 50, 40 if attributes else 400
    ours, theirs = make_all.vec(n, **SETTINGS), bare(n, **attributes)
    assert ours.level == "python"
    for name, value in attributes.items():
        ours.set_attr(name, value)
    rng = np.random.default_rng(1)
    ended = 0
    for options in (None, {"low": -1.3, "high": 0.7}):
        seen, infos = ours.reset(seed=1, options=options)
        assert_same((seen, infos), theirs.reset(seed=1, options=options), "reset")
        for at in range(steps):
            row = mixed(seen, rng) if options is None else rng.integers(0, 3, n)
            results = ours.step(row)
            assert_same(results, theirs.step(row), "step", at)
            assert_same(ours.get_state()["state"], states(theirs), "state after step", at)
            seen = results[0]
            ended += int(results[2].sum())
    assert ended or attributes, "no car arrived"


def test_the_injected_cosine_is_what_level_python_uses(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the bytes do differ: the test above would notice a cosine of another rounding."""
    rows = np.random.default_rng(1).integers(0, 3, (10, 1000))
    runs = []
    for inject in (False, True):
        if inject:
            inject_libms_cosine(monkeypatch)
        envs = make_all.vec(1000)
        envs.reset(seed=0, options={"low": -1.2, "high": 0.4})
        for row in rows:
            envs.step(row)
        runs.append(np.array(list(envs.get_state()["state"].values())))
    differ = float((runs[0] != runs[1]).any(axis=0).mean())
    assert 0.0 < differ < 0.5
    assert np.abs(runs[0] - runs[1]).max() < 1e-14


@changed
def test_rewards_and_flags_are_those_of_gymnasium(make: Maker, attributes: dict[str, float]) -> None:
    ours, theirs = make.vec(16, **SETTINGS), bare(16, **attributes)
    for name, value in attributes.items():
        ours.set_attr(name, value)
    seen, _ = ours.reset(seed=3)
    assert_same(seen, theirs.reset(seed=3)[0], "reset")
    rng = np.random.default_rng(3)
    for at in range(160):
        row = mixed(seen, rng)
        results = ours.step(row)
        assert_same(results[1:4], theirs.step(row)[1:4], "rewards and flags of step", at)
        seen = results[0]


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
        for at, row in enumerate(np.random.default_rng(2).integers(0, 3, (60, n))):
            results = [envs.step(row) for envs in batches]
            for envs, result in zip(batches, results, strict=True):
                assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python differ: step", at)
                assert_same(envs.get_state(), batches[0].get_state(), "state after step", at)
            ended = results[0][2] | results[0][3]
            if mode is AutoresetMode.DISABLED and ended.any():
                for envs in batches:
                    envs.reset(options={"reset_mask": ended.copy()})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zeros_as_attributes_are_those_of_gymnasium(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch, name: str, zero: float
) -> None:
    """Of two zeros np.clip keeps the state's, whatever its sign; compared in bytes, at every level."""
    batches = [make_all.vec(16, level, **SETTINGS) for level in served(make_all.id)]
    reference = bare(16, **{name: zero})
    options = {"low": -0.002, "high": 0.002}
    for envs in batches:
        envs.set_attr(name, zero)
        envs.reset(seed=0, options=options)
    reference.reset(seed=0, options=options)
    inject_libms_cosine(monkeypatch)  # of level python
    for at, row in enumerate(np.random.default_rng(0).integers(0, 3, (40, 16))):
        results = [envs.step(row) for envs in batches]
        assert_same(results[0], reference.step(row), "step", at)
        assert_same(batches[0].get_state()["state"], states(reference), "state after step", at)
        for envs, result in zip(batches[2:], results[2:], strict=True):
            assert_same(result, results[1], f"{envs.level}[{envs.isa}]: step", at)
            assert_same(envs.get_state(), batches[1].get_state(), f"{envs.level}[{envs.isa}]: state", at)


def test_attributes_are_those_of_gymnasium(make: Maker) -> None:
    ours, theirs = make.one(goal_velocity=0.02), MountainCarEnv(goal_velocity=0.02)
    assert [getattr(ours, name) for name in NAMES] == [getattr(theirs, name) for name in NAMES]
    assert ours._batch.names == NAMES
    assert make.one(goal_velocity=1).goal_velocity == 1


@pytest.mark.parametrize(
    "options",
    [{"low": -0.7}, {"high": -0.2}, {"low": -0.55, "high": -0.5}, {"low": -0.5, "high": -0.5}]
    + [{"low": "-0.55"}, {"low": False, "high": np.float32(1)}, {"low": -9, "high": 9}]
    + [{"low": 0.4, "high": 0.7}, {}],
)
def test_reset_options(make: Maker, options: dict[str, Any]) -> None:
    """They hold for that reset only; states out of bounds are played as Gymnasium plays them."""
    ours, theirs = make.one(), MountainCarEnv()
    for seed in range(20):
        assert_same(ours.reset(seed=seed, options=options), theirs.reset(seed=seed, options=options), "reset")
        for action in np.random.default_rng(seed).integers(0, 3, 60):
            results = [env.step(action) for env in (ours, theirs)]
            assert_same(*(result[1:] for result in results), "step")
            if results[0][2] or results[0][3]:
                break
        assert_same(ours.reset(), theirs.reset(), "the following reset")
    batches = make.vec(9, **SETTINGS), bare(9)
    assert_same(*(envs.reset(seed=4, options=dict(options)) for envs in batches), "reset of a batch")
    for row in np.random.default_rng(0).integers(0, 3, (30, 9)):
        results = [envs.step(row) for envs in batches]
        assert_same(*(result[1:4] for result in results), "step of a batch")


@pytest.mark.parametrize(
    ("options", "match"),
    [({"low": -0.3}, "above options"), ({"high": -0.7}, "above options"), ({"low": 1, "high": 0.5}, "above")]
    + [({"low": -1e308, "high": 1e308}, "allowed: a finite range")],
)
def test_reset_options_that_are_refused(make: Maker, options: dict[str, Any], match: str) -> None:
    for envs in (make.vec(3), make.one()):
        envs.reset(seed=0)
        with unchanged_by(envs, ValueError, match=rf"options\['low'\] is .*{match}"):
            envs.reset(seed=1, options=options)


def test_stepping_beyond_termination_goes_on_as_in_gymnasium(make: Maker) -> None:
    ours, theirs = make.one(), MountainCarEnv()
    for seed in range(4):
        played = []
        for env in (ours, theirs):
            seen, _ = env.reset(seed=seed)
            results: list[Any] = []
            beyond = 0
            while beyond < 150 and len(results) < 500:
                result = env.step(0 if beyond else int(energetic(seen)))
                seen = result[0]
                beyond += bool(beyond or result[2])
                results.append(result[1:])
            assert beyond == 150
            played.append(results)
        assert_same(*played, "episode and what follows, seed", seed)
        assert not all(result[1] for result in played[0][-150:]), "the car was meant to roll back"


def test_the_wall_stops_the_car(make: Maker) -> None:
    """There it stays while the motor is stronger than gravity."""
    for envs in (make.vec(3), bare(3)):
        envs.set_attr("force", 0.003)
        envs.reset(seed=0)
        for _ in range(100):
            seen = envs.step(np.zeros(3, int))[0]
        assert_same(seen, np.array([[-1.2, 0.0]] * 3, np.float32), "at the wall")


def test_the_state_may_be_read_and_set_as_gymnasiums(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject_libms_cosine(monkeypatch)
    ours, theirs = make_all.one(), MountainCarEnv()
    assert ours.state is None
    for env in (ours, theirs):
        env.reset(seed=3)
    assert_same(ours.state, theirs.state, "after reset")
    for state in ([0.49, 0.02], (-1.2, -0.07), np.array([0.6, 0.0])):
        for env in (ours, theirs):
            env.state = state
        assert_same(ours.state, np.array(theirs.state, np.float64), "after setting")
        for action in range(3):
            assert_same(*(env.step(action) for env in (ours, theirs)), "step")
    kept = ours.state
    for wrong in ([1.0, 2.0, 3.0], [np.nan, 0.0], "x", None):
        with pytest.raises((ValueError, TypeError)):
            ours.state = wrong
        assert_same(ours.state, kept, "after a refusal")


def test_an_action_of_an_unsigned_type_means_what_it_says(make: Maker) -> None:
    """Gymnasium computes 0 - 1 in uint8."""
    ours, plain = make.vec(3), make.vec(3)
    for envs in (ours, plain):
        envs.reset(seed=0)
    assert_same(ours.step(np.array([0, 1, 2], np.uint8)), plain.step(np.array([0, 1, 2])), "step")


# ---- the kernels for play ----


def hard_positions() -> Array:
    """Where the cosine of 3x changes its quadrant or its sign, zeros, the bounds, and so on."""
    marks = [k * math.pi / 12 for k in range(-4, 3)] + [0.0, -1.2, 0.6, 0.5, -0.5, -0.6, -0.4, 1e-9, 1e-300]
    steps = np.arange(-40, 41)
    near = [np.float64(mark) + steps * np.spacing(mark) for mark in marks]
    far = [mark + sign * 2.0**-e for mark in marks for e in range(2, 56) for sign in (-1, 1)]
    return np.unique(np.clip(np.concatenate([*near, far]), -1.2, 0.6))


def test_the_kernels_for_play_give_the_general_ones_bytes(make: Maker) -> None:
    """A batch plays on from states that are written into its buffers, another from the same set as a snapshot,
    after which no kernel relies on play."""
    rng = np.random.default_rng(0)
    count = 2_000 if make.level.name == "python" else 200_000
    positions = np.concatenate([hard_positions(), rng.uniform(-1.2, 0.6, count)])
    velocities = rng.uniform(-0.07, 0.07, len(positions))
    velocities[::7] = rng.choice([0.07, -0.07, 0.0, 1e-20], len(velocities[::7]))
    actions = rng.integers(0, 3, len(positions))
    results = []
    for general in (False, True):
        envs = make.vec(len(positions))
        envs.reset(seed=0)
        if general:
            snapshot = envs.get_state(include_rng=False)
            snapshot["state"] = {"position": positions, "velocity": velocities}
            envs.set_state(snapshot)
        else:
            envs._batch.state[:] = positions, velocities
        results.append((envs.step(actions), np.array(envs._batch.state)))
    assert_same(*results, "in play and in general")


# ---- whole episodes ----


def test_random_episodes_have_gymnasiums_lengths(game: str) -> None:
    """The random agent's actions, drawn from the documented stream by NumPy. None arrives."""
    env, lengths = MountainCarEnv(), []
    for k in range(100):
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(k, spawn_key=(1,))))
        env.reset(seed=k)
        ends = [env.step(action)[2] for action in stream.integers(3, size=200)]
        lengths.append(ends.index(True) + 1 if any(ends) else 200)
    for level in served(game):
        episodes = 20 if level.name == "python" else len(lengths)
        policy = "python" if level.name == "python" else "cpp"
        run = cl.rollout(
            game, "random", episodes=episodes, level=level.name, isa=level.isa, policy_level=policy
        )
        assert_same(run.lengths, np.array(lengths[:episodes]), f"lengths at {level}")
        assert_same(run.returns, -np.array(lengths[:episodes], float), f"returns at {level}")


def test_episodes_that_arrive_end_on_gymnasiums_step(make: Maker) -> None:
    n, steps = (8, 160) if make.level.name == "python" else (80, 420)
    settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    ours, theirs = make.vec(n, **settings), make.sync(n, id=make.id, **settings)
    seen = theirs.reset(seed=0)[0]
    assert_same(ours.reset(seed=0)[0], seen, "reset")
    rng = np.random.default_rng(0)
    arrived = late = 0
    for at in range(steps):
        row = mixed(seen, rng)
        results = ours.step(row), theirs.step(row)
        assert_same(*(result[1:4] for result in results), "rewards and flags of step", at)
        seen = results[1][0]
        arrived, late = arrived + int(results[1][2].sum()), late + int(results[1][3].sum())
    assert arrived
    assert late or steps < 200
