# SPDX-License-Identifier: MIT
"""What Q-learning and SARSA share: tables of action values that are learned from single steps of a game.

Q(s, a) is what action a is worth in state s: a state has a row of the table. A step of the game brings the reward r and
the state s', where the next action a' is chosen; then Q(s, a) moves by a share alpha towards r + gamma * Q(s', b). What
b is, tells the two apart. After a step that terminated nothing comes; one that was truncated is a step like any other.

Several lanes share a table. In each step first all of them choose and compute their targets, from the table as it
stands; then they update it, one after the other.

Sources: C. Watkins, *Learning from Delayed Rewards* (1989); chapter 6 of R. Sutton and A. Barto, *Reinforcement
Learning: An Introduction* (2018).
"""

from __future__ import annotations

from collections.abc import Sequence


def choose(row: Sequence[float], epsilon: float, uniform: float) -> tuple[int, int]:
    """The greedy action of a state, and the one that is taken.

    One number in [0, 1) is enough: scaled by the number of actions its whole part is an action, all equally probable,
    and its fraction again such a number.
    """
    # [1] the greedy action; of equal ones the first
    greatest, greedy = row[0], 0
    for action, value in enumerate(row):
        if value > greatest:
            greatest, greedy = value, action

    # [2] a random one with probability epsilon
    scaled = uniform * len(row)
    random = int(scaled)
    explores = scaled - random < epsilon
    return greedy, random if explores else greedy


def target(value: float, reward: float, terminated: bool, gamma: float) -> float:
    """What a step of the game says of the action that led there."""
    # [3] the target
    later = 0.0 if terminated else gamma * value
    return reward + later


def update(value: float, target: float, alpha: float) -> float:
    """The new Q(s, a)."""
    # [4] towards it, lane by lane
    return value + (alpha * (target - value))
