# SPDX-License-Identifier: MIT
"""A weighted sum of the observation for each row of W, then a head.

All numbers are float32. y[r] starts with the bias b[r]; the products W[r,k] * x[k] are added with fused
multiply-add, k ascending. A layer of at most 8 rows with 32 inputs or more keeps 8 partial sums for a row:
number j takes the terms with k % 8 == j, number 0 starts with the bias, and a fixed tree adds them. Every level
has this order, hence the same bits.

Heads:

* ``argmax`` (``Discrete``): the row with the largest y; of equal ones the first. A y that is NaN is never
  larger and nothing is larger than it.
* ``threshold`` (``Discrete(2)``, one row): 1 if y > 0, else 0, also for NaN.
* ``box`` (``Box``): y clipped to the bounds. NaN stays NaN: the environment refuses it.

A rule by hand is a file of this family too: CartPole's ``pd`` is W = [[0, 0, 3, 1]], b = [0], head
``threshold``; MountainCarContinuous' ``swing``, a small force along the velocity, is W = [[0, 12]], b = [-0.05],
head ``box``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..float32 import fma, round_float32
from ..pcg64 import PCG64
from ..spec import Box, PolicySpec, Space

WIDE = 32  # inputs from which a layer of at most NARROW rows has partial sums
NARROW = 8


class Heads(Protocol):
    """What ``decide`` needs to know."""

    @property
    def head(self) -> str: ...
    @property
    def action(self) -> Space: ...


class Policy(Heads, Protocol):
    """The parameters, flat, and what ``act`` needs to know besides."""

    W: Sequence[float]
    b: Sequence[float]


def check(observation: Space, action: Space, head: str, tensors: Mapping[str, Any]) -> None:
    if not isinstance(observation, Box):
        raise ValueError("the observation is a number of a state; allowed: a vector of numbers to weigh")


SPEC = PolicySpec(
    tensors={"W": ("float32", ("rows", "inputs")), "b": ("float32", ("rows",))},
    heads=("argmax", "threshold", "box"),
    check=check,
)


def act(policy: Policy, observation: Sequence[float], rng: PCG64 | None) -> int | tuple[float, ...]:
    return decide(policy, affine(policy.W, policy.b, observation))


def affine(weights: Sequence[float], bias: Sequence[float], x: Sequence[float]) -> list[float]:
    """y = b + W·x, W row by row."""
    inputs, rows = len(x), len(bias)
    row_sum = partial_sums if inputs >= WIDE and rows <= NARROW else chain
    return [row_sum(weights[r * inputs : (r + 1) * inputs], bias[r], x) for r in range(rows)]


def chain(weights: Sequence[float], bias: float, x: Sequence[float]) -> float:
    y = bias
    for w_k, x_k in zip(weights, x, strict=True):
        y = fma(w_k, x_k, y)
    return y


def partial_sums(weights: Sequence[float], bias: float, x: Sequence[float]) -> float:
    p = [bias, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    for k, (w_k, x_k) in enumerate(zip(weights, x, strict=True)):
        p[k % 8] = fma(w_k, x_k, p[k % 8])
    s = [round_float32(p[j] + p[j + 4]) for j in range(4)]
    t = [round_float32(s[j] + s[j + 2]) for j in range(2)]
    return round_float32(t[0] + t[1])


def decide(policy: Heads, y: Sequence[float]) -> int | tuple[float, ...]:
    """The action that the policy's head makes of y."""
    space = policy.action
    if isinstance(space, Box):
        return tuple(clip(*numbers) for numbers in zip(y, space.low, space.high, strict=True))
    if policy.head == "threshold":
        return 1 if y[0] > 0.0 else 0
    action = 0
    for r in range(1, len(y)):
        if y[r] > y[action]:
            action = r
    return action


def clip(y: float, low: float, high: float) -> float:
    # max and min give their first argument unless the second is truly beyond it: NaN stays.
    return min(max(y, round_float32(low)), round_float32(high))
