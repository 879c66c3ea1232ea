# SPDX-License-Identifier: MIT
"""Any action, each as likely as the others.

``Discrete``: ``rng.integers(n)``. ``Box``: ``rng.uniform(low, high)`` in float64 for each number in turn,
rounded to float32 (so ``high`` itself may come out); the bounds must be finite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..float32 import round_float32
from ..pcg64 import PCG64
from ..spec import ActionSpace, Box, Discrete, PolicySpec, Space


class Policy(Protocol):
    """What ``act`` needs to know."""

    @property
    def action(self) -> ActionSpace: ...


def check(observation: Space, action: ActionSpace, head: str, tensors: Mapping[str, Any]) -> None:
    if isinstance(action, Box) and not all(math.isfinite(bound) for bound in (*action.low, *action.high)):
        raise ValueError("the action space has no bounds; allowed: finite ones, to draw between")


SPEC = PolicySpec(tensors={}, heads=("argmax", "box"), draws=True, check=check)


def act(policy: Policy, observation: Sequence[float], rng: PCG64) -> int | tuple[float, ...]:
    space = policy.action
    if isinstance(space, Discrete):
        return rng.integers(space.n)
    return tuple(
        round_float32(rng.uniform(round_float32(low), round_float32(high)))
        for low, high in zip(space.low, space.high, strict=True)
    )
