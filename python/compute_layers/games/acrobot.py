# SPDX-License-Identifier: MIT
"""Acrobot: swing the free end of a two-link chain above a line, with torque on the middle joint only.

## Description
Two links hang in a chain from a fixed joint; the joint between them has a motor. The chain starts hanging
down, nearly at rest; every 0.2 s a torque is chosen, and a fourth-order Runge-Kutta step moves the links. Sutton,
"Generalization in Reinforcement Learning: Successful Examples Using Sparse Coarse Coding" (1996), and Sutton
and Barto, "Reinforcement Learning: An Introduction"; the numbers and the order of operations are those of
``gymnasium/envs/classic_control/acrobot.py`` (1.4).

## Action Space
``Discrete(3)``: a torque of -1, 0 or 1 N m on the joint between the links.

## Observation Space
``Box`` of float32, shape ``(6,)``: cosine and sine of theta1 (rad, 0 is hanging down), cosine and sine of theta2
(rad, relative to the first link), the angular velocities of both (rad/s, within 4 pi and 9 pi).

## Rewards
-1 for every step, 0 for the one that reaches the goal.

## Starting State
The angles and the velocities, in this order, are uniform in [-0.1, 0.1), rounded to float32.
``reset(options={"low": …, "high": …})`` sets other bounds for that reset.

## Episode End
Terminated when the free end is higher than the length of a link above the fixed joint:
-cos(theta1) - cos(theta2 + theta1) > 1. Truncated after 500 steps (``Acrobot-v1``).

## Arguments
None. Attributes that may be set: every name of ``params`` below, and ``AVAIL_TORQUE``, a list of the three
torques. With ``torque_noise_max`` above 0 every step draws a number up to that, of either sign, and adds it to
the torque. ``book_or_nips`` is "book" (as Sutton and Barto have it) or "nips" (as Sutton's paper has it). The
length of the second link is for drawing; the goal does not depend on lengths, nor the space on ``MAX_VEL_1`` and
``MAX_VEL_2``, as in Gymnasium.

## Differences from Gymnasium
The sine and cosine are ours (``numerics.py``), and squares are products where Gymnasium has libm's power: angles
and velocities may differ from Gymnasium's in the last bits. The motion multiplies such a difference: some
episodes part after hundreds of steps. Gymnasium computes the observation of a reset with NumPy's float32
sine and cosine, whose last bit depends on the CPU; ours rounds the float64 ones. An angle is brought back to
[-pi, pi] by at most 8192 turns a step, where Gymnasium takes as many as it needs, or never ends.
``AVAIL_TORQUE`` is a copy: set it as a whole. ``book_or_nips`` takes its two names only. Infinite or NaN options
are refused, and such as float32 cannot hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol, get_type_hints

from ..float32 import round_float32
from ..numerics import divide, sin_cos
from ..pcg64 import PCG64
from ..spec import Box, Discrete, Id, Spec


class Params(Protocol):
    dt: float
    LINK_LENGTH_1: float
    LINK_LENGTH_2: float
    LINK_MASS_1: float
    LINK_MASS_2: float
    LINK_COM_POS_1: float
    LINK_COM_POS_2: float
    LINK_MOI: float
    MAX_VEL_1: float
    MAX_VEL_2: float
    AVAIL_TORQUE_0: float
    AVAIL_TORQUE_1: float
    AVAIL_TORQUE_2: float
    torque_noise_max: float
    book_or_nips: float


class State(NamedTuple):
    theta1: float
    theta2: float
    theta_dot1: float
    theta_dot2: float


class Options(Protocol):
    low: float
    high: float


BOOK, NIPS = 0.0, 1.0
GRAVITY = 9.8  # m/s², no attribute in Gymnasium either
TURNS = 8192  # most that a step takes off an angle


def params() -> dict[str, float | str]:
    return {
        "dt": 0.2,  # s between two states
        "LINK_LENGTH_1": 1.0,  # m
        "LINK_LENGTH_2": 1.0,
        "LINK_MASS_1": 1.0,  # kg
        "LINK_MASS_2": 1.0,
        "LINK_COM_POS_1": 0.5,  # m from its joint to a link's center of mass
        "LINK_COM_POS_2": 0.5,
        "LINK_MOI": 1.0,  # moment of inertia of either link, kg m²
        "MAX_VEL_1": 4 * math.pi,  # rad/s
        "MAX_VEL_2": 9 * math.pi,
        "AVAIL_TORQUE_0": -1.0,  # N m
        "AVAIL_TORQUE_1": 0.0,
        "AVAIL_TORQUE_2": 1.0,
        "torque_noise_max": 0.0,
        "book_or_nips": "book",
    }


def check_options(options: Mapping[str, float]) -> None:
    if options["low"] > options["high"]:
        raise ValueError(f"options['low'] is {options['low']}, above options['high'] {options['high']}")
    if not all(math.isfinite(round_float32(options[name])) for name in ("low", "high")):
        raise ValueError(
            f"options['low'] is {options['low']}, options['high'] {options['high']}; allowed: a finite range "
            "in float32"
        )


_BOUNDS = (1.0, 1.0, 1.0, 1.0, 4 * math.pi, 9 * math.pi)

SPEC = Spec(
    ids={"Acrobot-v1": Id(max_episode_steps=500, reward_threshold=-100.0)},
    state=get_type_hints(State),
    observation=Box(low=tuple(-bound for bound in _BOUNDS), high=_BOUNDS),
    observation_names=("cos_theta1", "sin_theta1", "cos_theta2", "sin_theta2", "theta_dot1", "theta_dot2"),
    action=Discrete(3),
    params=params,
    choices={"book_or_nips": ("book", "nips")},
    lists={"AVAIL_TORQUE": ("AVAIL_TORQUE_0", "AVAIL_TORQUE_1", "AVAIL_TORQUE_2")},
    options={"low": -0.1, "high": 0.1},
    check_options=check_options,
    render_fps=15,
    step_draws=True,
)


def reset(p: Params, options: Options, rng: PCG64) -> State:
    theta1 = round_float32(rng.uniform(options.low, options.high))
    theta2 = round_float32(rng.uniform(options.low, options.high))
    theta_dot1 = round_float32(rng.uniform(options.low, options.high))
    theta_dot2 = round_float32(rng.uniform(options.low, options.high))
    return State(theta1, theta2, theta_dot1, theta_dot2)


def square(x: float) -> float:
    return x * x


def derivatives(p: Params, state: State, torque: float) -> State:
    """What the four numbers of the state change by in a second: the velocities and the accelerations."""
    theta1, theta2, theta_dot1, theta_dot2 = state
    m1, m2, l1, lc1, lc2 = p.LINK_MASS_1, p.LINK_MASS_2, p.LINK_LENGTH_1, p.LINK_COM_POS_1, p.LINK_COM_POS_2
    moi, g = p.LINK_MOI, GRAVITY

    # [2] sin, cos
    sin2, cos2 = sin_cos(theta2)
    _, pull1 = sin_cos(theta1 - (math.pi / 2))
    _, pull2 = sin_cos((theta1 + theta2) - (math.pi / 2))

    # [3] accelerations
    d1 = (((m1 * square(lc1)) + (m2 * ((square(l1) + square(lc2)) + (((2 * l1) * lc2) * cos2)))) + moi) + moi
    d2 = (m2 * (square(lc2) + ((l1 * lc2) * cos2))) + moi
    phi2 = ((m2 * lc2) * g) * pull2
    phi1 = (
        (
            (((((-m2) * l1) * lc2) * square(theta_dot2)) * sin2)
            - ((((((2 * m2) * l1) * lc2) * theta_dot2) * theta_dot1) * sin2)
        )
        + ((((m1 * lc1) + (m2 * l1)) * g) * pull1)
    ) + phi2
    push = torque + (divide(d2, d1) * phi1)
    if p.book_or_nips == BOOK:
        push = push - ((((m2 * l1) * lc2) * square(theta_dot1)) * sin2)
    acc2 = divide(push - phi2, ((m2 * square(lc2)) + moi) - divide(square(d2), d1))
    acc1 = divide(-((d2 * acc2) + phi1), d1)
    return State(theta_dot1, theta_dot2, acc1, acc2)


def moved(state: State, seconds: float, k: State) -> State:
    return State(*(y + (seconds * rate) for y, rate in zip(state, k, strict=True)))


def wrap(x: float) -> float:
    """The angle in [-pi, pi], if TURNS turns lead there."""
    turns = TURNS
    while x > math.pi and turns > 0:
        x = x - (2 * math.pi)
        turns -= 1
    while x < -math.pi and turns > 0:
        x = x + (2 * math.pi)
        turns -= 1
    return x


def bound(x: float, most: float) -> float:
    return min(max(x, -most), most)


def step(p: Params, state: State, action: int, rng: PCG64) -> tuple[State, float, bool]:
    # [1] torque
    torque = (p.AVAIL_TORQUE_0, p.AVAIL_TORQUE_1, p.AVAIL_TORQUE_2)[action]
    if p.torque_noise_max > 0:
        torque = torque + rng.uniform(-p.torque_noise_max, p.torque_noise_max)

    # [4] integration; [2] and [3] four times
    half = p.dt / 2
    k1 = derivatives(p, state, torque)
    k2 = derivatives(p, moved(state, half, k1), torque)
    k3 = derivatives(p, moved(state, half, k2), torque)
    k4 = derivatives(p, moved(state, p.dt, k3), torque)
    mean = State(*(((a + (2 * b)) + (2 * c)) + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True)))
    theta1, theta2, theta_dot1, theta_dot2 = moved(state, p.dt / 6, mean)

    # [5] turns and bounds
    theta1, theta2 = wrap(theta1), wrap(theta2)
    theta_dot1, theta_dot2 = bound(theta_dot1, p.MAX_VEL_1), bound(theta_dot2, p.MAX_VEL_2)

    # [6] termination and reward
    terminated = (-sin_cos(theta1)[1] - sin_cos(theta2 + theta1)[1]) > 1.0
    return State(theta1, theta2, theta_dot1, theta_dot2), 0.0 if terminated else -1.0, terminated


def observe(p: Params, state: State) -> tuple[float, ...]:
    sin1, cos1 = sin_cos(state.theta1)
    sin2, cos2 = sin_cos(state.theta2)
    return cos1, sin1, cos2, sin2, state.theta_dot1, state.theta_dot2
