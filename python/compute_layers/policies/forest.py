# SPDX-License-Identifier: MIT
"""Several decision trees: what they have at their leaves is counted or added.

The trees, as the family ``tree`` has them, stand one behind the other in ``feature``, ``threshold``,
``left``, ``right`` and ``leaf``; ``root`` (int64) says for each tree where it begins, and its children count
from there. So the arrays of scikit-learn's ``estimators_`` need only be joined.

Heads, and what they want in ``leaf``:

* ``vote`` (``Discrete``): an action for each node, int64 (nodes,). The action that most trees have at their
  leaves; of equally many votes the lowest action.
* ``argmax``, ``threshold``, ``box``: float32 (nodes, rows). The numbers at the leaves are added in float32 in
  the order of the trees; of the sums the head chooses as in the family ``linear``.

A mean of trees, as random forests have it, is a sum of leaves divided beforehand; what boosting starts from
is a tree that is a single leaf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..float32 import round_float32
from ..pcg64 import PCG64
from ..spec import PolicySpec, Space
from . import tree
from .linear import decide


class Policy(tree.Policy, Protocol):
    """The parameters, flat, and what ``act`` needs to know besides."""

    root: Sequence[int]
    outputs: int


def act(policy: Policy, observation: Sequence[float], rng: PCG64 | None) -> int | tuple[float, ...]:
    leaves = [tree.walk(policy, root, observation) for root in policy.root]
    if policy.head == "vote":
        votes = [0] * policy.outputs
        for node in leaves:
            votes[int(policy.leaf[node])] += 1
        return votes.index(max(votes))
    y = list(tree.numbers(policy, leaves[0]))
    for node in leaves[1:]:
        y = [round_float32(a + b) for a, b in zip(y, tree.numbers(policy, node), strict=True)]
    return decide(policy, y)


def check(observation: Space, action: Space, head: str, tensors: Mapping[str, Any]) -> None:
    tree.check_spaces(observation, action, head, tensors)
    root, nodes = tensors["root"].tolist(), len(tensors["feature"])
    if root[0] != 0:
        raise ValueError(f"root[0] is {root[0]}; allowed: 0")
    for number, (before, first) in enumerate(pairwise(root), start=1):
        if not before < first < nodes:
            raise ValueError(f"root[{number}] is {first}; allowed: above {before} and below {nodes}")
    for first, end in pairwise([*root, nodes]):
        tree.check_nodes(observation, tensors, first, end)


def example(sizes: Mapping[str, int], head: str, draw: Any, kind: str) -> dict[str, Any]:
    trees = []
    for _ in range(1 + draw.below(7)):
        shape, inner = tree.SHAPES[draw.below(len(tree.SHAPES))], (1, 3, 9, 40, 150)[draw.below(5)]
        trees.append(tree.grow(sizes, head, draw, kind, shape, inner))
    joined = {name: np.concatenate([tensors[name] for tensors in trees]) for name in trees[0]}
    return {**joined, "root": np.cumsum([0, *(len(tensors["left"]) for tensors in trees[:-1])])}


SPEC = PolicySpec(
    tensors={**tree.SPEC.tensors, "root": ("int64", ("trees",))},
    heads=tree.SPEC.heads,
    by_head=tree.SPEC.by_head,
    check=check,
    example=example,
)
