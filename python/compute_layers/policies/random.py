# SPDX-License-Identifier: MIT
"""Any action, each as likely as the others.

``Discrete``: ``rng.integers(n)``. ``Box``: ``rng.uniform(low, high)`` in float64 for each number in turn,
rounded to float32 (so ``high`` itself may come out); the bounds must be finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..float32 import round_float32
from ..pcg64 import PCG64
from ..spec import Discrete, PolicySpec, Space


class Policy(Protocol):
    """What ``act`` needs to know."""

    @property
    def action(self) -> Space: ...


SPEC = PolicySpec(tensors={}, heads=("argmax", "box"), draws=True)


def act(policy: Policy, observation: Sequence[float], rng: PCG64) -> int | tuple[float, ...]:
    space = policy.action
    if isinstance(space, Discrete):
        return rng.integers(space.n)
    return tuple(
        round_float32(rng.uniform(round_float32(low), round_float32(high)))
        for low, high in zip(space.low, space.high, strict=True)
    )
