# SPDX-License-Identifier: MIT
"""SARSA, after what a step is about (s, a, r, s', a'): it learns what its own actions are worth, exploration included."""

from __future__ import annotations


def bootstrap(greedy: int, chosen: int) -> int:
    """The action in s' whose value the target has."""
    return chosen
