# SPDX-License-Identifier: MIT
"""The Bellman backup: every state's value from those of its successors, the step of value iteration.

Values of a sweep come from those of the sweep before alone (Jacobi's order, not Gauss and Seidel's), so that
states may be taken in any order or together. Bellman, "Dynamic Programming" (1957); equation 4.10 of Sutton and
Barto, "Reinforcement Learning: An Introduction" (2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ..table import Outcome

Rows = Sequence[Sequence[Sequence[Outcome]]]  # by state and action


def sweep(rows: Rows, gamma: float, values: Sequence[float]) -> tuple[list[float], list[int], float]:
    """New values, the action that each is of, and the largest distance of a new value from the old one."""
    next_values, best, change = [], [], 0.0
    for actions, value in zip(rows, values, strict=True):
        greatest, chosen = -inf, 0
        for action, outcomes in enumerate(actions):
            # [1] what the action is worth
            q = 0.0
            for probability, state, reward, terminated in outcomes:
                later = 0.0 if terminated else gamma * values[state]
                q = q + (probability * (reward + later))

            # [2] the best action so far; of equal ones the first
            if q > greatest:
                greatest, chosen = q, action

        # [3] how far the value has moved
        distance = abs(greatest - value)
        if distance > change:
            change = distance
        next_values.append(greatest)
        best.append(chosen)
    return next_values, best, change
