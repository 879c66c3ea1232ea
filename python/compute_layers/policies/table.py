# SPDX-License-Identifier: MIT
"""An action for each state: what tabular methods learn.

The observation s is ``Discrete``, the number of a state from 0 to n - 1; the action is row s of the table.
``actions`` has one int64 a state for ``Discrete`` actions (head ``vote``: the numbers are actions already) and
one row of float32 a state for a ``Box`` (head ``box``). An action outside the space is refused when the file is
loaded, and an observation that is no state when the policy is called, so nothing is clipped or checked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..float32 import round_float32
from ..pcg64 import PCG64
from ..spec import ActionSpace, Discrete, PolicySpec, Space


class Policy(Protocol):
    """The parameter, flat, and what ``act`` needs to know besides; ``outputs`` is the length of a row."""

    actions: Sequence[float]
    outputs: int

    @property
    def action(self) -> ActionSpace: ...


def check(observation: Space, action: ActionSpace, head: str, tensors: Mapping[str, Any]) -> None:
    if not isinstance(observation, Discrete):
        raise ValueError("the observation is a vector of numbers; allowed: the number of a state")
    rows = tensors["actions"].tolist()
    if isinstance(action, Discrete):
        for state, chosen in enumerate(rows):
            if not 0 <= chosen < action.n:
                raise ValueError(f"actions[{state}] is {chosen}; allowed: 0 to {action.n - 1}")
        return
    bounds = [
        (round_float32(low), round_float32(high)) for low, high in zip(action.low, action.high, strict=True)
    ]
    for state, row in enumerate(rows):
        for number, (low, high) in zip(row, bounds, strict=True):
            if not low <= number <= high:
                raise ValueError(f"actions[{state}] has {number}; allowed: {low} to {high}")


SPEC = PolicySpec(
    tensors={"actions": ("action", ("states",))},
    heads=("vote", "box"),
    by_head={"box": {"actions": ("action", ("states", "action"))}},
    check=check,
)


def act(policy: Policy, observation: Sequence[float], rng: PCG64 | None) -> int | tuple[float, ...]:
    state = int(observation[0])
    if isinstance(policy.action, Discrete):
        return int(policy.actions[state])
    return tuple(policy.actions[state * policy.outputs : (state + 1) * policy.outputs])
