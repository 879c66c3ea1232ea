# SPDX-License-Identifier: MIT
"""The same action always: what a policy has to beat.

``action`` is one int64 for ``Discrete`` (head ``argmax``), float32 numbers for ``Box`` (head ``box``); a file
with an action outside the space is refused when it is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..pcg64 import PCG64
from ..spec import Discrete, PolicySpec, Space


class Policy(Protocol):
    """The parameters and what the game says, as ``act`` needs them."""

    action_space: Space
    action: Sequence[int] | Sequence[float]


SPEC = PolicySpec(tensors={"action": ("action", ("action",))}, heads=("argmax", "box"))
