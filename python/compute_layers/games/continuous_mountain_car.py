# SPDX-License-Identifier: MIT
"""MountainCarContinuous: drive a weak car out of a valley, with as little force as possible.

## Description
A car stands in a valley whose slope its engine cannot climb: it has to swing from side to side and gather
speed. The engine's force may be any number between -1 and 1, and force costs. Moore, "Efficient memory-based
learning for robot control" (1990); the numbers and the order of operations are those of
``gymnasium/envs/classic_control/continuous_mountain_car.py`` (1.4).

## Action Space
``Box`` of float32, shape ``(1,)``, from -1 to 1: the force. Finite numbers beyond are clipped for the
motion, but the reward charges what was asked for.

## Observation Space
``Box`` of float32, shape ``(2,)``: position from -1.2 to 0.6 (the valley's floor is at -pi/6, the goal at
0.45), velocity from -0.07 to 0.07.

## Rewards
-0.1 times the square of the action for every step, and 100 more for the step that reaches the goal.

## Starting State
The position is uniform in [-0.6, -0.4), the velocity 0.
``reset(options={"low": …, "high": …})`` sets other bounds for that reset.

## Episode End
Terminated when the position is at least 0.45 and the velocity at least ``goal_velocity``. Truncated after
999 steps.

## Arguments
``goal_velocity=0.0``. Attributes that may be set: every name of ``params`` below.

## Differences from Gymnasium
The cosine is ours (``numerics.py``): states may differ from Gymnasium's in the last bit. They seldom do, for
what the cosine adds is rounded to float32: in 1.5 million steps, of 5000 episodes of a rule that reaches the
goal and 1000 random ones, none did. An action is converted to float32 first, where Gymnasium computes with the type it is given; infinite and NaN actions are
refused, and so are infinite or NaN options. ``state`` is float64 whether or not its numbers are float32
values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, get_type_hints

from ..float32 import round_float32
from ..numerics import sin_cos
from ..pcg64 import PCG64
from ..spec import Box, Id, Spec


class Params(Protocol):
    min_action: float
    max_action: float
    min_position: float
    max_position: float
    max_speed: float
    goal_position: float
    goal_velocity: float
    power: float


class State(NamedTuple):
    position: float
    velocity: float
    fresh: int  # 1 right after a reset: then Gymnasium's state is float64, later float32


class Options(Protocol):
    low: float
    high: float


GRAVITY = 0.0025
GOAL_REWARD = 100.0
ACTION_COST = 0.1

_MIN_ACTION, _MAX_ACTION = -1.0, 1.0
_MIN_POSITION, _MAX_POSITION, _MAX_SPEED = -1.2, 0.6, 0.07


def params(goal_velocity: float = 0.0) -> dict[str, float | str]:
    return {
        "min_action": _MIN_ACTION,
        "max_action": _MAX_ACTION,
        "min_position": _MIN_POSITION,
        "max_position": _MAX_POSITION,
        "max_speed": _MAX_SPEED,
        "goal_position": 0.45,
        "goal_velocity": goal_velocity,
        "power": 0.0015,
    }


def check_options(options: Mapping[str, float]) -> None:
    if options["low"] > options["high"]:
        raise ValueError(f"options['low'] is {options['low']}, above options['high'] {options['high']}")
    if not math.isfinite(options["high"] - options["low"]):
        raise ValueError(
            f"options['low'] is {options['low']}, options['high'] {options['high']}; allowed: a finite range"
        )


SPEC = Spec(
    ids={"MountainCarContinuous-v0": Id(max_episode_steps=999, reward_threshold=90.0)},
    state=get_type_hints(State),
    observation=Box(low=(_MIN_POSITION, -_MAX_SPEED), high=(_MAX_POSITION, _MAX_SPEED)),
    observation_names=("position", "velocity"),
    action=Box(low=(_MIN_ACTION,), high=(_MAX_ACTION,)),
    params=params,
    options={"low": -0.6, "high": -0.4},
    check_options=check_options,
    render_fps=30,
    bounds={"fresh": (0, 1)},
    pose=lambda params, state: {"state": (state["position"], state["velocity"])},
    assumed={"fresh": 1},
)


def reset(p: Params, options: Options, rng: PCG64) -> State:
    return State(rng.uniform(options.low, options.high), 0.0, 1)


def step(p: Params, state: State, action: tuple[float], rng: PCG64 | None) -> tuple[State, float, bool]:
    (a,) = action
    # Each number has the type that it has in Gymnasium, and the function of_… rounds to it: the action is
    # float32, the state what `fresh` says, and a bound that takes their place a Python float. What meets in an
    # operation or comparison is rounded to the narrower type first.
    of_state: Callable[[float], float] = float if state.fresh else round_float32
    of_force: Callable[[float], float] = round_float32
    position, velocity = of_state(state.position), of_state(state.velocity)

    # [1] force
    force = a
    if force < of_force(p.min_action):
        force, of_force = p.min_action, float
    if force > of_force(p.max_action):
        force, of_force = p.max_action, float

    # [2] cos
    cos = sin_cos(of_state(3.0 * position))[1]

    # [3] acceleration
    acceleration = of_force(of_force(force * of_force(p.power)) - of_force(GRAVITY * cos))

    # [4] motion
    velocity = of_state(velocity + of_state(acceleration))
    of_velocity = of_state
    if velocity > of_velocity(p.max_speed):
        velocity, of_velocity = p.max_speed, float
    if velocity < of_velocity(-p.max_speed):
        velocity, of_velocity = -p.max_speed, float
    position = of_state(position + of_state(velocity))
    of_position = of_state
    if position > of_position(p.max_position):
        position, of_position = p.max_position, float
    if position < of_position(p.min_position):
        position, of_position = p.min_position, float
    if position == of_position(p.min_position) and velocity < 0.0:
        velocity, of_velocity = 0.0, float

    # [5] termination and reward
    terminated = position >= of_position(p.goal_position) and velocity >= of_velocity(p.goal_velocity)
    reward = (GOAL_REWARD if terminated else 0.0) - ((a * a) * ACTION_COST)
    return State(round_float32(position), round_float32(velocity), 0), reward, terminated


def observe(p: Params, state: State) -> tuple[float, ...]:
    return state.position, state.velocity
