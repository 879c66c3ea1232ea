# SPDX-License-Identifier: MIT
"""Code written for Gymnasium runs unchanged: its checker, its wrappers, a CleanRL-style loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as vector_wrappers

from conftest import Array, Maker, assert_same, frozen, infinite_bounds, random_actions

pytestmark = infinite_bounds


def test_gymnasiums_checker_is_content(make: Maker) -> None:
    pytest.importorskip("pygame", reason="check_env renders")
    check_env(make.one())


def test_gymnasiums_checker_is_content_with_the_wrapped_environment(make: Maker) -> None:
    env = make.wrapped(render_mode="rgb_array")
    assert "PassiveEnvChecker" in str(env)
    env.reset(seed=0)
    for action in random_actions(env.action_space, (5,), np.random.default_rng(0)):
        env.step(action)


# ---- wrappers: what they return around ours and around Gymnasium's ----


def without_times(value: Any) -> Any:
    """Infos without the wall times that RecordEpisodeStatistics measures."""
    if isinstance(value, dict):
        return {key: without_times(entry) for key, entry in value.items() if key not in ("t", "_t")}
    return value


def all_but_observations(results: tuple[Any, ...]) -> Any:
    return results[1:-1], without_times(results[-1])


SINGLE: dict[str, Callable[[Any], Any]] = {
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "TransformReward": lambda env: wrappers.TransformReward(env, lambda reward: 2 * float(reward) - 1),
    "NormalizeReward": wrappers.NormalizeReward,
    "TimeLimit": lambda env: wrappers.TimeLimit(env, 9),
    "Autoreset": wrappers.Autoreset,
    "several": lambda env: wrappers.RecordEpisodeStatistics(
        wrappers.TransformReward(wrappers.NormalizeObservation(env), lambda reward: float(reward) + 1)
    ),
}


@pytest.mark.parametrize("wrap", SINGLE.values(), ids=SINGLE)
def test_wrappers_of_one_environment(make: Maker, wrap: Callable[[Any], Any]) -> None:
    pair = wrap(make.wrapped(max_episode_steps=15)), wrap(gym.make(make.id, max_episode_steps=15))
    rng = np.random.default_rng(0)
    assert_same(*(env.reset(seed=1)[1] for env in pair), "reset")
    statistics = 0
    for at in range(150):
        action = random_actions(pair[0].action_space, (), rng)
        ours, theirs = (env.step(action) for env in pair)
        assert_same(all_but_observations(ours), all_but_observations(theirs), "step", at)
        statistics += "episode" in ours[4]
        if ours[2] or ours[3]:
            assert_same(*(env.reset()[1] for env in pair), "reset")
    assert statistics > 5 or wrap not in (SINGLE["RecordEpisodeStatistics"], SINGLE["several"])


def test_time_limit_of_make(make: Maker) -> None:
    default = gym.spec(make.id).max_episode_steps
    env = make.wrapped()
    assert env.spec is not None
    assert env.spec.max_episode_steps == default
    for limit in (1, 4):
        env = make.wrapped(max_episode_steps=limit)
        env.reset(seed=0)
        actions = random_actions(env.action_space, (limit + 2,), np.random.default_rng(0))
        flags = [env.step(action)[3] for action in actions]
        assert flags == [step + 1 >= limit for step in range(limit + 2)]
    unlimited = make.wrapped(max_episode_steps=-1)
    assert "TimeLimit" not in str(unlimited)


@pytest.mark.parametrize("steps", [1, 7])
def test_a_batch_has_its_time_limit_itself(make: Maker, steps: int) -> None:
    envs = make.vec(4, max_episode_steps=steps)
    envs.reset(seed=0)
    actions = random_actions(envs.single_action_space, (steps, 4), np.random.default_rng(0))
    truncated = [envs.step(row)[3] for row in actions]
    assert truncated[-1].all()
    assert not np.any(truncated[:-1])


@pytest.mark.parametrize("limit", [None, -1])
def test_a_batch_without_a_time_limit(make: Maker, limit: int | None) -> None:
    envs = make.vec(4, max_episode_steps=limit)
    envs.reset(seed=0)
    assert envs._batch.limit == 2**63 - 1
    state = envs.get_state()
    state["elapsed"][:] = 10**12
    envs.set_state(state)
    assert not envs.step(random_actions(envs.single_action_space, (4,), np.random.default_rng(0)))[3].any()


VECTOR: dict[str, Callable[[Any], Any]] = {
    "RecordEpisodeStatistics": vector_wrappers.RecordEpisodeStatistics,
    "TransformReward": lambda envs: vector_wrappers.TransformReward(envs, lambda rewards: 3 * rewards - 1),
    "NormalizeReward": vector_wrappers.NormalizeReward,
    "ClipReward": lambda envs: vector_wrappers.ClipReward(envs, 0, 0.5),
    "several": lambda envs: vector_wrappers.RecordEpisodeStatistics(
        vector_wrappers.TransformReward(vector_wrappers.NormalizeReward(envs), lambda rewards: rewards + 1)
    ),
}


@pytest.mark.parametrize("wrap", VECTOR.values(), ids=VECTOR)
@pytest.mark.parametrize(
    "mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.name
)
def test_wrappers_of_a_batch(make: Maker, wrap: Callable[[Any], Any], mode: AutoresetMode) -> None:
    settings: dict[str, Any] = {"autoreset_mode": mode, "max_episode_steps": 15}
    pair = wrap(make.vec(6, **settings)), wrap(make.sync(6, id=make.id, **settings))
    assert_same(*(envs.reset(seed=1)[1] for envs in pair), "reset")
    actions = random_actions(pair[0].single_action_space, (60, 6), np.random.default_rng(0))
    episodes = 0
    for at, row in enumerate(actions):
        ours, theirs = (envs.step(row) for envs in pair)
        results = [
            (r[1:4], without_times({k: v for k, v in r[4].items() if k != "final_obs"}))
            for r in (ours, theirs)
        ]
        assert_same(*results, "step", at)
        episodes += int((ours[2] | ours[3]).sum())
    assert episodes > 10


@pytest.mark.parametrize("single", [True, False])
def test_normalised_observations_follow_ours(make: Maker, single: bool) -> None:
    """The wrapper's running mean and variance, of the observations that ours returns."""
    if not isinstance(make.one().observation_space, Box):
        pytest.skip("observations that are no vectors are not normalised")
    if single:
        plain, normal = make.one(), wrappers.NormalizeObservation(make.one())
        actions = random_actions(plain.action_space, (6,), np.random.default_rng(0))
    else:
        plain, normal = make.vec(5), vector_wrappers.NormalizeObservation(make.vec(5))
        actions = random_actions(plain.single_action_space, (6, 5), np.random.default_rng(0))
    seen = [plain.reset(seed=0)[0]]
    normal.reset(seed=0)
    for action in actions:
        seen.append(plain.step(action)[0])
        normal.step(action)
    rows = np.concatenate([np.atleast_2d(observation) for observation in seen]).astype(np.float64)
    reference = wrappers.utils.RunningMeanStd(shape=rows.shape[1:], dtype=normal.obs_rms.mean.dtype)
    for observation in seen:
        reference.update(np.atleast_2d(observation))
    assert_same((normal.obs_rms.mean, normal.obs_rms.var), (reference.mean, reference.var), "statistics")


# ---- a CleanRL-style loop ----


def policy_gradient(envs: Any, steps: int, recorded: Array | None = None) -> dict[str, Any]:
    """CleanRL's ppo.py in NumPy with a linear policy: rollout storage, masks, advantages, an update.

    With ``recorded`` the actions are those; else they are sampled from the policy.
    """
    envs = vector_wrappers.RecordEpisodeStatistics(envs)
    assert isinstance(envs.single_action_space, Discrete)
    n, count = envs.num_envs, int(envs.single_action_space.n)
    size = int(np.prod(envs.single_observation_space.shape))
    rng = np.random.default_rng(1)
    weights = np.zeros((size, count))
    storage = {
        "obs": np.zeros((steps, n, size)),
        "actions": np.zeros((steps, n), np.int64),
        "rewards": np.zeros((steps, n)),
        "dones": np.zeros((steps, n)),
    }
    episodes: list[tuple[int, float, int]] = []
    observation, _ = envs.reset(seed=3)
    done = np.zeros(n, bool)
    for update in range(2):
        for step in range(steps):
            features = np.asarray(observation, np.float64).reshape(n, size)
            logits = np.clip(features @ weights, -20, 20)
            chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            actions = (rng.random((n, 1)) > chances.cumsum(1)[:, :-1]).sum(1)
            if recorded is not None:
                actions = recorded[update * steps + step]
            storage["obs"][step], storage["actions"][step], storage["dones"][step] = features, actions, done
            observation, rewards, terminated, truncated, infos = envs.step(actions)
            storage["rewards"][step] = rewards
            done = np.logical_or(terminated, truncated)
            if "episode" in infos:
                for i in np.flatnonzero(infos["_episode"]):
                    episodes.append(
                        (
                            update * steps + step,
                            float(infos["episode"]["r"][i]),
                            int(infos["episode"]["l"][i]),
                        )
                    )
        returns = np.zeros((steps + 1, n))
        for step in reversed(range(steps)):
            following = returns[step + 1] * (1 - (done if step == steps - 1 else storage["dones"][step + 1]))
            returns[step] = storage["rewards"][step] + 0.99 * following
        advantage = returns[:-1] - returns[:-1].mean()
        taken = np.eye(count)[storage["actions"]]
        weights += 0.01 * np.einsum("tnf,tnc,tn->fc", storage["obs"], taken, advantage) / (steps * n)
    return {"episodes": episodes, **storage, "weights": weights}


def test_a_cleanrl_loop_runs_unchanged(make: Maker) -> None:
    if not isinstance(make.one().action_space, Discrete):
        pytest.skip("this loop is for discrete actions")
    n, steps = 16, 64
    space = make.one().action_space
    actions = random_actions(space, (2 * steps, n), np.random.default_rng(2))
    ours = policy_gradient(make.vec(n), steps, actions)
    theirs = policy_gradient(make.sync(n, id=make.id), steps, actions)
    assert len(ours["episodes"]) > n
    for name in ("episodes", "actions", "rewards", "dones"):
        assert_same(ours[name], theirs[name], name)


def test_a_cleanrl_loop_learns_the_same_at_every_level(make: Maker) -> None:
    """Actions sampled from observations: one differing bit would change the course of training."""
    if not isinstance(make.one().action_space, Discrete):
        pytest.skip("this loop is for discrete actions")
    first = policy_gradient(make.vec(8), 40)
    python: dict[str, Any] = {"level": "python"}
    reference = policy_gradient(gym.make_vec(make.vec(1).spec.id, num_envs=8, **python), 40)
    assert frozen(first["weights"]) != frozen(np.zeros_like(first["weights"]))
    assert_same(first, reference, "what was learned")
