# SPDX-License-Identifier: MIT
"""PPO (Schulman, Wolski, Dhariwal, Radford and Klimov, "Proximal Policy Optimization Algorithms", 2017), from
Stable-Baselines3, on a batch of our environments.

The policy is the family ``mlp``: the network of the actions, without noise; the network of the values is as large and is
left behind. Observations are scaled by their running mean and variance, which the first layer takes over. Every
CHECK rollouts the policy plays the 1000 episodes of the verification, and the best one is kept; those steps do not
count, only those that it learns from. ``evaluations`` are the verifications.

What a seed gives depends on the versions of the packages and on the kernels that PyTorch chooses for the CPU, which the
file names.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from importlib.metadata import version
from math import inf
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ..agents import Agent
from ..registry import Family, Game
from ..rollout import parse_count, rollout
from ..spec import Box, seen_by_policies
from ..vector import VectorEnv
from .run import (
    TRAINING_SEED,
    VERIFICATION,
    VERIFICATION_SEED,
    Method,
    Progress,
    Task,
    Tensors,
    cpus,
    perfect,
    whole,
)

LANES = 16
CHECK = 4  # rollouts between verifications
MOST_STEPS = 10**9
STEPS = whole(100_000, MOST_STEPS)
CLIP = 1e6  # of scaled observations: never, so that the first layer can do the scaling
# A rollout is n_steps of each lane. Found by trial, from those of RL Baselines3 Zoo.
SETTINGS: dict[str, Any] = {
    "n_steps": 64,
    "batch_size": 256,
    "n_epochs": 10,
    "learning_rate": 1e-3,
    "gamma": 0.99,
    "gae_lambda": 0.95,
}
OF_GAME: dict[str, dict[str, Any]] = {
    "Pendulum-v1": {"gamma": 0.9, "use_sde": True, "sde_sample_freq": 4},
    "MountainCar-v0": {"n_steps": 16, "gae_lambda": 0.98, "n_epochs": 4},
    "MountainCarContinuous-v0": {"gamma": 0.999, "gae_lambda": 0.9, "use_sde": True, "sde_sample_freq": 4},
    "Acrobot-v1": {"n_epochs": 4},
}


def _batch(game: Game) -> Any:
    """LANES environments as Stable-Baselines3 steps them."""
    from stable_baselines3.common.vec_env import VecEnv

    class Batch(VecEnv):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            self.envs = VectorEnv(
                LANES,
                game=game,
                max_episode_steps=game.entry.max_episode_steps,
                autoreset_mode=AutoresetMode.SAME_STEP,
            )
            super().__init__(LANES, self.envs.single_observation_space, self.envs.single_action_space)

        def reset(self) -> Any:
            observations, _ = self.envs.reset(seed=self._seeds)
            return observations

        def step_async(self, actions: NDArray[Any]) -> None:
            self.actions = actions

        def step_wait(self) -> Any:
            observations, rewards, terminated, truncated, infos = self.envs.step(self.actions)
            entries: list[dict[str, Any]] = [
                {"TimeLimit.truncated": bool(only)} for only in truncated & ~terminated
            ]
            done = terminated | truncated
            for lane in done.nonzero()[0]:
                entries[lane]["terminal_observation"] = infos["final_obs"][lane]
            return observations, rewards.astype(np.float32), done, entries

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return list(self.envs.get_attr(attr_name))

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            self.envs.set_attr(attr_name, value)

        def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
            return list(self.envs.call(method_name, *args, **kwargs))

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False] * LANES

        def close(self) -> None:
            self.envs.close()

    return Batch()


class PPO:
    """A run of it, which cannot be resumed: what Stable-Baselines3 saves is a pickle, and lacks the environments."""

    label = "PPO"

    def __init__(self, task: Task) -> None:
        try:
            import stable_baselines3
            import torch
            from stable_baselines3.common.vec_env import VecNormalize
        except ImportError as problem:
            raise DependencyNotInstalled(
                f"PPO needs the package {problem.name}: pip install 'compute_layers[ppo]'"
            ) from None
        fitting = "box" if isinstance(task.game.action, Box) else "argmax"
        if task.metadata["head"] != fitting:
            raise ValueError(f"head is {task.metadata['head']!r}; allowed: {fitting}")
        settings = SETTINGS | OF_GAME.get(task.game.id, {})
        self._rollout = LANES * settings["n_steps"]
        parse_count("steps", task.options["steps"], MOST_STEPS, least=CHECK * self._rollout)
        activations = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}
        self._task, self._torch = task, torch
        self._envs = VecNormalize(_batch(task.game), clip_obs=CLIP, gamma=settings["gamma"])
        self._model = stable_baselines3.PPO(
            "MlpPolicy",
            self._envs,
            **settings,
            seed=task.seed,
            policy_kwargs={
                "net_arch": list(task.layers),
                "activation_fn": activations[task.metadata["activation"]],
            },
            device="cpu",
        )
        self._envs.seed(TRAINING_SEED)
        packages = ("stable-baselines3", "torch", "numpy")
        self.made_with: Mapping[str, str] = {
            "packages": ", ".join(f"{name} {version(name)}" for name in packages),
            "blas": f"torch {torch.backends.cpu.get_cpu_capability()}"
            + (", MKL" if torch.backends.mkl.is_available() else ""),
        }

    def go(self, last: Progress | None) -> Generator[Progress, None, None]:
        threads = self._torch.get_num_threads()
        self._torch.set_num_threads(1)  # the sums of several threads have no order
        try:
            yield from self._learn()
        finally:
            self._torch.set_num_threads(threads)

    def _learn(self) -> Generator[Progress, None, None]:
        budget, model = self._task.options["steps"], self._model
        best, tensors, checks, over = -inf, {}, 0, ""
        start = time.perf_counter()
        while not over:
            model.learn(CHECK * self._rollout, reset_num_timesteps=checks == 0)
            checks += 1
            found = self.tensors()
            played = rollout(
                self._task.game,
                Agent(self._task.file(found), "auto", None, seed=0),
                episodes=VERIFICATION,
                seed=VERIFICATION_SEED,
                threads=cpus(),
            )
            recent = float(played.returns.mean())
            if recent > best:
                best, tensors = recent, found
            if perfect(self._task.game, played):
                over = "perfect"
            elif model.num_timesteps + CHECK * self._rollout > budget:
                over = "steps"
            seconds, share = time.perf_counter() - start, min(model.num_timesteps / budget, 1.0)
            yield Progress(seconds, checks, model.num_timesteps, recent, best, tensors, share, over)

    def tensors(self) -> Tensors:
        """The network of the actions, for observations as they are."""
        policy = self._model.policy
        linear = self._torch.nn.Linear
        layers = [each for each in policy.mlp_extractor.policy_net if isinstance(each, linear)]
        weights = [
            (each.weight.detach().numpy().astype(np.float64), each.bias.detach().numpy().astype(np.float64))
            for each in (*layers, policy.action_net)
        ]
        scale = np.sqrt(self._envs.obs_rms.var + self._envs.epsilon)
        first, bias = weights[0]
        first = first / scale
        weights[0] = first, bias - (first * self._envs.obs_rms.mean).sum(axis=1)
        return {
            f"{name}{number}": tensor.astype(np.float32)
            for number, pair in enumerate(weights)
            for name, tensor in zip("Wb", pair, strict=True)
        }


def _refusal(family: Family, game: Game | None) -> str:
    if family.stem != "mlp":
        return "trains mlp"
    if game is not None and not isinstance(seen_by_policies(game.observation), Box):
        return f"takes vectors of numbers, and {game.id} shows numbers of states"
    return ""


METHOD = Method(PPO, _refusal, {"steps": STEPS}, "steps")
