# SPDX-License-Identifier: MIT
"""Rendering: Gymnasium's frame of the same state."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from conftest import Maker, assert_same, random_actions

pytest.importorskip("pygame", reason="rendering needs the extra render")


EVERY_KIND = True  # see conftest.py


@pytest.fixture
def pair(make: Maker) -> Any:
    """Ours and Gymnasium's, bare, drawing arrays."""
    theirs = gym.make(make.id, render_mode="rgb_array").unwrapped
    yield make.one(render_mode="rgb_array"), theirs
    theirs.close()


def test_frames_are_those_of_gymnasium(pair: Any) -> None:
    ours, theirs = pair
    frames = []
    for seed in range(3):
        for env in pair:
            env.reset(seed=seed)
        for action in random_actions(ours.action_space, (8,), np.random.default_rng(seed)):
            frames.append(ours.render())
            assert_same(frames[-1], theirs.render(), "frame")
            for env in pair:
                env.step(action)
    assert frames[0].dtype == np.uint8
    assert len({frame.tobytes() for frame in frames}) > 3, "the pictures hardly differ"


def test_a_frame_shows_a_restored_state(pair: Any) -> None:
    ours, _ = pair
    ours.reset(seed=0)
    snapshot, frame = ours.get_state(), ours.render()
    for action in random_actions(ours.action_space, (8,), np.random.default_rng(0)):
        ours.step(action)
    assert frame.tobytes() != ours.render().tobytes()
    ours.set_state(snapshot)
    assert_same(ours.render(), frame, "frame")


def test_a_frame_is_the_callers(pair: Any) -> None:
    ours, _ = pair
    ours.reset(seed=0)
    first = ours.render()
    kept = first.copy()
    first[:] = 7
    assert_same(ours.render(), kept, "frame")


def test_a_batch_draws_every_environment(make: Maker) -> None:
    envs = make.vec(3, render_mode="rgb_array")
    reference = make.sync(3, id=make.id, render_mode="rgb_array")
    for batch in (envs, reference):
        batch.reset(seed=4)
    actions = random_actions(envs.single_action_space, (4, 3), np.random.default_rng(0))
    for row in actions:
        for batch in (envs, reference):
            batch.step(row)
    ours, theirs = envs.render(), reference.render()
    assert isinstance(ours, tuple)
    assert_same(ours, tuple(theirs), "frames")
    reference.close()


def test_human_mode_draws_in_reset_and_step(make: Maker) -> None:
    env = make.wrapped(render_mode="human")
    assert env.reset(seed=0)[0] is not None
    env.step(random_actions(env.action_space, (), np.random.default_rng(0)))
    import pygame

    assert pygame.display.get_surface() is not None
    env.close()
    assert pygame.display.get_surface() is None


def test_human_mode_of_a_batch(make: Maker, mode: AutoresetMode) -> None:
    envs, plain = make.vec(2, render_mode="human", autoreset_mode=mode), make.vec(2, autoreset_mode=mode)
    assert_same(envs.reset(seed=0), plain.reset(seed=0), "reset")
    actions = random_actions(envs.single_action_space, (2,), np.random.default_rng(0))
    assert_same(envs.step(actions), plain.step(actions), "step")
    envs.close()


def test_no_mode_means_a_warning_and_no_frame(make: Maker) -> None:
    for env in (make.one(), make.vec(2)):
        env.reset(seed=0)
        with pytest.warns(UserWarning, match="render_mode"):
            assert env.render() is None


def test_nothing_to_draw_before_the_first_reset(make: Maker) -> None:
    for env in (make.one(render_mode="rgb_array"), make.vec(2, render_mode="rgb_array")):
        with pytest.raises(ResetNeeded, match="render"):
            env.render()


def test_drawing_changes_nothing(make: Maker) -> None:
    drawn, plain = make.vec(2, render_mode="rgb_array"), make.vec(2)
    for envs in (drawn, plain):
        envs.reset(seed=0)
    for row in random_actions(plain.single_action_space, (30, 2), np.random.default_rng(0)):
        drawn.render()
        assert_same(drawn.step(row), plain.step(row), "step")
        assert_same(drawn.get_state(), plain.get_state(), "state")
