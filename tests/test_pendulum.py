# SPDX-License-Identifier: MIT
"""Pendulum's own facts: the expression tree, the remainder of any angle, its arguments, options and picture."""

from __future__ import annotations

import copy
import math
import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import compute_layers as cl
from compute_layers import registry
from conftest import Array, Maker, assert_same, random_actions, served, unchanged_by

PENDULUM = [id for id in cl.games() if id.startswith("Pendulum")]
pytestmark = pytest.mark.parametrize("game", PENDULUM, indirect=True)

ATTRIBUTES: dict[str, dict[str, float]] = {
    "defaults": {},
    "moon": {"g": 1.62, "dt": 0.03},
    "long and heavy": {"l": 1.3, "m": 0.7},
    "strong and slow": {"max_torque": 17.3, "max_speed": 3.7},
    "without a motor": {"max_torque": 0.0},
    "fast": {"dt": 1.7, "max_speed": 100.0},
    "backwards": {"g": -9.81, "dt": -0.05, "max_torque": -1.0},
    "upside down": {"max_speed": -2.5, "l": -1.0},
}
changed = pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)


def numpy_sin_cos(angle: float) -> tuple[float, float]:
    return float(np.sin(angle)), float(np.cos(angle))


def inject_libm(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy's sine and cosine, and powers where Gymnasium has them."""
    rules = registry.game(PENDULUM[0]).rules
    monkeypatch.setattr(rules, "sin_cos", numpy_sin_cos)
    monkeypatch.setattr(rules, "square", lambda x: float(np.float64(x) ** 2))
    monkeypatch.setattr(rules, "square_float32", lambda x: float(np.float32(x) ** 2))


def bare(n: int, g: float = 10.0, **attributes: float) -> SyncVectorEnv:
    """Gymnasium's environments without wrappers, hence without a time limit."""
    envs = SyncVectorEnv([lambda: PendulumEnv(g=g)] * n, autoreset_mode=AutoresetMode.SAME_STEP)
    for name, value in attributes.items():
        envs.set_attr(name, value)
    return envs


def unlimited(make: Maker, n: int, level: cl.Level | None = None, **kwargs: Any) -> cl.VectorEnv:
    settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "max_episode_steps": -1}
    return make.vec(n, level, **settings, **kwargs)


def states(envs: SyncVectorEnv) -> dict[str, Array]:
    columns = [
        (*env.state, 0.0 if env.last_u is None else env.last_u)  # type: ignore[attr-defined]
        for env in envs.envs
    ]
    names = ("theta", "theta_dot", "last_u")
    return dict(zip(names, map(np.ascontiguousarray, np.array(columns).T), strict=True))


def torques(steps: int, n: int, seed: int) -> Array:
    """Some beyond the bounds, some zeros."""
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(-3.0, 3.0, (steps, n, 1)).astype(np.float32)
    drawn[rng.random(drawn.shape) < 0.05] = 0.0
    drawn[rng.random(drawn.shape) < 0.02] = -0.0
    return drawn


@changed
def test_level_python_with_numpys_functions_is_gymnasium_byte_for_byte(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch, attributes: dict[str, float]
) -> None:
    inject_libm(monkeypatch)
    n, steps = 100, 400 if not attributes else 60
    ours, theirs = unlimited(make_all, n), bare(n, **attributes)
    assert ours.level == "python"
    for name, value in attributes.items():
        ours.set_attr(name, value)
    assert_same(ours.reset(seed=1), theirs.reset(seed=1), "reset")
    for at, row in enumerate(torques(steps, n, seed=1)):
        assert_same(ours.step(row), theirs.step(row), "step", at)
        assert_same(ours.get_state()["state"], states(theirs), "state after step", at)


def test_the_time_limit_resets_all_lanes_as_gymnasium_does(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch, mode: AutoresetMode
) -> None:
    if mode is AutoresetMode.DISABLED:
        pytest.skip("nothing resets")
    inject_libm(monkeypatch)
    ours = make_all.vec(7, autoreset_mode=mode)
    theirs = make_all.sync(7, id=make_all.id, autoreset_mode=mode)
    assert_same(ours.reset(seed=2), theirs.reset(seed=2), "reset")
    ended = 0
    for at, row in enumerate(torques(430, 7, seed=2)):
        results = [envs.step(row) for envs in (ours, theirs)]
        assert_same(*(result[:4] for result in results), "step", at)
        ended += int(results[0][3].sum())
    assert ended == 14


def test_the_injected_functions_are_what_level_python_uses(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them the bytes do differ: the tests above would notice functions of another rounding."""
    rows = torques(10, 1000, seed=3)
    runs = []
    for inject in (False, True):
        if inject:
            inject_libm(monkeypatch)
        envs = unlimited(make_all, 1000)
        envs.reset(seed=0)
        rewards = np.array([envs.step(row)[1] for row in rows])
        runs.append((np.array(list(envs.get_state()["state"].values())), rewards))
    for ours, theirs in zip(*runs, strict=True):
        differ = float((ours != theirs).any(axis=0).mean())
        assert 0.0 < differ < 0.5
        assert np.abs(ours - theirs).max() < 1e-9


@changed
def test_changed_attributes_give_the_same_bytes_at_every_level(
    make_all: Maker, attributes: dict[str, float], mode: AutoresetMode
) -> None:
    """Set before and after a reset: the kernel for states in play hands over to the general one."""
    n = 37
    batches = [
        make_all.vec(n, level, autoreset_mode=mode, max_episode_steps=25) for level in served(make_all.id)
    ]
    for late in (False, True):
        for envs in batches:
            if late:
                envs.reset(seed=2)
            for name, value in attributes.items():
                envs.set_attr(name, value)
            if not late:
                envs.reset(seed=2)
        for at, row in enumerate(torques(60, n, seed=2)):
            results = [envs.step(row) for envs in batches]
            for envs, result in zip(batches, results, strict=True):
                assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python differ: step", at)
                assert_same(envs.get_state(), batches[0].get_state(), "state after step", at)
            if mode is AutoresetMode.DISABLED and results[0][3].any():
                for envs in batches:
                    envs.reset(options={"reset_mask": results[0][3].copy()})


# ---- the remainder of an angle, and its sine ----


def near(numbers: Any) -> list[float]:
    """The numbers, the three doubles on either side of each, and all their negatives."""
    found = []
    for number in numbers:
        below = above = float(number)
        found.append(below)
        for _ in range(3):
            below, above = math.nextafter(below, -math.inf), math.nextafter(above, math.inf)
            found += [below, above]
    return [sign * number for number in found for sign in (1.0, -1.0)]


def angles(most: float) -> Array:
    """Random angles of every size, and those where a remainder, a quadrant or a method changes."""
    rng = np.random.default_rng(0)
    sizes = rng.uniform(-60.0, math.log2(most), 12_000)
    found = [float(sign * 2.0**size) for sign, size in zip(rng.choice([-1, 1], 12_000), sizes, strict=True)]
    found += rng.uniform(-100.0, 100.0, 4000).tolist()
    quarters = [*range(40), *(2**e + d for e in range(6, 1022, 7) for d in (-1, 0, 1))]
    found += near(quarter * (math.pi / 2) for quarter in quarters)
    found += near((quarter - 2) * (math.pi / 2) - math.pi for quarter in range(40))
    found += near(2.0**e for e in (-1022, -60, -30, 0, 19, 20, 21, 49, 50, 51, 52, 53, 1000, 1023))
    chosen = np.array([0.0, -0.0, 5e-324, *found])
    return chosen[np.abs(chosen) <= most]


def angle_of(theta: float) -> float:
    return ((theta + math.pi) % (2.0 * math.pi)) - math.pi


def test_the_remainder_is_pythons_for_every_angle(make: Maker) -> None:
    """At rest the reward is -(angle * angle); what set_state brings is the general kernel's."""
    theta = angles(1.7e308)
    envs = unlimited(make, len(theta))
    envs.reset(seed=0)
    snapshot = envs.get_state()
    snapshot["state"]["theta"][:] = theta
    snapshot["state"]["theta_dot"][:] = 0.0
    envs.set_state(snapshot)
    reward = envs.step(np.zeros((len(theta), 1), np.float32))[1]
    expected = np.array([-((angle_of(x) * angle_of(x) + 0.0) + 0.0) for x in theta.tolist()])
    assert_same(reward, expected, "rewards")
    assert (expected > -(math.pi**2) - 1e-9).all()


def test_the_kernel_for_play_is_right_up_to_its_bound(make_all: Maker) -> None:
    """Angles as far as `plain` in pendulum.hpp lets them go. Two steps: the second uses the cached sine."""
    theta = angles(2.0**20)
    batches = [make_all.vec(len(theta), level, max_episode_steps=200) for level in served(make_all.id)]
    rows = torques(2, len(theta), seed=4)
    seen = []
    for envs in batches:
        envs.reset(seed=0)
        batch = envs._batch
        batch._views()["theta"][:] = theta
        batch._views()["theta_dot"][:] = np.linspace(-8.0, 8.0, len(theta))
        batch.moved()
        seen.append([(envs.step(row), envs.get_state()["state"]) for row in rows])
    for envs, found in zip(batches, seen, strict=True):
        assert_same(found, seen[0], f"{envs.level}[{envs.isa}] and python")


def test_a_time_limit_that_would_lead_too_far_is_played_too(make_all: Maker) -> None:
    """The walk is longer than the kernel for play allows: the general one plays on, at every level alike."""
    batches = [make_all.vec(9, level, max_episode_steps=2**40) for level in served(make_all.id)]
    for envs in batches:
        envs.set_attr("dt", 1e15)
        envs.set_attr("max_speed", 1e290)
        envs.reset(seed=0)
    for at, row in enumerate(torques(30, 9, seed=5)):
        results = [(envs.step(row), envs.get_state()["state"]) for envs in batches]
        for envs, result in zip(batches, results, strict=True):
            assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python: step", at)


# ---- whole episodes ----


@cache
def gymnasium_episodes(id: str, n: int) -> tuple[list[Any], Array]:
    """Random episodes of seeds 0 to n - 1: observations, rewards and flags of every step, and the actions."""
    envs = Maker.sync(n, id=id)
    envs.reset(seed=0)
    rows = random_actions(envs.single_action_space, (200, n), np.random.default_rng(0))
    return [envs.step(row)[:4] for row in rows], rows


def test_episodes_end_with_gymnasiums_and_return_the_same(make: Maker) -> None:
    """The angles part by some units of the last place: so does their sine."""
    n = 250
    theirs, rows = gymnasium_episodes(make.id, n)
    if make.level.name == "python":
        n = 20
    ours = make.vec(n)
    ours.reset(seed=0)
    returns = np.zeros((2, n))
    for at, (row, expected) in enumerate(zip(rows[:, :n], theirs, strict=True)):
        result = ours.step(row)
        assert_same(result[2:4], (expected[2][:n], expected[3][:n]), "flags of step", at)
        assert np.abs(result[0] - expected[0][:n]).max() <= 2e-6
        returns += result[1], expected[1][:n]
    assert result[3].all()
    assert np.abs(returns[0] / returns[1] - 1.0).max() < 1e-9
    assert -16.28 * 200 < returns.min() < returns.max() < -1.0


def test_upright_at_rest_costs_minus_zero(make: Maker) -> None:
    ours, theirs = make.one(), PendulumEnv()
    results = []
    for env in (ours, theirs):
        env.reset(seed=0)
        env.state = np.zeros(2)
        results.append(env.step(np.zeros(1, np.float32)))
    assert_same(*results, "step")
    assert math.copysign(1.0, results[0][1]) == -1.0


# ---- arguments, attributes, options ----


@pytest.mark.parametrize("g", [9.81, 0.0, -10, "5"])
def test_gravity_is_an_argument(make: Maker, g: Any) -> None:
    if isinstance(g, str):
        with pytest.raises(TypeError, match="g is '5'; allowed: a finite number"):
            make.one(g=g)
        return
    ours, theirs = unlimited(make, 8, g=g), bare(8, g)
    assert ours.get_attr("g") == (float(g),) * 8
    for envs in (ours, theirs):
        envs.reset(seed=0)
    for row in torques(20, 8, seed=0):
        results = [envs.step(row) for envs in (ours, theirs)]
        assert np.abs(results[0][0] - results[1][0]).max() <= 1e-6
    assert_same(*(result[2:4] for result in results), "flags")


def test_the_attributes_are_gymnasiums(make: Maker) -> None:
    ours, theirs = make.one(g=9.0), PendulumEnv(g=9.0)
    for name in ("max_speed", "max_torque", "dt", "g", "m", "l"):
        assert getattr(ours, name) == getattr(theirs, name), name
        for env in (ours, theirs):
            setattr(env, name, 1.25)
        assert getattr(ours, name) == getattr(theirs, name) == 1.25, name


@pytest.mark.parametrize("name", ["max_speed", "max_torque", "dt", "g"])
def test_zeros_as_attributes_are_those_of_gymnasium(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    inject_libm(monkeypatch)
    ours, theirs = unlimited(make_all, 8), bare(8, **{name: 0.0})
    ours.set_attr(name, 0.0)
    assert_same(ours.reset(seed=0), theirs.reset(seed=0), "reset")
    for at, row in enumerate(torques(8, 8, seed=0)):
        assert_same(ours.step(row), theirs.step(row), "step", at)


@pytest.mark.parametrize("name", ["m", "l"])
def test_a_rod_without_mass_or_length_divides_by_zero(make_all: Maker, name: str) -> None:
    """Where Gymnasium raises ZeroDivisionError; infinities and NaN are alike at every level."""
    env = PendulumEnv()
    env.reset(seed=0)
    setattr(env, name, 0.0)
    with pytest.raises(ZeroDivisionError):
        env.step(np.zeros(1, np.float32))
    batches = [unlimited(make_all, 9, level) for level in served(make_all.id)]
    for envs in batches:
        envs.set_attr(name, 0.0)
        envs.reset(seed=0)
    for at, row in enumerate(torques(6, 9, seed=0)):
        results = [(envs.step(row), envs._batch.state.copy()) for envs in batches]
        for envs, result in zip(batches, results, strict=True):
            assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python: step", at)


@pytest.mark.parametrize(
    "options",
    [{"x_init": 0.1}, {"y_init": 0.0}, {"x_init": 100.0, "y_init": 7.5}, {"x_init": "0.5"}, {"x_init": 0}]
    + [{"x_init": True, "y_init": np.float32(3)}, {"y_init": 1e10}, {}],
)
def test_reset_options(make: Maker, options: dict[str, Any]) -> None:
    """They hold for that reset only."""
    ours, theirs = make.one(), PendulumEnv()
    for seed in range(20):
        for env in (ours, theirs):
            env.reset(seed=seed, options=options)
        assert_same(ours.state, np.array(theirs.state), "state after the reset")
        assert_same(*(env.reset() for env in (ours, theirs)), "the following reset")
    batches = unlimited(make, 9), bare(9)
    for envs in batches:
        envs.reset(seed=4, options=dict(options))
    assert_same(batches[0].get_state()["state"], states(batches[1]), "states of a batch")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x_init": -0.1}, r"options\['x_init'\] is -0.1; allowed: 0 and more"),
        ({"y_init": -1}, r"options\['y_init'\] is -1.0; allowed: 0 and more"),
        ({"x_init": math.nan}, r"options\['x_init'\] is nan; allowed: a finite number"),
        ({"y_init": math.inf}, r"options\['y_init'\] is inf; allowed: a finite number"),
        ({"y_init": 1e308}, r"options\['y_init'\] is 1e\+308; allowed: a finite range"),
    ],
)
def test_reset_options_that_gymnasium_refuses(make: Maker, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, OverflowError)), np.errstate(over="ignore"):
        PendulumEnv().reset(seed=0, options=options)
    for envs in (make.vec(3), make.one()):
        envs.reset(seed=0)
        with unchanged_by(envs, ValueError, match=message):
            envs.reset(seed=1, options=options)


# ---- actions ----


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_actions_of_other_float_types_are_rounded_to_float32(make: Maker, dtype: Any) -> None:
    rows = np.random.default_rng(0).uniform(-3.0, 3.0, (10, 5, 1)).astype(dtype)
    runs = []
    for kind in (dtype, np.float32):
        envs = make.vec(5)
        envs.reset(seed=0)
        runs.append([envs.step(row.astype(kind)) for row in rows])
    assert_same(*runs, "steps")


def test_the_torque_of_the_last_step_is_clipped_and_belongs_to_the_state(make: Maker) -> None:
    env = make.one()
    env.reset(seed=0)
    assert env.get_state()["state"]["last_u"] == [0.0]
    for action, torque in ((7.0, 2.0), (-7.0, -2.0), (0.1, float(np.float32(0.1))), (-0.0, -0.0)):
        env.step(np.array([action], np.float32))
        assert_same(env.get_state()["state"]["last_u"], np.array([torque]), "last_u")
    env.state = [0.1, 0.2]
    assert env.get_state()["state"]["last_u"] == [0.0]
    assert_same(env.state, np.array([0.1, 0.2]), "state")


@pytest.mark.filterwarnings("ignore:.*recommend using a symmetric and normalized space:UserWarning")
def test_gymnasiums_checker_is_content(make: Maker) -> None:
    """It has the same remark about Gymnasium's own action space."""
    check_env(make.one(), skip_render_check=True)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_clone_shows_the_same_picture(make: Maker, clone: Any) -> None:
    pytest.importorskip("pygame", reason="rendering needs the extra render")
    ours, theirs = make.one(render_mode="rgb_array"), PendulumEnv(render_mode="rgb_array")
    for env in (ours, theirs):
        env.reset(seed=0)
        without = env.render()
        env.step(np.array([1.5], np.float32))
    frame = ours.render()
    assert_same(frame, theirs.render(), "frame")
    assert_same(clone(ours).render(), frame, "frame of the clone")
    assert frame.tobytes() != without.tobytes()
    theirs.close()
