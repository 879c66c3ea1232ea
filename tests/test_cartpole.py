# SPDX-License-Identifier: MIT
"""CartPole's own facts: the expression tree, its attributes and options, what lies beyond termination."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import compute_layers as cl
from compute_layers import registry
from conftest import Array, Maker, assert_same, inside, random_actions, served, unchanged_by

CARTPOLE = [id for id in cl.games() if id == "CartPole-v1"]  # CartPole-v0 has the same rules
pytestmark = pytest.mark.parametrize("game", CARTPOLE, indirect=True)

ATTRIBUTES = {
    "defaults": {},
    "semi-implicit": {"kinematics_integrator": "semi-implicit euler"},
    "moon": {"gravity": 1.62, "tau": 0.03},
    "long and heavy": {"length": 1.3, "masspole": 0.4, "total_mass": 1.9, "polemass_length": 0.52},
    "weak and wide": {"force_mag": 3.7, "x_threshold": 5.0, "theta_threshold_radians": 0.7},
    "wide and semi-implicit": {
        "theta_threshold_radians": 9.0,
        "kinematics_integrator": "semi-implicit euler",
    },
    "backwards": {"gravity": -9.8, "force_mag": -10.0, "masscart": 7.0},
}
changed = pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)


def numpy_sin_cos(angle: float) -> tuple[float, float]:
    return float(np.sin(angle)), float(np.cos(angle))


def inject_numpys_sine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.game(CARTPOLE[0]).rules, "sin_cos", numpy_sin_cos)


def bare(n: int, sutton_barto_reward: bool = False, **attributes: Any) -> SyncVectorEnv:
    """Gymnasium's environments without wrappers, hence without a time limit."""
    envs = SyncVectorEnv(
        [lambda: CartPoleEnv(sutton_barto_reward)] * n, autoreset_mode=AutoresetMode.SAME_STEP
    )
    for name, value in attributes.items():
        envs.set_attr(name, value)
    return envs


def states(envs: SyncVectorEnv) -> dict[str, Array]:
    columns = np.array([env.state for env in envs.envs]).T  # type: ignore[attr-defined]
    return dict(zip(("x", "x_dot", "theta", "theta_dot"), map(np.ascontiguousarray, columns), strict=True))


def test_level_python_with_numpys_sine_is_gymnasium_byte_for_byte(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10⁵ random steps with each integrator, then others with changed attributes and the other reward."""
    inject_numpys_sine(monkeypatch)
    integrators = ["defaults", "semi-implicit"]
    for what, attributes in ATTRIBUTES.items():
        for sutton_barto in (False, True):
            n, steps = 100, (1000 if what in integrators and not sutton_barto else 60)
            settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "max_episode_steps": -1}
            ours = make_all.vec(n, sutton_barto_reward=sutton_barto, **settings)
            assert ours.level == "python"
            theirs = bare(n, sutton_barto, **attributes)
            for name, value in attributes.items():
                ours.set_attr(name, value)
            assert_same(ours.reset(seed=1), theirs.reset(seed=1), "reset")
            for at, row in enumerate(np.random.default_rng(1).integers(0, 2, (steps, n))):
                assert_same(ours.step(row), theirs.step(row), what, "step", at)
                assert_same(ours.get_state()["state"], states(theirs), what, "state after step", at)


def test_the_injected_sine_is_what_level_python_uses(
    make_all: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the bytes do differ: the test above would notice a sine of another rounding."""
    rows = np.random.default_rng(1).integers(0, 2, (10, 1000))
    runs = []
    for inject in (False, True):
        if inject:
            inject_numpys_sine(monkeypatch)
        envs = make_all.vec(1000)
        envs.reset(seed=0)
        for row in rows:
            envs.step(row)
        runs.append(np.array(list(envs.get_state()["state"].values())))
    differ = float((runs[0] != runs[1]).any(axis=0).mean())
    assert 0.0 < differ < 0.5
    assert np.abs(runs[0] - runs[1]).max() < 1e-12


@changed
def test_rewards_and_lengths_are_those_of_gymnasium(make: Maker, attributes: dict[str, Any]) -> None:
    for sutton_barto in (False, True):
        settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "max_episode_steps": -1}
        ours = make.vec(16, sutton_barto_reward=sutton_barto, **settings)
        theirs = bare(16, sutton_barto, **attributes)
        for name, value in attributes.items():
            ours.set_attr(name, value)
        assert_same(ours.reset(seed=3)[0], theirs.reset(seed=3)[0], "reset")
        for at, row in enumerate(np.random.default_rng(3).integers(0, 2, (120, 16))):
            assert_same(ours.step(row)[1:4], theirs.step(row)[1:4], "rewards and flags of step", at)


@changed
def test_changed_attributes_give_the_same_bytes_at_every_level(
    make_all: Maker, attributes: dict[str, Any], mode: AutoresetMode
) -> None:
    """Set before and after a reset: kernels for the default numbers hand over to the general one."""
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
        for at, row in enumerate(np.random.default_rng(2).integers(0, 2, (60, n))):
            results = [envs.step(row) for envs in batches]
            for envs, result in zip(batches, results, strict=True):
                assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python differ: step", at)
                assert_same(envs.get_state(), batches[0].get_state(), "state after step", at)
            ended = results[0][2] | results[0][3]
            if mode is AutoresetMode.DISABLED and ended.any():
                for envs in batches:
                    envs.reset(options={"reset_mask": ended.copy()})


@pytest.mark.parametrize(
    "name", ["total_mass", "length", "gravity", "tau", "force_mag", "polemass_length", "masspole"]
)
def test_zeros_as_attributes_are_those_of_gymnasium(make: Maker, name: str) -> None:
    """Also where they divide: infinities and NaN at every level, no exception, as in Gymnasium."""
    settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "max_episode_steps": -1}
    ours, theirs = make.vec(8, **settings), bare(8, **{name: 0.0})
    ours.set_attr(name, 0.0)
    assert_same(ours.reset(seed=0), theirs.reset(seed=0), "reset")
    with np.errstate(all="ignore"):
        for at, row in enumerate(np.random.default_rng(0).integers(0, 2, (8, 8))):
            assert_same(ours.step(row)[1:4], theirs.step(row)[1:4], "rewards and flags of step", at)


def test_derived_numbers_stay_when_an_attribute_is_set(make: Maker) -> None:
    ours, theirs = make.one(), CartPoleEnv()
    names = ["gravity", "masscart", "masspole", "total_mass", "length", "polemass_length", "force_mag", "tau"]
    names += ["theta_threshold_radians", "x_threshold", "kinematics_integrator"]
    for env in (ours, theirs):
        env.length = 2.0
        env.masspole = 3.0
    assert_same(
        [getattr(ours, name) for name in names], [getattr(theirs, name) for name in names], "attributes"
    )


@pytest.mark.parametrize(
    "options",
    [{"low": -0.2}, {"high": 0.01}, {"low": -0.01, "high": 0.3}, {"low": 0.02, "high": 0.02}]
    + [
        {"low": "-0.01"},
        {"low": True, "high": np.float32(3)},
        {"low": -2, "high": 2},
        {"low": -50.0, "high": 50.0},
        {},
    ],
)
def test_reset_options(make: Maker, options: dict[str, Any]) -> None:
    """They hold for that reset only; states out of bounds are played as Gymnasium plays them."""
    ours, theirs = make.one(), CartPoleEnv()
    for seed in range(20):
        assert_same(ours.reset(seed=seed, options=options), theirs.reset(seed=seed, options=options), "reset")
        for action in np.random.default_rng(seed).integers(0, 2, 200):
            results = [env.step(action) for env in (ours, theirs)]
            assert_same(*(result[1:] for result in results), "step")
            if results[0][2] or results[0][3]:
                break
        assert_same(ours.reset(), theirs.reset(), "the following reset")
    settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}
    batches = make.vec(9, max_episode_steps=-1, **settings), bare(9)
    assert_same(*(envs.reset(seed=4, options=dict(options)) for envs in batches), "reset of a batch")
    for row in np.random.default_rng(0).integers(0, 2, (30, 9)):
        results = [envs.step(row) for envs in batches]
        assert_same(*(result[1:4] for result in results), "step of a batch")


@pytest.mark.parametrize("options", [{"low": 0.1}, {"high": -0.06}, {"low": 1, "high": 0.5}])
def test_reset_options_the_wrong_way_round(make: Maker, options: dict[str, Any]) -> None:
    env = make.one()
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError, match=r"options\['low'\] is .*, above options\['high'\]"):
        env.reset(seed=1, options=options)
    assert_same(env.get_state(), before, "state")


def walk_beyond(env: Any, steps: int, seed: int, warned: bool) -> list[Any]:
    """An episode, and then as many steps again; later an ordinary episode."""
    played = [env.reset(seed=seed)]
    rng = np.random.default_rng(seed)
    ended = False
    while not ended:
        played.append(env.step(int(rng.integers(2)))[1:])
        ended = played[-1][1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        played += [env.step(int(rng.integers(2)))[1:] for _ in range(steps)]
    assert ("step()" in "".join(str(warning.message) for warning in caught)) == warned
    played.append(env.reset())
    ended = False
    while not ended:
        played.append(env.step(int(rng.integers(2)))[1:])
        ended = played[-1][1]
    return played


@pytest.mark.parametrize("sutton_barto", [False, True])
def test_stepping_beyond_termination(make: Maker, sutton_barto: bool) -> None:
    """Gymnasium goes on, warns once, and pays 0 (-1) outside the bounds; a pole that swings back is paid again."""
    ours, theirs = make.one(sutton_barto_reward=sutton_barto), CartPoleEnv(sutton_barto)
    for seed in range(15):
        played = [walk_beyond(env, 150, seed, warned=True) for env in (ours, theirs)]
        assert_same(*played, "episode and what follows, seed", seed)


def test_a_restored_state_is_not_beyond_termination(make: Maker) -> None:
    """Going back to mid-episode also takes back that the episode had terminated."""
    ours, plain = make.one(), make.one()
    ours.reset(seed=0)
    snapshot = ours.get_state()
    while not ours.step(1)[2]:
        pass
    with pytest.warns(UserWarning, match="step"):
        ours.step(1)
    ours.set_state(snapshot)
    plain.set_state(snapshot)
    for at in range(20):
        results = [env.step(1) for env in (ours, plain)]
        assert_same(*results, "step", at)
        if results[0][2]:
            break


# ---- whole episodes ----


def gymnasium_episode(env: CartPoleEnv, seed: int, choose: Any, limit: int = 500) -> int:
    observation, _ = env.reset(seed=seed)
    length, terminated = 0, False
    while not terminated and length < limit:
        observation, _, terminated, _, _ = env.step(choose(observation))
        length += 1
    return length


def at_every_level(id: str, agent: str, expected: Array, sample: int) -> None:
    """Lengths and returns of a rollout, natively of all episodes and at level python of the first ones."""
    for level in served(id):
        episodes = sample if level.name == "python" else len(expected)
        policy = "python" if level.name == "python" else "cpp"
        run = cl.rollout(id, agent, episodes=episodes, level=level.name, isa=level.isa, policy_level=policy)
        assert_same(run.lengths, expected[:episodes], f"lengths at {level}")
        assert_same(run.returns, expected[:episodes].astype(float), f"returns at {level}")


def test_10_000_random_episodes_end_on_gymnasiums_step(game: str) -> None:
    """The random agent's actions, drawn from the documented stream by NumPy, played by Gymnasium."""
    env = CartPoleEnv()
    lengths = []
    for k in range(10_000):
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(k, spawn_key=(1,))))
        actions = iter(stream.integers(2, size=500))
        lengths.append(gymnasium_episode(env, k, lambda _, actions=actions: next(actions)))
    at_every_level(game, "random", np.array(lengths), sample=1000)


def test_1000_pd_episodes_end_on_gymnasiums_step(game: str) -> None:
    """The rule 3θ + θ̇ > 0 decides on the observations of Gymnasium itself."""
    env, rule = CartPoleEnv(), cl.load_agent(game, "pd")
    lengths = np.array([gymnasium_episode(env, k, rule) for k in range(1000)])
    at_every_level(game, "pd", lengths, sample=20)


def test_pd_returns_500_for_every_one_of_1000_seeds(game: str) -> None:
    for start in (0, 2**32):
        run = cl.rollout(game, "pd", episodes=1000, seed=start)
        assert (run.returns == 500).all()
        assert (run.lengths == 500).all()


@pytest.mark.parametrize("agent", ["random", "pd", "tree-2", "always-right"])
def test_cartpole_v0_is_the_same_game_with_another_limit(game: str, agent: str) -> None:
    longer, shorter = (cl.rollout(id, agent, episodes=300) for id in (game, "CartPole-v0"))
    assert_same(shorter.lengths, np.minimum(longer.lengths, 200), "lengths")
    assert_same(shorter.returns, np.minimum(longer.returns, 200.0), "returns")


def test_always_right_is_the_baseline(game: str) -> None:
    run = cl.rollout(game, "always-right", episodes=1000)
    env = CartPoleEnv()
    assert_same(
        run.lengths[:200], np.array([gymnasium_episode(env, k, lambda _: 1) for k in range(200)]), "lengths"
    )
    assert run.lengths.max() < 12


def test_pd_is_the_rule_that_its_page_states(game: str) -> None:
    """3θ + θ̇ > 0 in float32, fused: exact where 3θ + θ̇ is."""
    rng = np.random.default_rng(0)
    seen = rng.integers(-1000, 1000, (5000, 4)).astype(np.float32) / 64
    for level in served(game):
        actions = cl.load_agent(game, "pd", level=level.name, isa=level.isa)(seen)
        assert_same(actions, (3 * seen[:, 2].astype(float) + seen[:, 3] > 0).astype(np.int64), level)


def test_the_sutton_barto_rollout_returns_minus_one(game: str) -> None:
    run = cl.rollout(game, "always-right", episodes=100, sutton_barto_reward=True)
    assert (run.returns == -1).all()
    pd = cl.rollout(game, "pd", episodes=20, sutton_barto_reward=True)
    assert (pd.returns == 0).all()


def test_random_actions_are_not_all_equal(make: Maker) -> None:
    actions = random_actions(make.one().action_space, (1000,), np.random.default_rng(0))
    assert 400 < actions.sum() < 600


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_pole_without_mass_can_be_cloned(make: Maker, clone: Any) -> None:
    for envs, action in ((make.vec(3), np.zeros(3, int)), (make.one(), 0)):
        envs.total_mass = 0.0
        envs.reset(seed=0)
        envs.step(action)
        assert not np.isfinite(envs._batch.state).all()
        assert_same(inside(clone(envs)), inside(envs), "the clone")


def test_a_range_of_initial_states_beyond_float64_is_refused(make: Maker) -> None:
    for envs in (make.vec(3), make.one()):
        envs.reset(seed=0)
        with unchanged_by(
            envs, ValueError, match=r"'low'\] is -1e\+308.*'high'\] 1e\+308; allowed: a finite"
        ):
            envs.reset(options={"low": -1e308, "high": 1e308})


def test_the_state_may_be_read_and_set_as_gymnasiums(make: Maker) -> None:
    ours, theirs = make.one(), CartPoleEnv()
    assert ours.state is None
    for env in (ours, theirs):
        env.reset(seed=3)
    assert_same(ours.state, theirs.state, "after reset")
    for env in (ours, theirs):
        env.state = [0.5, 0.0, 0.01, -0.2]
    assert_same(ours.state, np.array(theirs.state), "after setting")
    # The positions after a step do not depend on anybody's sine.
    results = [env.step(1)[0][[0, 2]] for env in (ours, theirs)]
    assert_same(*results, "positions after a step")
    kept = ours.state
    for wrong in ([1.0, 2.0], [np.nan, 0.0, 0.0, 0.0], "x", None):
        with pytest.raises((ValueError, TypeError)):
            ours.state = wrong
        assert_same(ours.state, kept, "after a refusal")
