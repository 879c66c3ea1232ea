# SPDX-License-Identifier: MIT
"""Stable-Baselines3 trains on our environments: the code of docs/loops.md, and what comes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import compute_layers as cl
from compute_layers import registry
from conftest import assert_same, infinite_bounds, random_actions, slowest_and_fastest

PAGE = Path(__file__).parents[1] / "docs" / "loops.md"
if not PAGE.exists():
    pytest.skip("the sdist has no docs", allow_module_level=True)
NEEDED = 'pip install ".[loops]" has not been run'
torch = pytest.importorskip("torch", reason=NEEDED)
pytest.importorskip("stable_baselines3", reason=NEEDED)

from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

pytestmark = infinite_bounds
torch.set_num_threads(1)  # the sums of several threads have no order

MAKE_VEC_ENV, ADAPTER, ON_A_BATCH = re.findall(
    r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S
)
page: dict[str, Any] = {}
exec(compile(ADAPTER, str(PAGE), "exec"), page)
make_batch = page["make_batch"]


def run(block: str) -> dict[str, Any]:
    """The names that a block of the page defines."""
    names = dict(page, PPO=PPO)
    exec(compile(block, str(PAGE), "exec"), names)
    return names


def at(level: cl.Level) -> dict[str, Any]:
    return {"level": level.name, "isa": level.isa}


def evaluated(model: Any, id: str) -> float:
    """The mean return of 100 episodes that training has not seen, with the likeliest actions."""
    envs = make_batch(registry.NAMESPACE + id, 50)
    envs.seed(1000)
    mean, _ = evaluate_policy(model, envs, n_eval_episodes=100)
    return float(mean)


# ---- it learns: random play cannot reach these returns ----


def test_ppo_on_cartpole_as_the_page_has_it() -> None:
    model = run(MAKE_VEC_ENV)["model"]
    assert model.num_timesteps >= 20_000
    assert evaluated(model, "CartPole-v1") > 200  # at random 22


def test_ppo_on_a_batch_of_pendulums_as_the_page_has_it() -> None:
    model = run(ON_A_BATCH)["model"]
    assert model.num_timesteps >= 20_000
    assert evaluated(model, "Pendulum-v1") > -600  # at random -1230


class PaidForSpeed(gym.Wrapper[Any, Any, Any, Any]):
    """What users put around MountainCar, whose own rewards are equal until the goal is found by chance."""

    def step(self, action: Any) -> Any:
        observation, reward, *rest = self.env.step(action)
        return observation, float(reward) + 20 * abs(float(observation[1])), *rest


def test_dqn_on_mountain_car() -> None:
    envs = make_vec_env("compute_layers/MountainCar-v0", n_envs=8, wrapper_class=PaidForSpeed)
    model = DQN(
        "MlpPolicy",
        envs,
        learning_rate=2e-3,
        batch_size=64,
        buffer_size=20_000,
        learning_starts=1000,
        target_update_interval=1000,
        train_freq=4,
        gradient_steps=8,
        exploration_fraction=0.3,
        policy_kwargs={"net_arch": [64, 64]},
        seed=0,
        device="cpu",
    ).learn(20_000)
    assert evaluated(model, "MountainCar-v0") > -180  # at random -200, in each of 100,000 episodes


# ---- the same steps, the same weights ----


def learned(algorithm: Any, envs: Any, steps: int, **settings: Any) -> dict[str, Any]:
    """What a short training leaves: the weights, and the lengths of the last 100 episodes."""
    model = algorithm("MlpPolicy", envs, seed=3, device="cpu", **settings).learn(steps)
    lengths = [int(episode["l"]) for episode in model.ep_info_buffer]
    weights = {name: tensor.numpy() for name, tensor in model.policy.state_dict().items()}
    return {"lengths": lengths, "weights": weights}


TRAININGS = {
    "PPO-CartPole-v1": (PPO, "CartPole-v1", 2048, {"n_steps": 128, "n_epochs": 4}),
    "PPO-Pendulum-v1": (PPO, "Pendulum-v1", 2048, {"n_steps": 128, "n_epochs": 4, "use_sde": True}),
    "A2C-Acrobot-v1": (A2C, "Acrobot-v1", 4096, {"n_steps": 64}),
    "PPO-Taxi-v4": (PPO, "Taxi-v4", 2048, {"n_steps": 128, "n_epochs": 4}),
    "DQN-MountainCar-v0": (DQN, "MountainCar-v0", 2048, {"learning_starts": 200, "train_freq": 8}),
}
trainings = pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)


@trainings
def test_a_batch_learns_what_single_environments_learn_at_every_level(training: Any) -> None:
    """One differing bit of an observation, a reward or an info would change the weights."""
    algorithm, id, steps, settings = training
    slowest, fastest = slowest_and_fastest(id)
    name = registry.NAMESPACE + id
    ours = learned(algorithm, make_batch(name, 8, **at(fastest)), steps, **settings)
    singles = make_vec_env(name, n_envs=8, env_kwargs=at(fastest))
    assert_same(ours, learned(algorithm, singles, steps, **settings), "a batch and single environments")
    reference = make_batch(name, 8, **at(slowest))
    assert_same(ours, learned(algorithm, reference, steps, **settings), "levels")
    assert len(ours["lengths"]) >= 8


@pytest.mark.parametrize("id", ["CartPole-v1", "FrozenLake-v1", "Taxi-v4"])
def test_training_on_gymnasiums_environments_has_the_same_episodes(id: str) -> None:
    """Toy text has the same weights too. CartPole's last bits may differ, which over this many steps has no
    consequence for an action."""
    settings = {"n_steps": 128, "n_epochs": 4}
    envs = make_vec_env(registry.NAMESPACE + id, n_envs=8), make_vec_env(id, n_envs=8)
    ours, theirs = (learned(PPO, each, 4096, **settings) for each in envs)
    assert_same(ours["lengths"], theirs["lengths"], "lengths")
    if registry.game(id).spec.table is not None:
        assert_same(ours["weights"], theirs["weights"], "weights")
    assert len(ours["lengths"]) >= 8


# ---- the page's adapter, step by step ----


@pytest.mark.parametrize("id", ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "FrozenLake-v1"])
def test_the_adapter_is_as_stable_baselines3_vectorises(id: str) -> None:
    name, n = registry.NAMESPACE + id, 5
    batch = make_batch(name, n, max_episode_steps=15).venv
    singles = make_vec_env(lambda: gym.make(name, max_episode_steps=15), n_envs=n)
    space = batch.action_space
    for envs in (batch, singles):
        envs.seed(7)
    assert_same(batch.reset(), singles.reset(), "reset")
    ended = 0
    for step, actions in enumerate(random_actions(space, (60, n), np.random.default_rng(0))):
        ours, theirs = batch.step(actions), singles.step(actions)
        assert_same(ours[:3], theirs[:3], "step", step)
        for mine, other in zip(ours[3], theirs[3], strict=True):
            for key in ("TimeLimit.truncated", "terminal_observation"):
                assert (key in mine) == (key in other)
                if key in mine:
                    assert np.array_equal(mine[key], other[key]), (step, key)
            ended += "terminal_observation" in mine
    assert ended >= 3 * n


def test_the_adapter_hands_on_attributes_and_methods() -> None:
    pytest.importorskip("pygame", reason="it renders")
    envs = make_batch("compute_layers/CartPole-v1", 3, render_mode="rgb_array")
    assert envs.get_attr("length", [0, 2]) == [0.5, 0.5]
    envs.set_attr("length", 1.0)
    assert envs.get_attr("length") == [1.0] * 3
    assert envs.render_mode == "rgb_array"
    envs.reset()
    (frame,) = envs.env_method("render", indices=[1])
    assert frame.shape == (400, 600, 3)
    envs.close()
    with pytest.raises(gym.error.ClosedEnvironmentError):
        envs.reset()


def test_the_adapter_refuses_what_would_mislead_it() -> None:
    with pytest.raises(ValueError, match="SAME_STEP"):
        page["BatchVecEnv"](gym.make_vec("compute_layers/CartPole-v1", 2))
