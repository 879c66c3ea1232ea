# SPDX-License-Identifier: MIT
"""PPO with PyTorch in one file, in the manner of CleanRL, on our batches and on Gymnasium's."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import compute_layers as cl
from conftest import assert_same, infinite_bounds, slowest_and_fastest

torch = pytest.importorskip("torch", reason='pip install ".[loops]" has not been run')

from torch import nn
from torch.distributions import Categorical

pytestmark = infinite_bounds
torch.set_num_threads(1)  # the sums of several threads have no order

STEPS, EPOCHS, MINIBATCHES = 128, 4, 4  # of an update
GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, NORM = 0.99, 0.95, 0.2, 0.01, 0.5, 0.5


def layer(inputs: int, outputs: int, scale: float) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, scale)
    nn.init.zeros_(linear.bias)
    return linear


def network(inputs: int, outputs: int, scale: float) -> nn.Sequential:
    hidden = layer(inputs, 64, 2**0.5), nn.Tanh(), layer(64, 64, 2**0.5), nn.Tanh()
    return nn.Sequential(*hidden, layer(64, outputs, scale))


def ppo(envs: Any, updates: int) -> dict[str, Any]:
    """Proximal policy optimisation on a vector environment in NEXT_STEP mode.

    Returns the episodes (step, environment, return, length), and the weights.
    """
    envs = RecordEpisodeStatistics(envs)
    n = envs.num_envs
    torch.manual_seed(1)
    features = int(np.prod(envs.single_observation_space.shape))
    actor, critic = network(features, int(envs.single_action_space.n), 0.01), network(features, 1, 1.0)
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2.5e-3, eps=1e-5)

    seen = torch.zeros(STEPS, n, features)
    actions = torch.zeros(STEPS, n, dtype=torch.int64)
    chances, rewards, values, following = (torch.zeros(STEPS, n) for _ in range(4))
    resets, terminations = (torch.zeros(STEPS, n, dtype=torch.bool) for _ in range(2))
    episodes = []

    observation = torch.as_tensor(envs.reset(seed=3)[0])
    ended = torch.zeros(n, dtype=torch.bool)
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = 2.5e-3 * (1 - update / updates)
        for step in range(STEPS):
            with torch.no_grad():
                choice = Categorical(logits=actor(observation))
                action = choice.sample()
                seen[step], actions[step], resets[step] = observation, action, ended
                chances[step], values[step] = choice.log_prob(action), critic(observation).squeeze(-1)
            result, reward, terminated, truncated, infos = envs.step(action.numpy())
            observation = torch.as_tensor(result)
            rewards[step], terminations[step] = torch.as_tensor(reward), torch.as_tensor(terminated)
            ended = torch.as_tensor(terminated | truncated)
            with torch.no_grad():
                following[step] = critic(observation).squeeze(-1)  # in NEXT_STEP mode of the same episode
            for i in np.flatnonzero(infos.get("_episode", ())):
                at = update * STEPS + step, int(i)
                episodes.append((*at, float(infos["episode"]["r"][i]), int(infos["episode"]["l"][i])))

        # Generalised advantages; a step that resets is no transition, and cuts what lies behind it off.
        advantages = torch.zeros(STEPS + 1, n)
        for step in reversed(range(STEPS)):
            surprise = rewards[step] + GAMMA * following[step] * ~terminations[step] - values[step]
            advantages[step] = (surprise + GAMMA * LAMBDA * advantages[step + 1]) * ~resets[step]
        advantages = advantages[:-1]
        targets = advantages + values

        sample = torch.nonzero(~resets.flatten()).squeeze(-1)
        for _ in range(EPOCHS):
            for part in sample[torch.randperm(len(sample))].chunk(MINIBATCHES):
                choice = Categorical(logits=actor(seen.view(-1, features)[part]))
                ratio = (choice.log_prob(actions.flatten()[part]) - chances.flatten()[part]).exp()
                advantage = advantages.flatten()[part]
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                gain = torch.min(advantage * ratio, advantage * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
                error = critic(seen.view(-1, features)[part]).squeeze(-1) - targets.flatten()[part]
                loss = VALUE * error.square().mean() / 2 - gain - ENTROPY * choice.entropy().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, NORM)
                optimizer.step()
    return {"episodes": episodes, "weights": [parameter.detach().numpy() for parameter in parameters]}


def ours(level: cl.Level) -> Any:
    return gym.make_vec("compute_layers/CartPole-v1", num_envs=8, level=level.name, isa=level.isa)


def test_it_learns_with_gymnasiums_episodes() -> None:
    """The last bits of observations differ, which over so few steps comes through to no action."""
    _, fastest = slowest_and_fastest("CartPole-v1")
    found = ppo(ours(fastest), 8)
    reference = ppo(gym.make_vec("CartPole-v1", num_envs=8, vectorization_mode="sync"), 8)
    assert_same(found["episodes"], reference["episodes"], "episodes of 8192 steps")
    assert np.mean([score for *_, score, _ in found["episodes"][-20:]]) > 80  # at random 22


def test_it_learns_the_same_at_every_level() -> None:
    """One differing bit would change the weights."""
    slowest, fastest = slowest_and_fastest("CartPole-v1")
    assert_same(ppo(ours(fastest), 2), ppo(ours(slowest), 2), "what was learned")
