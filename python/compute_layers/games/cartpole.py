# SPDX-License-Identifier: MIT
"""CartPole: keep a pole upright on a cart that is pushed left or right.

## Description
A pole hangs by an unactuated joint on a cart that moves along a frictionless track. The pole starts
nearly upright; every 0.02 s the cart is pushed with 10 N to one side. Barto, Sutton and Anderson,
"Neuronlike adaptive elements that can solve difficult learning control problems" (1983); the numbers and
the order of operations are those of ``gymnasium/envs/classic_control/cartpole.py`` (1.4).

## Action Space
``Discrete(2)``: 0 pushes left, 1 pushes right.

## Observation Space
``Box`` of float32, shape ``(4,)``: position x (m), velocity (m/s), angle theta (rad, 0 is upright),
angular velocity (rad/s). The bounds of the space are twice the limits that end an episode.

## Rewards
1 for every step, the terminating one included. With ``sutton_barto_reward=True``: 0, and -1 for the
terminating step.

## Starting State
Each of the four numbers is uniform in [-0.05, 0.05), drawn in the order of the observation.
``reset(options={"low": …, "high": …})`` sets other bounds for that reset.

## Episode End
Terminated when \\|x\\| > 2.4 m or \\|theta\\| > 12°. Truncated after 500 steps
(``CartPole-v1``) or 200 (``CartPole-v0``).

## Arguments
``sutton_barto_reward=False``. Attributes that may be set: every name of ``params`` below.
``total_mass``, ``polemass_length`` and the limits are numbers of their own: setting ``length`` does not
change ``polemass_length``, as in Gymnasium.

## Differences from Gymnasium
The sine and cosine are ours (``numerics.py``): velocities may differ from Gymnasium's in the last bits.
``kinematics_integrator`` takes its two names only. Infinite or NaN options are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol, get_type_hints

from ..numerics import divide, sin_cos
from ..pcg64 import PCG64
from ..spec import Box, Discrete, Id, Spec


class Params(Protocol):
    gravity: float
    masscart: float
    masspole: float
    total_mass: float
    length: float
    polemass_length: float
    force_mag: float
    tau: float
    theta_threshold_radians: float
    x_threshold: float
    kinematics_integrator: float
    reward_running: float
    reward_terminated: float


class State(NamedTuple):
    x: float
    x_dot: float
    theta: float
    theta_dot: float


class Options(Protocol):
    low: float
    high: float


EULER, SEMI_IMPLICIT_EULER = 0.0, 1.0


def params(sutton_barto_reward: bool = False) -> dict[str, float | str]:
    gravity, masscart, masspole, length = 9.8, 1.0, 0.1, 0.5
    return {
        "gravity": gravity,
        "masscart": masscart,
        "masspole": masspole,
        "total_mass": masspole + masscart,
        "length": length,  # half the pole's length, m
        "polemass_length": masspole * length,
        "force_mag": 10.0,  # N
        "tau": 0.02,  # s between two states
        "theta_threshold_radians": ((12 * 2) * math.pi) / 360,
        "x_threshold": 2.4,
        "kinematics_integrator": "euler",
        "reward_running": 0.0 if sutton_barto_reward else 1.0,
        "reward_terminated": -1.0 if sutton_barto_reward else 1.0,
    }


def check_options(options: Mapping[str, float]) -> None:
    if options["low"] > options["high"]:
        raise ValueError(f"options['low'] is {options['low']}, above options['high'] {options['high']}")
    if not math.isfinite(options["high"] - options["low"]):
        raise ValueError(
            f"options['low'] is {options['low']}, options['high'] {options['high']}; allowed: a finite range"
        )


def reward_beyond(p: Params, reward: float) -> float:
    return reward - 1.0 if p.reward_running else reward


# Twice the limits, so that the terminating observation is still inside.
_BOUNDS = (2.4 * 2, math.inf, (((12 * 2) * math.pi) / 360) * 2, math.inf)

SPEC = Spec(
    ids={
        "CartPole-v1": Id(max_episode_steps=500, reward_threshold=475.0),
        "CartPole-v0": Id(max_episode_steps=200, reward_threshold=195.0),
    },
    state=get_type_hints(State),
    observation=Box(low=tuple(-bound for bound in _BOUNDS), high=_BOUNDS),
    observation_names=State._fields,
    action=Discrete(2),
    params=params,
    choices={"kinematics_integrator": ("euler", "semi-implicit euler")},
    options={"low": -0.05, "high": 0.05},
    check_options=check_options,
    render_fps=50,
    reward_beyond=reward_beyond,
)


def reset(p: Params, options: Options, rng: PCG64) -> State:
    x = rng.uniform(options.low, options.high)
    x_dot = rng.uniform(options.low, options.high)
    theta = rng.uniform(options.low, options.high)
    theta_dot = rng.uniform(options.low, options.high)
    return State(x, x_dot, theta, theta_dot)


def step(p: Params, state: State, action: int, rng: PCG64 | None) -> tuple[State, float, bool]:
    x, x_dot, theta, theta_dot = state

    # [1] force
    force = p.force_mag if action == 1 else -p.force_mag

    # [2] sin, cos
    sin, cos = sin_cos(theta)

    # [3] accelerations
    temp = divide(force + ((p.polemass_length * (theta_dot * theta_dot)) * sin), p.total_mass)
    theta_acc = divide(
        (p.gravity * sin) - (cos * temp),
        p.length * ((4.0 / 3.0) - divide(p.masspole * (cos * cos), p.total_mass)),
    )
    x_acc = temp - divide((p.polemass_length * theta_acc) * cos, p.total_mass)

    # [4] integration
    new_x_dot = x_dot + (p.tau * x_acc)
    new_theta_dot = theta_dot + (p.tau * theta_acc)
    if p.kinematics_integrator == EULER:
        x = x + (p.tau * x_dot)
        theta = theta + (p.tau * theta_dot)
    else:
        x = x + (p.tau * new_x_dot)
        theta = theta + (p.tau * new_theta_dot)

    # [5] termination and reward
    terminated = (
        x < -p.x_threshold
        or x > p.x_threshold
        or theta < -p.theta_threshold_radians
        or theta > p.theta_threshold_radians
    )
    reward = p.reward_terminated if terminated else p.reward_running
    return State(x, new_x_dot, theta, new_theta_dot), reward, terminated


def observe(p: Params, state: State) -> tuple[float, ...]:
    return state
