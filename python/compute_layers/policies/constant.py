# SPDX-License-Identifier: MIT
"""The same action always: what a policy has to beat.

``value`` is one int64 for ``Discrete`` (head ``argmax``) and float32 numbers for ``Box`` (head ``box``). An
action outside the space is refused when the file is loaded, so nothing is clipped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..pcg64 import PCG64
from ..spec import Discrete, PolicySpec, Space


class Policy(Protocol):
    """The parameter, and what ``act`` needs to know besides."""

    value: Sequence[float]

    @property
    def action(self) -> Space: ...


SPEC = PolicySpec(tensors={"value": ("action", ("action",))}, heads=("argmax", "box"))


def act(policy: Policy, observation: Sequence[float], rng: PCG64 | None) -> int | tuple[float, ...]:
    if isinstance(policy.action, Discrete):
        return int(policy.value[0])
    return tuple(policy.value)
