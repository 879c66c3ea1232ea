# SPDX-License-Identifier: MIT
"""PPO by Stable-Baselines3: what it trains is the policy that Stable-Baselines3 plays."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

from compute_layers import registry
from compute_layers.agents import Agent
from compute_layers.train import METHODS, _task, train
from compute_layers.training import ppo
from conftest import assert_same, infinite_bounds

pytestmark = infinite_bounds
STEPS = ppo.CHECK * ppo.LANES * ppo.SETTINGS["n_steps"]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(
        DependencyNotInstalled, match=r"stable_baselines3: pip install 'compute_layers\[ppo\]'"
    ):
        train("CartPole-v1", "mlp", method="ppo", seed=0)


needed = pytest.mark.skipif(
    not all(find_spec(name) for name in ("torch", "stable_baselines3")),
    reason='pip install ".[ppo]" has not been run',
)


@needed
@pytest.mark.parametrize("id", ["CartPole-v1", "Pendulum-v1", "MountainCar-v0"])
def test_actions_are_those_of_stable_baselines3(id: str) -> None:
    """Scaling folded into the first layer rounds otherwise: an action between two of equal worth may turn."""
    game = registry.game(id)
    steps = ppo.CHECK * ppo.LANES * (ppo.SETTINGS | ppo.OF_GAME.get(id, {}))["n_steps"]
    task = _task(game, registry.family("mlp"), None, [32, 16], {}, 0, {"steps": steps})
    run: Any = ppo.PPO(task)
    (at,) = run.go(None)
    agent = Agent(task.file(at.tensors), "auto", None, seed=0)
    scaled = run._model.rollout_buffer.observations
    observations = run._envs.unnormalize_obs(scaled).reshape(-1, scaled.shape[-1])
    expected, _ = run._model.predict(run._envs.normalize_obs(observations), deterministic=True)
    found = agent(observations.astype(np.float32))
    assert len(observations) > 200
    if found.dtype == np.int64:
        assert (found == expected).mean() > 0.99
    else:
        assert found == pytest.approx(expected, abs=1e-3)


@needed
def test_the_same_seed_gives_the_same_agent() -> None:
    asked = {"method": "ppo", "layers": [8], "steps": STEPS}
    first, again, other = (train("CartPole-v1", "mlp", seed=seed, **asked) for seed in (1, 1, 2))
    assert_same(first.file.tensors, again.file.tensors, "tensors")
    assert any((first.file.tensors[name] != tensor).any() for name, tensor in other.file.tensors.items())
    said = first.file.metadata
    assert said["command"].endswith(
        f"--method ppo --head argmax --layers 8 --activation tanh --seed 1 --steps {STEPS}"
    )
    assert said["preparation"].startswith("PPO, ")
    assert "stable-baselines3 " in said["packages"]
    assert said["blas"].startswith("torch ")
    assert [at.steps for at in first.progress] == [STEPS]


@needed
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"head": "threshold"}, "head is 'threshold'; allowed: argmax"),
        ({"resume": "x"}, "resume is 'x'; allowed: none, method ppo cannot go on later"),
        ({"checkpoint": "x"}, "checkpoint is 'x'; allowed: none, method ppo cannot go on later"),
        ({"steps": STEPS - 1}, f"steps is {STEPS - 1}; allowed: {STEPS} to"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        train("CartPole-v1", "mlp", method="ppo", seed=0, **arguments)


def test_it_trains_networks_alone() -> None:
    refused = {stem for stem, family in registry.families().items() if METHODS["ppo"].refusal(family, None)}
    assert refused == set(registry.families()) - {"mlp"}
    with pytest.raises(ValueError, match="FrozenLake-v1 shows numbers of states"):
        train("FrozenLake-v1", "mlp", method="ppo", seed=0)
