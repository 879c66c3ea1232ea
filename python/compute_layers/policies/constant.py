# SPDX-License-Identifier: MIT
"""The same action always: what a policy has to beat.

``value`` is one int64 for ``Discrete`` (head ``argmax``) and float32 numbers for ``Box`` (head ``box``). An
action outside the space is refused when the file is loaded, so nothing is clipped here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..float32 import round_float32
from ..pcg64 import PCG64
from ..spec import ActionSpace, Discrete, PolicySpec, Space


class Policy(Protocol):
    """The parameter, and what ``act`` needs to know besides."""

    value: Sequence[float]

    @property
    def action(self) -> ActionSpace: ...


def check(observation: Space, action: ActionSpace, head: str, tensors: Mapping[str, Any]) -> None:
    value = tensors["value"].tolist()
    if isinstance(action, Discrete):
        if not 0 <= value[0] < action.n:
            raise ValueError(f"value is {value[0]}; allowed: 0 to {action.n - 1}")
        return
    for number, low, high in zip(value, action.low, action.high, strict=True):
        if not round_float32(low) <= number <= round_float32(high):
            raise ValueError(f"value has {number}; allowed: {low} to {high}")


SPEC = PolicySpec(tensors={"value": ("action", ("action",))}, heads=("argmax", "box"), check=check)


def act(policy: Policy, observation: Sequence[float], rng: PCG64 | None) -> int | tuple[float, ...]:
    if isinstance(policy.action, Discrete):
        return int(policy.value[0])
    return tuple(policy.value)
