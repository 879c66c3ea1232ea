# SPDX-License-Identifier: MIT
"""The single environment's interface."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import compute_layers as cl
from compute_layers import registry
from conftest import Maker, assert_same, play, random_actions, rows

EVERY_KIND = True  # see conftest.py


def actions_for(env: Any, steps: int, seed: int = 0) -> Any:
    return random_actions(env.action_space, (steps,), np.random.default_rng(seed))


def test_types(make: Maker) -> None:
    env = make.one()
    observation, info = env.reset(seed=0)
    assert observation in env.observation_space
    spec = registry.game(make.id).spec
    assert set(info) == {*spec.info, *spec.masks}
    observation, reward, terminated, truncated, info = env.step(actions_for(env, 1)[0])
    assert observation in env.observation_space
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
    assert set(info) == {*spec.info, *spec.masks}


def test_observations_are_fresh_arrays(make: Maker) -> None:
    env = make.one()
    if not isinstance(env.observation_space, gym.spaces.Box):
        pytest.skip("observations are ints")
    seen = [env.reset(seed=0)[0], *(result[0] for result in play(env, actions_for(env, 3))), env.reset()[0]]
    for a in range(len(seen)):
        for b in range(a):
            assert not np.shares_memory(seen[a], seen[b])


def first_of(observation: Any) -> Any:
    """The observation of the first environment of a batch, as a single one has it."""
    first = rows(observation, 0)
    if isinstance(first, tuple):
        return tuple(map(int, first))
    return first if first.ndim else int(first)


def test_it_plays_as_a_batch_of_one(make: Maker) -> None:
    env, envs = make.one(), make.vec(1, max_episode_steps=-1)
    assert_same(env.reset(seed=6)[0], first_of(envs.reset(seed=6)[0]), "reset")
    for at, action in enumerate(actions_for(env, 100)):
        ours, batch = env.step(action), envs.step(np.expand_dims(action, 0))
        assert_same(ours[0], first_of(batch[0]), "observation", at)
        assert_same(ours[1:4], tuple(part[0].item() for part in batch[1:4]), "reward and flags", at)
        if ours[2]:
            assert_same(env.reset()[0], first_of(envs.step(np.expand_dims(action, 0))[0]), "the next episode")


def test_it_has_no_time_limit_of_its_own(make: Maker) -> None:
    env = make.one()
    env.reset(seed=0)
    snapshot = env.get_state()
    snapshot["elapsed"][:] = 10**15
    env.set_state(snapshot)
    assert env.step(actions_for(env, 1)[0])[3] is False


def test_it_may_be_made_without_gymnasiums_registry(game: str) -> None:
    env = cl.Env(game=game)
    assert cl.Env(game=registry.NAMESPACE + game).observation_space == env.observation_space
    assert_same(env.reset(seed=0), gym.make(game).reset(seed=0), "reset")
    env.close()


def test_level_and_isa_say_what_runs(make: Maker) -> None:
    for env in (make.one(), make.vec(2)):
        assert (env.level, env.isa) == (make.level.name, make.level.isa)
        for name in ("level", "isa"):
            with pytest.raises(AttributeError):
                setattr(env, name, "asm")


def test_ordinary_attributes_work_as_everywhere(make: Maker) -> None:
    env: Any = make.one()
    env.mine = 3
    assert env.mine == 3
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = env.no_such_thing
    assert not hasattr(env, "no_such_thing")


def test_closing_with_a_with_statement(make: Maker) -> None:
    with make.wrapped() as env:
        env.reset(seed=0)
    env.close()


@pytest.mark.parametrize("lost", ["reset", "set_state"])
def test_an_ended_episode_may_be_left(make: Maker, lost: str) -> None:
    """By a reset or by going back to a snapshot: the rest is as if it had never ended."""
    env, plain = make.one(), make.one()
    for one in (env, plain):
        one.reset(seed=1)
    snapshot = plain.get_state()
    rng = np.random.default_rng(0)
    for _ in range(2000):
        if env.step(random_actions(env.action_space, (), rng))[2]:
            break
    else:
        pytest.skip("a random episode of this game does not terminate in 2000 steps")
    if lost == "reset":
        assert_same(env.reset(seed=1), plain.reset(seed=1), "reset")
    else:
        env.set_state(snapshot)
    for at, action in enumerate(actions_for(env, 500, seed=2)):
        ours = env.step(action)
        assert_same(ours, plain.step(action), "step", at)
        if ours[2]:
            break
