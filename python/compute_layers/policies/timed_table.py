# SPDX-License-Identifier: MIT
"""An action for each state and each step of an episode: what planning under a time limit finds.

``actions`` is that of family ``table`` with an axis in front: row t has the actions after t steps since the reset, and
its last row those of all later steps. Who calls the policy gives the time, ``agent(observation, elapsed=t)``; rollouts
do. Kernels are those of ``table``: of (t, state) they see the number t * states + state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..spec import ActionSpace, PolicySpec, Space
from . import table
from .table import act as act


def check(observation: Space, action: ActionSpace, head: str, tensors: Mapping[str, Any]) -> None:
    rows = tensors["actions"]
    table.check(observation, action, head, {"actions": rows.reshape(-1, *rows.shape[2:])})


SPEC = PolicySpec(
    tensors={"actions": ("action", ("steps", "states"))},
    heads=("vote", "box"),
    by_head={"box": {"actions": ("action", ("steps", "states", "action"))}},
    kernels="table",
    sees_time=True,
    check=check,
)
