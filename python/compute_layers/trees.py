# SPDX-License-Identifier: MIT
"""Decision trees that are searched: small changes, and the same decisions from fewer nodes.

All is done on the tensors of the family ``tree`` with the heads ``vote`` and ``box``. Thresholds and the numbers of leaves
are rounded to three digits, for people; what a normal random number owes to the C library's exp and log, a last bit in
a few of a thousand, goes with it. Beyond that there are only sums, products and draws of PCG64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .policies.tree import LEAF, NO_FEATURE
from .registry import Game
from .spec import Box, Discrete, seen_by_policies

CANDIDATES = 64  # of a generation, the best so far among them
DIGITS = 3  # that are kept of thresholds and numbers of leaves

Tensors = dict[str, NDArray[Any]]
_Node = tuple[int, float, int, int, Any]  # of a tree, in the order of its tensors


def climb(
    best: Tensors,
    value: float,
    changed: Callable[[Tensors], Tensors],
    values: Callable[[Sequence[Tensors], int], NDArray[np.float64]],
    verified: Callable[[Tensors], float],
) -> Iterator[tuple[Tensors, float, float]]:
    """Change the best at random and keep what returns more, generation by generation without an end.

    Args:
        best, value: to begin with, and what it returns in the verification.
        changed: makes a candidate.
        values: what candidates return in the episodes of a generation.
        verified: what one returns in the verification.

    Yields:
        After every generation the best, what it returns in the verification, and the most that one of the generation did.
    """
    for generation in count():
        candidates = [best, *(changed(best) for _ in range(CANDIDATES - 1))]
        returns = values(candidates, generation)
        first = int(returns.argmax())  # of equals the first: what is as good changes nothing
        if first > 0:
            found = verified(candidates[first])
            if found > value:
                value, best = found, candidates[first]
        yield best, value, float(returns[first])


class Moves:
    """Small changes of trees.

    Args:
        rows: float32 (states, inputs): states as policies see them, which say how large steps are.
    """

    def __init__(self, game: Game, rows: NDArray[np.float32]) -> None:
        self._action = game.action
        self._votes = isinstance(game.action, Discrete)
        self._states = isinstance(seen_by_policies(game.observation), Discrete)
        self._rows, self._spans = rows, np.ptp(rows, axis=0)

    def changed(self, tensors: Tensors, rng: np.random.Generator) -> Tensors:
        """The tree with a few numbers changed: thresholds, seldom what is compared or the action of a leaf."""
        found = {name: tensor.copy() for name, tensor in tensors.items()}
        inner, ends = np.flatnonzero(found["left"] != LEAF), np.flatnonzero(found["left"] == LEAF)
        for _ in range(rng.geometric(0.5)):
            step = rng.standard_normal() * 2.0 ** -rng.integers(1, 9)
            if not len(inner) or rng.random() < (0.2 if self._votes else 0.5):
                self._change_leaf(found["leaf"], rng.choice(ends), step, rng)
                continue
            node = rng.choice(inner)
            if rng.random() < 0.1:
                found["feature"][node] = rng.integers(self._rows.shape[1])
                threshold = self._rows[rng.integers(len(self._rows)), found["feature"][node]]
            else:
                threshold = found["threshold"][node] + step * self._spans[found["feature"][node]]
            # Between two states, of which there are at most 2**24; a float32 has room for the half below 2**23.
            found["threshold"][node] = np.floor(threshold) + 0.5 if self._states else rounded(threshold)
        return found

    def _change_leaf(self, leaf: NDArray[Any], node: int, step: float, rng: np.random.Generator) -> None:
        action = self._action
        if isinstance(action, Box):
            low, high = finite_bounds(action)
            leaf[node] = rounded(np.clip(leaf[node] + step * (high - low), action.low, action.high))
        else:
            leaf[node] = rng.integers(action.n)


def finite_bounds(space: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Those of a space, 1 and -1 where it has none."""
    low, high = (np.nan_to_num(np.array(bound), posinf=1.0, neginf=-1.0) for bound in (space.low, space.high))
    return low, high


def rounded(numbers: Any) -> NDArray[np.float32]:
    """float32 of few digits, for people."""
    numbers = np.asarray(numbers)
    short_ones = [float(f"{number:.{DIGITS}g}") for number in numbers.ravel().tolist()]
    result: NDArray[np.float32] = np.array(short_ones, np.float32).reshape(numbers.shape)
    return result


def smallest(tensors: Tensors) -> Tensors:
    """The same decisions for every finite observation from as few nodes as can be without moving any."""
    nodes: list[_Node] = []
    feature, threshold, left, right, leaf = tensors.values()

    def grow(node: int, above: dict[int, float], upto: dict[int, float]) -> int:
        """Append the subtree of a node that is reached where x > above and x <= upto."""
        while left[node] != LEAF:
            f, t = int(feature[node]), float(threshold[node])
            if t >= upto.get(f, inf):
                node = left[node]
            elif t <= above.get(f, -inf):
                node = right[node]
            else:
                break
        here = len(nodes)
        if left[node] == LEAF:
            nodes.append((NO_FEATURE, 0.0, LEAF, LEAF, leaf[node]))
            return here
        nodes.append((f, t, 0, 0, np.zeros_like(leaf[node])))
        first = grow(left[node], above, {**upto, f: t})
        second = grow(right[node], {**above, f: t}, upto)
        ends = nodes[first], nodes[second]
        if ends[0][2] == ends[1][2] == LEAF and np.array_equal(ends[0][4], ends[1][4]):
            del nodes[here:]
            nodes.append(ends[0])
        else:
            nodes[here] = (f, t, first, second, nodes[here][4])
        return here

    grow(0, {}, {})
    return _columns(nodes, tensors)


def _columns(nodes: Sequence[_Node], like: Tensors) -> Tensors:
    """The tensors of nodes, of the same dtypes as others."""
    columns = zip(*nodes, strict=True)
    return {
        name: np.array(column, tensor.dtype)
        for (name, tensor), column in zip(like.items(), columns, strict=True)
    }


def balanced(tensors: Tensors) -> Tensors:
    """A tree that compares one feature alone, with the same decisions from the fewest leaves, and no deeper than so
    many need."""
    _, threshold, left, right, leaf = tensors.values()
    limits: list[float] = []
    ends: list[Any] = []

    def read(node: int) -> None:
        if left[node] == LEAF:
            if ends and np.array_equal(ends[-1], leaf[node]):
                limits.pop()  # one leaf serves both sides
            else:
                ends.append(leaf[node])
            return
        read(left[node])
        limits.append(threshold[node])
        read(right[node])

    nodes: list[_Node] = []

    def grow(first: int, last: int) -> int:
        """Append the subtree of these leaves."""
        here = len(nodes)
        if first == last:
            nodes.append((NO_FEATURE, 0.0, LEAF, LEAF, ends[first]))
            return here
        middle = (first + last) // 2
        nodes.append((0, 0.0, 0, 0, ends[first]))
        nodes[here] = (
            0,
            limits[middle],
            grow(first, middle),
            grow(middle + 1, last),
            np.zeros_like(ends[first]),
        )
        return here

    read(0)
    grow(0, len(ends) - 1)
    return _columns(nodes, tensors)
