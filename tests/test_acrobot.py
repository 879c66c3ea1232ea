# SPDX-License-Identifier: MIT
"""Acrobot's own facts: the expression tree, turns and bounds, its attributes, options and noise, whole episodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control.acrobot import AcrobotEnv, wrap
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import compute_layers as cl
from compute_layers import registry
from compute_layers.games import acrobot
from conftest import Array, Maker, assert_same, served, unchanged_by

EVERY_GAME = True  # see conftest.py
ACROBOT = [id for id in cl.games() if id.startswith("Acrobot")]
pytestmark = pytest.mark.parametrize("game", ACROBOT, indirect=True)

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "nips": {"book_or_nips": "nips"},
    "noise": {"torque_noise_max": 0.7},
    "noise and nips": {"torque_noise_max": 2.5, "book_or_nips": "nips"},
    "negative noise": {"torque_noise_max": -1.0},
    "another chain": {
        "LINK_LENGTH_1": 1.3,
        "LINK_MASS_1": 0.7,
        "LINK_MASS_2": 1.9,
        "LINK_COM_POS_1": 0.4,
        "LINK_COM_POS_2": 0.6,
        "LINK_MOI": 0.8,
    },
    "short steps": {"dt": 0.05},
    "backwards": {"dt": -0.1, "LINK_LENGTH_2": 3.0},
    "slow": {"MAX_VEL_1": 1.1, "MAX_VEL_2": 0.6},
    "strong": {"AVAIL_TORQUE": [-13.5, 0.25, 11.0]},
    "fast": {"MAX_VEL_1": 17.0, "MAX_VEL_2": 35.0, "AVAIL_TORQUE": [-30.0, -1.0, 30.0]},
}
changed = pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)


def numpy_sin_cos(angle: float) -> tuple[float, float]:
    return float(np.sin(angle)), float(np.cos(angle))


def inject_libm(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy's sine and cosine, and powers where Gymnasium has them."""
    monkeypatch.setattr(acrobot, "sin_cos", numpy_sin_cos)
    monkeypatch.setattr(acrobot, "square", lambda x: float(np.float64(x) ** 2))


def bare(n: int, **attributes: Any) -> SyncVectorEnv:
    """Gymnasium's environments without wrappers, hence without a time limit."""
    envs = SyncVectorEnv([AcrobotEnv] * n, autoreset_mode=AutoresetMode.SAME_STEP)
    for name, value in attributes.items():
        envs.set_attr(name, [value] * n)
    return envs


def unlimited(make: Maker, n: int, level: cl.Level | None = None, **attributes: Any) -> cl.VectorEnv:
    settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "max_episode_steps": -1}
    envs = make.vec(n, level, **settings)
    for name, value in attributes.items():
        envs.set_attr(name, [value] * n)
    return envs


def states(envs: SyncVectorEnv) -> dict[str, Array]:
    columns = np.array([env.state for env in envs.envs], np.float64).T  # type: ignore[attr-defined]
    return dict(zip(acrobot.SPEC.state, map(np.ascontiguousarray, columns), strict=True))


def streams(envs: Any) -> list[Any]:
    return [generator.bit_generator.state for generator in envs.np_random]


def assert_near(ours: Array, theirs: Array, *where: object) -> None:
    """Observations of resets: NumPy's float32 sine and cosine may be off by a unit in the last place."""
    assert ours.dtype == theirs.dtype == np.float32
    low, high = (np.nextafter(theirs, np.float32(bound)) for bound in (-np.inf, np.inf))
    assert ((low <= ours) & (ours <= high)).all(), where
    assert_same(ours[..., 4:], theirs[..., 4:], "velocities", *where)


def swinging(observation: Array, rng: np.random.Generator) -> Array:
    """Torque against the velocity of the first link, in one of eight cases any: episodes of some 100 steps."""
    against = np.where(observation[..., 4] > 0, 0, 2)
    return np.where(rng.random(against.shape) < 0.125, rng.integers(0, 3, against.shape), against)


@changed
def test_level_python_with_libms_functions_is_gymnasium_byte_for_byte(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch, attributes: dict[str, Any]
) -> None:
    inject_libm(monkeypatch)
    n, steps = (30, 200) if not attributes else (10, 120)
    ours, theirs = unlimited(make_all, n, **attributes), bare(n, **attributes)
    assert ours.level == "python"
    seen, reference = ours.reset(seed=1)[0], theirs.reset(seed=1)[0]
    assert_near(seen, reference, "reset")
    rng = np.random.default_rng(1)
    ended_before = 0
    for at in range(steps):
        row = swinging(reference, rng)
        results = [envs.step(row) for envs in (ours, theirs)]
        seen, reference = results[0][0], results[1][0]
        assert_same(*(result[1:4] for result in results), "rewards and flags of step", at)
        ended = results[0][2]
        assert_same(seen[~ended], reference[~ended], "observations of step", at)
        assert_near(seen[ended], reference[ended], "first observations of step", at)
        assert_same(ours.get_state()["state"], states(theirs), "state after step", at)
        ended_before += int(ended.sum())
    assert_same(streams(ours), streams(theirs), "streams")
    if not attributes:
        assert ended_before > n


def test_the_injected_functions_are_what_level_python_uses(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them the bytes do differ: the test above would notice functions of another rounding."""
    rows = np.random.default_rng(1).integers(0, 3, (5, 500))
    runs = []
    for inject in (False, True):
        if inject:
            inject_libm(monkeypatch)
        envs = make_all.vec(500)
        envs.reset(seed=0)
        for row in rows:
            envs.step(row)
        runs.append(np.array(list(envs.get_state()["state"].values())))
    differ = float((runs[0] != runs[1]).any(axis=0).mean())
    assert 0.0 < differ < 0.9
    assert np.abs(runs[0] - runs[1]).max() < 1e-12


@changed
def test_rewards_flags_and_streams_are_those_of_gymnasium(make: Maker, attributes: dict[str, Any]) -> None:
    """Over as many steps as the last bits of angles do not matter."""
    n, steps = 8, 60 if attributes else 100
    ours, theirs = unlimited(make, n, **attributes), bare(n, **attributes)
    reference = theirs.reset(seed=3)[0]
    assert_near(ours.reset(seed=3)[0], reference, "reset")
    rng = np.random.default_rng(3)
    for at in range(steps):
        row = swinging(reference, rng)
        results = [envs.step(row) for envs in (ours, theirs)]
        reference = results[1][0]
        assert_same(*(result[1:4] for result in results), "rewards and flags of step", at)
    assert_same(streams(ours), streams(theirs), "streams")


@changed
def test_changed_attributes_give_the_same_bytes_at_every_level(
    make_all: Maker, attributes: dict[str, Any], mode: AutoresetMode
) -> None:
    """Set before and after a reset: kernels for the default numbers hand over to the general one."""
    n = 13
    batches = [
        make_all.vec(n, level, autoreset_mode=mode, max_episode_steps=17) for level in served(make_all.id)
    ]
    for late in (False, True):
        for envs in batches:
            if late:
                envs.reset(seed=2)
            for name, value in attributes.items():
                envs.set_attr(name, [value] * n)
            if not late:
                envs.reset(seed=2)
        for at, row in enumerate(np.random.default_rng(2).integers(0, 3, (22, n))):
            results = [envs.step(row) for envs in batches]
            for envs, result in zip(batches, results, strict=True):
                assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python differ: step", at)
                assert_same(envs.get_state(), batches[0].get_state(), "state after step", at)
            ended = results[0][2] | results[0][3]
            if mode is AutoresetMode.DISABLED and ended.any():
                for envs in batches:
                    envs.reset(options={"reset_mask": ended.copy()})


@pytest.mark.parametrize(
    "name",
    ["dt", "LINK_LENGTH_1", "LINK_MASS_1", "LINK_MASS_2", "LINK_COM_POS_1", "LINK_COM_POS_2", "LINK_MOI"]
    + ["MAX_VEL_1", "MAX_VEL_2"],
)
def test_zeros_as_attributes_are_those_of_gymnasium(make: Maker, name: str) -> None:
    ours, theirs = unlimited(make, 5, **{name: 0.0}), bare(5, **{name: 0.0})
    assert_near(ours.reset(seed=0)[0], theirs.reset(seed=0)[0], "reset")
    for at, row in enumerate(np.random.default_rng(0).integers(0, 3, (15, 5))):
        results = [envs.step(row) for envs in (ours, theirs)]
        assert_same(*(result[1:4] for result in results), "rewards and flags of step", at)
        np.testing.assert_allclose(results[0][0], results[1][0], rtol=0, atol=1e-5)


def test_attributes_are_those_of_gymnasium(make: Maker) -> None:
    ours, theirs = make.one(), AcrobotEnv()
    names = [name for name in acrobot.params() if not name.startswith("AVAIL")]
    assert_same([getattr(ours, name) for name in names], [getattr(theirs, name) for name in names], "params")
    assert ours.AVAIL_TORQUE == theirs.AVAIL_TORQUE
    assert make.vec(2).get_attr("AVAIL_TORQUE") == ([-1.0, 0.0, 1.0],) * 2


def test_the_torques_are_set_as_a_list(make: Maker) -> None:
    for envs in (make.one(), make.vec(3)):
        envs.AVAIL_TORQUE = (-2, 0.5, np.float32(3))
        assert envs.AVAIL_TORQUE == [-2.0, 0.5, 3.0]
        envs.AVAIL_TORQUE[0] = 7.0
        assert envs.AVAIL_TORQUE == [-2.0, 0.5, 3.0], "a copy"
        envs.reset(seed=0)
        with unchanged_by(envs, ValueError, match="AVAIL_TORQUE has length 2; allowed: 3"):
            envs.AVAIL_TORQUE = [1.0, 2.0]
        with unchanged_by(envs, TypeError, match="AVAIL_TORQUE is 1.0; allowed: a list of 3 numbers"):
            envs.AVAIL_TORQUE = 1.0
        with unchanged_by(envs, ValueError, match="AVAIL_TORQUE_1 is nan; allowed: a finite number"):
            envs.AVAIL_TORQUE = [1.0, math.nan, 2.0]


@pytest.mark.parametrize(
    "options",
    [{"low": -0.2}, {"high": 0.01}, {"low": 0.02, "high": 0.02}, {"low": "-0.01"}, {}]
    + [{"low": -2, "high": 2}, {"low": -9.0, "high": 40.0}, {"low": True, "high": np.float32(3)}],
)
def test_reset_options(make: Maker, options: dict[str, Any]) -> None:
    """They hold for that reset only; states out of bounds are played as Gymnasium plays them."""
    ours, theirs = make.one(), AcrobotEnv()
    for seed in range(10):
        seen = [env.reset(seed=seed, options=options)[0] for env in (ours, theirs)]
        assert_near(*seen, "reset")
        assert_same(ours.state, np.array(theirs.state, np.float64), "state after reset")
        for action in np.random.default_rng(seed).integers(0, 3, 6):
            results = [env.step(action) for env in (ours, theirs)]
            assert_same(*(result[1:] for result in results), "step")
        assert_near(*(env.reset()[0] for env in (ours, theirs)), "the following reset")
        assert_same(ours.state, np.array(theirs.state, np.float64), "state after the following reset")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.2}, r"options\['low'\] is 0.2, above options\['high'\]"),
        ({"low": -1e39}, r"options\['low'\] is -1e\+39.*allowed: a finite range in float32"),
    ],
)
def test_bad_reset_options(make: Maker, options: dict[str, Any], message: str) -> None:
    for envs in (make.one(), make.vec(3)):
        envs.reset(seed=0)
        with unchanged_by(envs, ValueError, match=message):
            envs.reset(seed=1, options=options)


# ---- turns ----


@pytest.mark.parametrize(
    "angle",
    [math.pi, -math.pi, math.nextafter(math.pi, 4), math.nextafter(-math.pi, -4), 3 * math.pi, -9.4248, 0.0]
    + [-0.0, 20.0, -31.4, 1234.5, -51000.0],
)
def test_turns_are_those_of_gymnasium(game: str, angle: float) -> None:
    assert_same(acrobot.wrap(angle), wrap(angle, -math.pi, math.pi), "angle")


@pytest.mark.parametrize("angle", [1e5, -1e9, 2.0**60, -1e300, 1.7976931348623157e308])
def test_more_turns_than_the_most_end_at_every_level(make_all: Maker, angle: float) -> None:
    """Where Gymnasium takes minutes or never ends."""
    taken = angle
    for _ in range(acrobot.TURNS):
        taken -= math.copysign(2 * math.pi, angle)
    assert_same(acrobot.wrap(angle), taken, "angle")
    batches = [make_all.vec(3, level) for level in served(make_all.id)]
    for envs in batches:
        envs.reset(seed=0)
        state = envs.get_state()
        state["state"]["theta1"][0] = state["state"]["theta2"][1] = angle
        envs.set_state(state)
    for at in range(2):
        results = [envs.step(np.array([0, 1, 2])) for envs in batches]
        for envs, result in zip(batches, results, strict=True):
            assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python differ: step", at)
            assert_same(envs.get_state(), batches[0].get_state(), "state after step", at)


def test_angles_in_play_stay_small(game: str) -> None:
    """What kernels for play rely on, from the corners of the box and random places in it, with the strongest
    torques that they take."""
    rng = np.random.default_rng(0)
    p: Any = type("Params", (), {**acrobot.params(), "book_or_nips": acrobot.BOOK})
    most = np.array([math.pi, math.pi, 13.0, 29.0])
    angles, velocities = 0.0, 0.0
    for k in range(1500):
        place = rng.choice([-1.0, 1.0], 4) if k % 2 else rng.uniform(-1.0, 1.0, 4)
        state, torque = acrobot.State(*(most * place).tolist()), float(rng.choice([-16.0, 16.0]))
        if k % 3 == 0:
            state = state._replace(theta2=0.0)  # where the divisors are smallest
        k1 = acrobot.derivatives(p, state, torque)
        k2 = acrobot.derivatives(p, acrobot.moved(state, 0.1, k1), torque)
        there = acrobot.moved(state, 0.1, k2)
        k3 = acrobot.derivatives(p, there, torque)
        there = acrobot.moved(state, 0.2, k3)
        angles = max(angles, abs(there.theta1) + abs(there.theta2))
        velocities = max(velocities, abs(there.theta_dot1), abs(there.theta_dot2))
    assert angles < 2.0**9
    assert (2 * velocities) * 0.2 / (2 * math.pi) < acrobot.TURNS / 2


# ---- whole episodes ----


def gymnasium_episode(env: AcrobotEnv, seed: int, choose: Callable[[Any], int], limit: int) -> int:
    observation, _ = env.reset(seed=seed)
    length, terminated = 0, False
    while not terminated and length < limit:
        observation, _, terminated, _, _ = env.step(choose(observation))
        length += 1
    return length


def at_every_level(id: str, agent: str, expected: Array, limit: int, sample: int) -> None:
    """Lengths of a rollout, natively of all episodes and at level python of the first ones."""
    for level in served(id):
        episodes = sample if level.name == "python" else len(expected)
        policy = "python" if level.name == "python" else "cpp"
        run = cl.rollout(
            id,
            agent,
            episodes=episodes,
            level=level.name,
            isa=level.isa,
            policy_level=policy,
            max_episode_steps=limit,
        )
        assert_same(run.lengths, expected[:episodes], f"lengths at {level}")


def test_random_episodes_end_on_gymnasiums_step(game: str) -> None:
    """The random agent's actions, drawn from the documented stream by NumPy, played by Gymnasium."""
    env, limit = AcrobotEnv(), 200
    lengths = []
    for k in range(60):
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(k, spawn_key=(1,))))
        actions = iter(stream.integers(3, size=limit).tolist())
        lengths.append(gymnasium_episode(env, k, lambda _, actions=actions: next(actions), limit))
    at_every_level(game, "random", np.array(lengths), limit, sample=3)


def test_swinging_episodes_end_on_gymnasiums_step(game: str) -> None:
    """The rule decides on the observations of Gymnasium itself. Of 1000 whole
    episodes 998 end on the same step, and all that end within 200 steps."""
    env, limit = AcrobotEnv(), 200
    lengths = np.array(
        [gymnasium_episode(env, k, lambda seen: 0 if seen[4] > 0 else 2, limit) for k in range(100)]
    )
    assert (lengths < limit).mean() > 0.9
    at_every_level(game, "swing", lengths, limit, sample=5)


def test_swing_returns_more_than_minus_86(game: str) -> None:
    assert cl.rollout(game, "swing", episodes=1000).returns.mean() >= -86.0


def test_swing_is_the_rule_that_its_page_states(game: str) -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(1000, 6)).astype(np.float32)
    seen[:20, 4] = 0.0
    for level in served(game):
        actions = cl.load_agent(game, "swing", level=level.name, isa=level.isa)(seen)
        assert_same(actions, np.where(seen[:, 4] > 0, 0, 2), level)


def test_stepping_beyond_termination(make: Maker) -> None:
    """Gymnasium goes on, pays 0 above the line and -1 below it."""
    ours, theirs = make.one(), AcrobotEnv()
    rewards = set()
    for seed in range(3):
        seen = [env.reset(seed=seed)[0] for env in (ours, theirs)]
        rng = np.random.default_rng(seed)
        for at in range(120):
            action = int(swinging(seen[1], rng))
            results = [env.step(action) for env in (ours, theirs)]
            assert_same(*(result[1:] for result in results), "step", at)
            seen = [result[0] for result in results]
            rewards.add(results[0][1])
    assert rewards == {0.0, -1.0}


def test_the_state_may_be_read_and_set_as_gymnasiums(make: Maker) -> None:
    ours, theirs = make.one(), AcrobotEnv()
    for env in (ours, theirs):
        env.reset(seed=3)
    assert_same(ours.state, np.array(theirs.state, np.float64), "after reset")
    for env in (ours, theirs):
        env.state = np.array([0.5, -3.0, 0.01, -0.2])
    assert_same(ours.state, np.array(theirs.state), "after setting")
    results = [env.step(1) for env in (ours, theirs)]
    assert_same(*(result[1:] for result in results), "after a step")
    np.testing.assert_allclose(ours.state, theirs.state, rtol=0, atol=1e-14)


# ---- noise ----


def test_noise_is_drawn_from_the_generator_that_users_hold(make: Maker) -> None:
    """Before the dynamics, one number a step, none of a step that only resets; none without noise."""
    for mode in AutoresetMode:
        ours, theirs = (
            make.vec(3, autoreset_mode=mode, max_episode_steps=4),
            make.sync(3, id=make.id, autoreset_mode=mode, max_episode_steps=4),
        )
        held = []
        for envs in (ours, theirs):
            envs.set_attr("torque_noise_max", 0.25)
            envs.reset(seed=9)
            held.append(envs.np_random)
        rng = np.random.default_rng(9)
        for at in range(11):
            for generators in held:
                generators[1].random()
            row = rng.integers(0, 3, 3)
            results = [envs.step(row) for envs in (ours, theirs)]
            assert_same(*(result[1:4] for result in results), "rewards and flags of step", at)
            np.testing.assert_allclose(results[0][0], results[1][0], rtol=0, atol=1e-6)
            assert_same(streams(ours), streams(theirs), "streams after step", at)
            ended = results[0][2] | results[0][3]
            if mode is AutoresetMode.DISABLED and ended.any():
                for envs in (ours, theirs):
                    envs.reset(options={"reset_mask": ended.copy()})


def test_noise_in_the_single_environment(make: Maker) -> None:
    ours, theirs = make.one(), AcrobotEnv()
    for env in (ours, theirs):
        env.torque_noise_max = 3.0
        env.reset(seed=1)
    for at in range(20):
        if at == 10:
            assert ours.np_random.bit_generator.state == theirs.np_random.bit_generator.state
        results = [env.step(at % 3) for env in (ours, theirs)]
        np.testing.assert_allclose(results[0][0], results[1][0], rtol=0, atol=1e-6)
    assert ours.np_random.bit_generator.state == theirs.np_random.bit_generator.state
    assert registry.game(make.id).spec.step_draws
