# SPDX-License-Identifier: MIT
"""A decision tree: at each node one number of the observation against a threshold, at the leaf an action.

A walk starts at node 0. At an inner node it goes right if x[feature] > threshold, else left; NaN compares
false and goes left. At a leaf it ends. The tensors have an entry for each node, as scikit-learn's ``tree_``
has them:

* ``feature`` (int64): which number of the observation; -2 at a leaf.
* ``threshold`` (float32): counts for nothing at a leaf.
* ``left``, ``right`` (int64): the children, which stand behind their parent and have no other; both -1 at a
  leaf.
* ``leaf``: counts for nothing at an inner node, but must be of the kind that a leaf has.

Heads, and what they want in ``leaf``:

* ``vote`` (``Discrete``): the action itself, int64 (nodes,).
* ``argmax``, ``threshold``, ``box``: float32 (nodes, rows), from which the head chooses as in the family
  ``linear``: a number for each action, a single one, or the numbers of the action, clipped to the bounds.

Of a ``Discrete`` observation feature 0, the only one, is the number of the state. Spaces have at most 2**24
members: these numbers are exact in float32.

CartPole's ``tree-2`` asks for the side to which the pole leans, then whether it moves to the other fast
enough: feature = [2, 3, -2, -2, 3, -2, -2], threshold = [0, 0.5, 0, 0, -0.5, 0, 0], left = [1, 2, -1, -1, 5,
-1, -1], right = [4, 3, -1, -1, 6, -1, -1], leaf = [0, 0, 0, 1, 0, 0, 1], head ``vote``.

From a classifier of scikit-learn come ``tree_.feature``, ``tree_.children_left`` and ``tree_.children_right``
as they are, ``classes_[tree_.value[:, 0].argmax(axis=1)]`` for ``leaf``, and ``tree_.threshold`` rounded down
to float32, which takes the same side for every float32: x > t just if x is greater than t rounded down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..pcg64 import PCG64
from ..spec import Discrete, PolicySpec, Space
from .linear import Heads, decide

LEAF = -1  # left and right of a leaf
NO_FEATURE = -2  # feature of a leaf
MEMBERS = 2**24  # of a Discrete space, at most
NUMBERS = 2**32  # entries of `leaf`, fewer than these


class Nodes(Protocol):
    """What ``walk`` needs to know."""

    feature: Sequence[int]
    threshold: Sequence[float]
    left: Sequence[int]
    right: Sequence[int]


class Policy(Nodes, Heads, Protocol):
    """The parameters, flat, and what ``act`` needs to know besides."""

    leaf: Sequence[Any]
    shapes: Mapping[str, tuple[int, ...]]


def act(policy: Policy, observation: Sequence[float], rng: PCG64 | None) -> int | tuple[float, ...]:
    node = walk(policy, 0, observation)
    if policy.head == "vote":
        return int(policy.leaf[node])
    return decide(policy, numbers(policy, node))


def walk(policy: Nodes, root: int, x: Sequence[float]) -> int:
    """The leaf where the walk from ``root`` ends; children count from there."""
    node = root
    while policy.left[node] != LEAF:
        right = x[policy.feature[node]] > policy.threshold[node]
        node = root + (policy.right[node] if right else policy.left[node])
    return node


def numbers(policy: Policy, node: int) -> Sequence[float]:
    """The numbers of a leaf, one for each row."""
    rows = policy.shapes["leaf"][1]
    return policy.leaf[node * rows : (node + 1) * rows]


# ---- what a file must keep to ----


def check(observation: Space, action: Space, head: str, tensors: Mapping[str, Any]) -> None:
    check_spaces(observation, action, head, tensors)
    check_nodes(observation, tensors, 0, len(tensors["feature"]))


def check_spaces(observation: Space, action: Space, head: str, tensors: Mapping[str, Any]) -> None:
    """Raises ValueError for spaces that are too large and for leaves that are no actions."""
    for name, space in (("observation", observation), ("action", action)):
        if isinstance(space, Discrete) and space.n > MEMBERS:
            raise ValueError(f"the {name} space has {space.n} members; allowed: at most {MEMBERS}")
    leaf = tensors["leaf"]
    if leaf.size >= NUMBERS:
        raise ValueError(f"leaf has {leaf.size} numbers; allowed: fewer than {NUMBERS}")
    if head == "vote":
        assert isinstance(action, Discrete)
        for node, chosen in enumerate(leaf.tolist()):
            if not 0 <= chosen < action.n:
                raise ValueError(f"leaf[{node}] is {chosen}; allowed: 0 to {action.n - 1}")


def check_nodes(observation: Space, tensors: Mapping[str, Any], first: int, end: int) -> None:
    """Raises ValueError unless the nodes from ``first`` to before ``end`` are a tree, counted from there."""
    nodes = end - first
    feature, left, right = (tensors[name][first:end].tolist() for name in ("feature", "left", "right"))
    parent = [-1] * nodes
    for node in range(nodes):
        if left[node] == right[node] == LEAF:
            if feature[node] != NO_FEATURE:
                raise ValueError(
                    f"feature[{first + node}] is {feature[node]}; "
                    f"allowed: {NO_FEATURE}, for its children are {LEAF}"
                )
            continue
        if not 0 <= feature[node] < observation.size:
            raise ValueError(
                f"feature[{first + node}] is {feature[node]}; allowed: 0 to {observation.size - 1}, "
                f"or {NO_FEATURE} for a leaf, whose children are both {LEAF}"
            )
        for name, child in (("left", left[node]), ("right", right[node])):
            if not node < child < nodes:
                raise ValueError(
                    f"{name}[{first + node}] is {child}; allowed: a node behind its parent, "
                    f"above {node} and below {nodes}, or {LEAF} for both children"
                )
            if parent[child] != -1:
                raise ValueError(
                    f"{name}[{first + node}] is {child}, a child of node {first + parent[child]} already; "
                    "allowed: one parent"
                )
            parent[child] = node
    for node in range(1, nodes):
        if parent[node] == -1:
            raise ValueError(
                f"node {first + node} is nobody's child; "
                "allowed: every node but the first is in left or right"
            )


# ---- random trees, for the checker ----

FLOATS = (
    0.0,
    -0.0,
    1e-45,
    -1e-45,
    1e-40,
    -1.17549435e-38,
    1.0,
    1 + 2.0**-23,
    -1e5,
    3.4028235e38,
    -3.4028235e38,
)
SHAPES = ("bush", "bush", "full", "left chain", "right chain", "leaf")


def example(sizes: Mapping[str, int], head: str, draw: Any, kind: str) -> dict[str, Any]:
    size = (1, 9, 40, 200, 900)[draw.below(5)]
    return grow(sizes, head, draw, kind, SHAPES[draw.below(len(SHAPES))], size)


def grow(sizes: Mapping[str, int], head: str, draw: Any, kind: str, shape: str, inner: int) -> dict[str, Any]:
    """The tensors of a random tree with about so many inner nodes."""
    children: list[list[int]] = [[LEAF, LEAF]]
    open_leaves = [0]
    if shape == "full":
        inner = 2 ** inner.bit_length() - 1
    for _ in range(0 if shape == "leaf" else inner):
        node = open_leaves.pop(draw.below(len(open_leaves)) if shape == "bush" else 0)
        children[node] = [len(children), len(children) + 1]
        order = children[node][:: -1 if shape == "right chain" else 1]
        open_leaves = order if shape.endswith("chain") else open_leaves + order
        children += [[LEAF, LEAF], [LEAF, LEAF]]

    def number() -> float:
        if kind == "tied":
            return float(draw.below(3) - 1)
        return float(draw.choice(FLOATS)) if kind == "wild" and draw.below(2) else float(draw.real())

    def threshold() -> float:
        if "states" in sizes and kind != "wild":
            return float(draw.below(sizes["states"]) + (0.5 if kind == "ordinary" else 0.0))
        # A walk along a chain ends early unless most numbers are on its side.
        away = {"left chain": 1.0, "right chain": -1.0}.get(shape, 0.0)
        return number() * 4.0 if draw.below(8) == 0 or kind != "ordinary" else number() + 15.0 * away

    inner_nodes = [pair[0] != LEAF for pair in children]
    limit = np.finfo(np.float32).max
    thresholds = np.clip([threshold() for _ in children], -limit, limit)
    found = {
        "feature": np.array(
            [draw.below(sizes["inputs"]) if is_inner else NO_FEATURE for is_inner in inner_nodes]
        ),
        "threshold": thresholds.astype(np.float32),
        "left": np.array([pair[0] for pair in children]),
        "right": np.array([pair[1] for pair in children]),
    }
    if head == "vote":
        found["leaf"] = np.array([draw.below(sizes["outputs"]) for _ in children])
    else:
        count = len(children) * sizes["rows"]
        found["leaf"] = np.array([number() for _ in range(count)], np.float32).reshape(len(children), -1)
    return found


SPEC = PolicySpec(
    tensors={
        "feature": ("int64", ("nodes",)),
        "threshold": ("float32", ("nodes",)),
        "left": ("int64", ("nodes",)),
        "right": ("int64", ("nodes",)),
        "leaf": ("float32", ("nodes", "rows")),
    },
    heads=("vote", "argmax", "threshold", "box"),
    by_head={"vote": {"leaf": ("int64", ("nodes",))}},
    check=check,
    example=example,
)
