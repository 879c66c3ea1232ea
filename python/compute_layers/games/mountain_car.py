# SPDX-License-Identifier: MIT
"""MountainCar: an underpowered car must swing in a valley to reach the flag on the right hill.

## Description
A car stands in a valley of the shape sin(3x). Its motor is weaker than gravity on the steeper part of the
slope, so that it must first drive away from the goal. A. Moore, "Efficient memory-based learning for robot
control" (1990); the numbers and the order of operations are those of
``gymnasium/envs/classic_control/mountain_car.py`` (1.4).

## Action Space
``Discrete(3)``: 0 accelerates to the left, 1 not at all, 2 to the right.

## Observation Space
``Box`` of float32, shape ``(2,)``: position in [-1.2, 0.6] and velocity in [-0.07, 0.07]. The valley's floor is
at -π/6.

## Rewards
-1 for every step, the one that reaches the goal included.

## Starting State
The position is uniform in [-0.6, -0.4), the velocity 0. ``reset(options={"low": …, "high": …})`` sets other bounds
for that reset.

## Episode End
Terminated when the position is at least 0.5 and the velocity at least ``goal_velocity``. Truncated after 200
steps (``MountainCar-v0``).

## Arguments
``goal_velocity=0``. Attributes that may be set: every name of ``params`` below. The bounds of the observation space
are numbers of their own, as in Gymnasium.

## Differences from Gymnasium
The cosine is ours (``numerics.py``): velocities may differ from Gymnasium's in the last bits. An action of an
unsigned type means what it says; Gymnasium's ``action - 1`` wraps around. Infinite or NaN options are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol, get_type_hints

from ..numerics import sin_cos
from ..pcg64 import PCG64
from ..spec import Box, Discrete, Id, Spec


class Params(Protocol):
    min_position: float
    max_position: float
    max_speed: float
    goal_position: float
    goal_velocity: float
    force: float
    gravity: float


class State(NamedTuple):
    position: float
    velocity: float


class Options(Protocol):
    low: float
    high: float


def params(goal_velocity: float = 0.0) -> dict[str, float | str]:
    return {
        "min_position": -1.2,  # of the wall, against which the car stops
        "max_position": 0.6,
        "max_speed": 0.07,  # a step
        "goal_position": 0.5,
        "goal_velocity": goal_velocity,
        "force": 0.001,
        "gravity": 0.0025,
    }


def check_options(options: Mapping[str, float]) -> None:
    if options["low"] > options["high"]:
        raise ValueError(f"options['low'] is {options['low']}, above options['high'] {options['high']}")
    if not math.isfinite(options["high"] - options["low"]):
        raise ValueError(
            f"options['low'] is {options['low']}, options['high'] {options['high']}; allowed: a finite range"
        )


SPEC = Spec(
    ids={"MountainCar-v0": Id(max_episode_steps=200, reward_threshold=-110.0)},
    state=get_type_hints(State),
    observation=Box(low=(-1.2, -0.07), high=(0.6, 0.07)),
    observation_names=State._fields,
    action=Discrete(3),
    params=params,
    options={"low": -0.6, "high": -0.4},
    check_options=check_options,
    render_fps=30,
)


def reset(p: Params, options: Options, rng: PCG64) -> State:
    return State(position=rng.uniform(options.low, options.high), velocity=0.0)


def step(p: Params, state: State, action: int, rng: PCG64 | None) -> tuple[State, float, bool]:
    position, velocity = state

    # [1] push
    push = (action - 1) * p.force

    # [2] cos
    _, cos = sin_cos(3.0 * position)

    # [3] velocity; of two equal numbers min and max return the first, and they keep a NaN there
    velocity = velocity + (push + (cos * -p.gravity))
    velocity = min(max(velocity, -p.max_speed), p.max_speed)

    # [4] position, and the wall
    position = position + velocity
    position = min(max(position, p.min_position), p.max_position)
    if position == p.min_position and velocity < 0.0:
        velocity = 0.0

    # [5] termination and reward
    terminated = position >= p.goal_position and velocity >= p.goal_velocity
    return State(position, velocity), -1.0, terminated


def observe(p: Params, state: State) -> tuple[float, ...]:
    return state
