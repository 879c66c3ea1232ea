# SPDX-License-Identifier: MIT
"""Decision trees and forests at every level against a naive recursive evaluation; files that are no trees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import Agent, AgentFile
from compute_layers.registry import Game
from compute_layers.spec import Box, Discrete, Space
from conftest import LEVELS, Array, assert_same

CARTPOLE = registry.game("CartPole-v1")
LEVELS_OF = {
    stem: [
        level for level in LEVELS if level.isa is None or level.isa in registry.family(stem).isas[level.name]
    ]
    for stem in ("tree", "forest")
}
NUMBERS = (0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-40, 0.5, 1.0, -1.0, 3.4028235e38, -3.4028235e38)
# A tree is a leaf, whatever that is, or a Node.
Tree = Any


class Node:
    """An inner node."""

    def __init__(self, feature: int, threshold: float, left: Tree, right: Tree) -> None:
        self.feature, self.threshold = feature, np.float32(threshold)
        self.left, self.right = left, right


def leaf_of(tree: Tree, x: Array) -> Any:
    """By recursion."""
    if not isinstance(tree, Node):
        return tree
    return leaf_of(tree.right if x[tree.feature] > tree.threshold else tree.left, x)


def arrays(tree: Tree, filler: Any, order: Callable[[list[Any]], Any] = list.pop) -> dict[str, Array]:
    """The tensors of a tree; ``order`` takes the node that comes next out of the list of those that may."""
    feature, threshold, left, right, leaf = [], [], [], [], []
    waiting: list[tuple[Tree, int, list[int]]] = [(tree, -1, [])]
    while waiting:
        node, parent, side = order(waiting)
        here = len(leaf)
        if parent >= 0:
            side[parent] = here
        inner = isinstance(node, Node)
        feature.append(node.feature if inner else -2)
        threshold.append(node.threshold if inner else -2.0)
        left.append(-1)
        right.append(-1)
        leaf.append(filler if inner else node)
        if inner:
            waiting += [(node.right, here, right), (node.left, here, left)]
    numbers = np.array(leaf)
    return {
        "feature": np.array(feature),
        "threshold": np.array(threshold, np.float32),
        "left": np.array(left),
        "right": np.array(right),
        "leaf": numbers if numbers.dtype == np.int64 else numbers.astype(np.float32),
    }


def joined(trees: list[dict[str, Array]]) -> dict[str, Array]:
    """The tensors of a forest."""
    first = np.cumsum([0, *(len(tree["left"]) for tree in trees[:-1])])
    return {**{name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}, "root": first}


def made_up(observation: Space, action: Space) -> Game:
    return replace(CARTPOLE, spec=replace(CARTPOLE.spec, observation=observation, action=action))


def numbers(inputs: int) -> Box:
    return Box((-math.inf,) * inputs, (math.inf,) * inputs)


def policy(game: Game, stem: str, head: str, tensors: dict[str, Array]) -> AgentFile:
    metadata = {"family": stem, "layer": "symbolic", "head": head, "version": "1"}
    return AgentFile("made up", game, metadata, tensors)


def assert_actions(file: AgentFile, observations: Array, expected: Array) -> None:
    """Every level gives these actions, for batches and for single observations."""
    for level in LEVELS_OF[file.family.stem]:
        agent = Agent(file, level.name, level.isa, 0)
        for n in (len(observations), 3, 8, 9):
            assert_same(agent(observations[:n]), expected[:n], level, "batch of", n)
        one = [agent(observation) for observation in observations[:20]]
        assert_same(np.array(one, expected.dtype), expected[:20], level, "one by one")


def rows(rng: np.random.Generator, n: int, inputs: int) -> Array:
    """Observations, a fifth of whose numbers are special."""
    seen = rng.normal(size=(n, inputs)) * rng.choice([0.01, 1.0, 100.0], (n, 1))
    special = rng.choice([*NUMBERS, math.inf, -math.inf, math.nan], (n, inputs))
    return np.where(rng.random((n, inputs)) < 0.2, special, seen).astype(np.float32)


def random_tree(
    rng: np.random.Generator, depth: int, inputs: int, leaf: Callable[[], Any], full: bool
) -> Tree:
    if depth == 0 or (not full and rng.random() < 0.1):
        return leaf()
    threshold = rng.choice(NUMBERS) if rng.random() < 0.2 else rng.normal()
    children = [random_tree(rng, depth - 1, inputs, leaf, full) for _ in range(2)]
    return Node(int(rng.integers(inputs)), threshold, *children)


def chain(rng: np.random.Generator, depth: int, inputs: int, leaf: Callable[[], Any], left: bool) -> Tree:
    """A degenerate tree: of two children one at least is a leaf. Most walks go far."""
    tree = leaf()
    for _ in range(depth):
        threshold = 1e4 if left else -1e4
        if rng.random() < 0.05:
            threshold = rng.normal()
        sides = (tree, leaf()) if left else (leaf(), tree)
        tree = Node(int(rng.integers(inputs)), threshold, *sides)
    return tree


# ---- walks ----

SHAPES: dict[str, Callable[[np.random.Generator, int, Callable[[], Any]], Tree]] = {
    "a leaf": lambda rng, inputs, leaf: leaf(),
    "a stump": lambda rng, inputs, leaf: random_tree(rng, 1, inputs, leaf, True),
    "depth 3": lambda rng, inputs, leaf: random_tree(rng, 3, inputs, leaf, True),
    "depth 8": lambda rng, inputs, leaf: random_tree(rng, 8, inputs, leaf, True),
    "a bush": lambda rng, inputs, leaf: random_tree(rng, 7, inputs, leaf, False),
    "a full tree of depth 11": lambda rng, inputs, leaf: random_tree(rng, 11, inputs, leaf, True),
    "a high bush": lambda rng, inputs, leaf: random_tree(rng, 14, inputs, leaf, False),
    "8 to the left": lambda rng, inputs, leaf: chain(rng, 8, inputs, leaf, True),
    "9 to the left": lambda rng, inputs, leaf: chain(rng, 9, inputs, leaf, True),
    "700 to the left": lambda rng, inputs, leaf: chain(rng, 700, inputs, leaf, True),
    "700 to the right": lambda rng, inputs, leaf: chain(rng, 700, inputs, leaf, False),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 5, 7, 300])
def test_the_leaf_is_the_one_that_recursion_finds(shape: str, inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    tree = SHAPES[shape](rng, inputs, lambda: int(rng.integers(1000)))
    seen = rows(rng, 61, inputs)
    expected = np.array([leaf_of(tree, x) for x in seen])
    game = made_up(numbers(inputs), Discrete(1000))
    for order in (list.pop, lambda waiting: waiting.pop(0)):  # depth-first, breadth-first
        assert_actions(policy(game, "tree", "vote", arrays(tree, 0, order)), seen, expected)


@pytest.mark.parametrize("feature", [0, 1, 150, 295, 296, 297, 298, 299])
def test_a_tree_may_ask_for_one_feature_of_many(feature: int) -> None:
    seen = rows(np.random.default_rng(feature), 61, 300)
    file = policy(made_up(numbers(300), Discrete(2)), "tree", "vote", arrays(Node(feature, 0.0, 0, 1), 0))
    assert_actions(file, seen, (seen[:, feature] > 0).astype(np.int64))


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(threshold=FLOATS, others=st.lists(st.floats(width=32), min_size=1, max_size=20))
@example(threshold=0.0, others=[-0.0, 0.0, 1e-45, -1e-45])
@example(threshold=-0.0, others=[-0.0, 0.0, 1e-45, -1e-45])
@example(threshold=-1e-45, others=[-0.0, 0.0, 1e-45, -1e-45])
@example(threshold=3.4028234663852886e38, others=[math.inf, -math.inf, math.nan, -math.nan])
@example(threshold=-3.4028234663852886e38, others=[math.inf, -math.inf, math.nan, -math.nan])
@settings(max_examples=100)
def test_right_if_the_number_is_greater(threshold: float, others: list[float]) -> None:
    t = np.float32(threshold)
    with np.errstate(over="ignore"):
        beside = [np.nextafter(t, np.float32(side)) for side in (-np.inf, np.inf)]
    seen = np.array([t, *beside, -t, *others], np.float32)[:, None]
    file = policy(made_up(numbers(1), Discrete(2)), "tree", "vote", arrays(Node(0, threshold, 0, 1), 0))
    assert_actions(file, seen, (seen[:, 0] > t).astype(np.int64))


@pytest.mark.parametrize("states", [1, 2, 500, 2**24])
def test_of_a_discrete_observation_the_state_is_the_feature(states: int) -> None:
    rng = np.random.default_rng(states)
    choices = [
        0,
        1,
        states // 2,
        states - 2,
        states - 1,
        states,
        2**25,
        1e38,
        -1,
        -0.5,
        -0.0,
        0.5,
        states / 2 + 0.5,
    ]

    def grow(depth: int) -> Tree:
        if depth == 0:
            return int(rng.integers(7))
        return Node(0, rng.choice(choices), grow(depth - 1), grow(depth - 1))

    near = [state for t in choices for state in range(int(min(t, states)) - 2, int(min(t, states)) + 3)]
    seen = np.array(sorted(state for state in near if 0 <= state < states))
    game = made_up(Discrete(states), Discrete(7))
    for tree in (grow(3), chain(rng, 40, 1, lambda: int(rng.integers(7)), False)):
        expected = np.array([leaf_of(tree, np.array([state], np.float32)) for state in seen])
        assert_actions(policy(game, "tree", "vote", arrays(tree, 0)), seen, expected)
        forest = joined([arrays(tree, 0), arrays(3, 0), arrays(tree, 0)])
        assert_actions(policy(game, "forest", "vote", forest), seen, expected)


# ---- heads ----

LOW, HIGH = (-1.0, -0.5, -2.0), (0.25, 3.0, 0.0)


def chosen(head: str, y: Array) -> Any:
    """What a head makes of the numbers."""
    if head == "argmax":
        return int(np.argmax(y))
    if head == "threshold":
        return int(y[0] > 0)
    return np.clip(y, np.array(LOW, np.float32), np.array(HIGH, np.float32))


@pytest.mark.parametrize(
    ("head", "action"), [("argmax", Discrete(3)), ("threshold", Discrete(2)), ("box", Box(LOW, HIGH))]
)
@pytest.mark.parametrize("trees", [1, 2, 9])
def test_numbers_at_the_leaves(head: str, action: Space, trees: int) -> None:
    """A forest adds them in float32 in the order of the trees, whatever these look like."""
    rng = np.random.default_rng(trees)
    count = 1 if head == "threshold" else 3

    def leaf() -> Array:
        return (rng.choice([0.0, 1.0, -1.0, 1e-8, 1e8, 0.3], count) * rng.normal()).astype(np.float32)

    shapes = [list(SHAPES.values())[k % len(SHAPES)] for k in range(trees)][::-1]
    grown = [shape(rng, 4, leaf) for shape in shapes]
    tensors = [arrays(tree, np.zeros(count, np.float32)) for tree in grown]
    seen = rows(rng, 150, 4)  # more than a tile of the kernels
    sums = [leaf_of(grown[0], x) for x in seen]
    for tree in grown[1:]:
        sums = [y + leaf_of(tree, x) for y, x in zip(sums, seen, strict=True)]
    expected = np.array([chosen(head, y) for y in sums])
    game = made_up(numbers(4), action)
    assert_actions(policy(game, "forest", head, joined(tensors)), seen, expected)
    if trees == 1:
        assert_actions(policy(game, "tree", head, tensors[0]), seen, expected)


@pytest.mark.parametrize("actions", [1, 2, 5])
@pytest.mark.parametrize("trees", [1, 2, 4, 10])
def test_most_votes_win_and_the_lowest_of_equals(trees: int, actions: int) -> None:
    rng = np.random.default_rng(actions)
    shapes = list(SHAPES.values())
    grown = [shapes[k % len(shapes)](rng, 4, lambda: int(rng.integers(actions))) for k in range(trees)]
    seen = rows(rng, 150, 4)
    votes = [np.bincount([leaf_of(tree, x) for tree in grown], minlength=actions) for x in seen]
    if trees == 2 and actions == 2:
        assert any(counts[0] == counts[1] for counts in votes)
    expected = np.array([int(np.argmax(counts)) for counts in votes])
    file = policy(
        made_up(numbers(4), Discrete(actions)), "forest", "vote", joined([arrays(tree, 0) for tree in grown])
    )
    assert_actions(file, seen, expected)


def test_minus_zero_stays_minus_zero() -> None:
    """A sum begins with the first tree's number, not with 0."""
    minus = np.array([-0.0], np.float32)
    game = made_up(numbers(1), Box((-1.0,), (1.0,)))
    seen = np.zeros((9, 1), np.float32)
    for trees in (1, 2):
        file = policy(game, "forest", "box", joined([arrays(minus, minus)] * trees))
        assert_actions(file, seen, np.full((9, 1), -0.0, np.float32))
    file = policy(game, "forest", "box", joined([arrays(minus, minus), arrays(-minus, minus)]))
    assert_actions(file, seen, np.zeros((9, 1), np.float32))


# ---- files ----

TREE = arrays(
    Node(2, 0.0, Node(3, 0.5, 0, 1), Node(3, -0.5, 0, 1)), 0
)  # nodes 1 and 4 are the inner children
FOREST = joined([TREE, TREE])


def changed(tensors: dict[str, Array], name: str, index: int, value: float) -> dict[str, Array]:
    copied = {key: tensor.copy() for key, tensor in tensors.items()}
    copied[name][index] = value
    return copied


WRONG = [
    ("left", 0, 0, r"left\[0\] is 0; allowed: .* above 0 and below 7, or -1 for both"),
    ("right", 4, 1, r"right\[4\] is 1; allowed: .* above 4 and below 7"),
    ("right", 0, 7, r"right\[0\] is 7; allowed"),
    ("right", 0, 2**40, r"right\[0\] is 1099511627776; allowed"),
    ("left", 1, -2, r"left\[1\] is -2; allowed"),
    ("left", 1, -1, r"left\[1\] is -1; allowed"),
    ("right", 1, 2, r"right\[1\] is 2, a child of node 1 already; allowed: one parent"),
    ("left", 0, 2, r"left\[1\] is 2, a child of node 0 already"),
    ("right", 0, 5, r"left\[4\] is 5, a child of node 0 already"),
    ("left", 2, 3, r"feature\[2\] is -2; allowed: 0 to 3, or -2 for a leaf"),
    ("feature", 0, 4, r"feature\[0\] is 4; allowed: 0 to 3"),
    ("feature", 0, -1, r"feature\[0\] is -1; allowed: 0 to 3"),
    ("feature", 0, -2, r"feature\[0\] is -2; allowed: 0 to 3"),
    ("feature", 2, 1, r"feature\[2\] is 1; allowed: -2, for its children are -1"),
    ("leaf", 3, 2, r"leaf\[3\] is 2; allowed: 0 to 1"),
    ("leaf", 0, -1, r"leaf\[0\] is -1; allowed: 0 to 1"),
    ("threshold", 0, math.nan, "threshold has a number that is not finite"),
    ("threshold", 6, math.inf, "threshold has a number that is not finite"),
]


@pytest.mark.parametrize(("name", "index", "value", "message"), WRONG)
def test_what_is_no_tree_is_refused(name: str, index: int, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy(CARTPOLE, "tree", "vote", changed(TREE, name, index, value))
    with pytest.raises(ValueError, match=message):
        policy(CARTPOLE, "forest", "vote", changed(FOREST, name, index, value))


def test_a_node_without_a_parent_is_refused() -> None:
    tensors = changed(changed(changed(TREE, "left", 1, -1), "right", 1, -1), "feature", 1, -2)
    with pytest.raises(ValueError, match="node 2 is nobody's child; allowed"):
        policy(CARTPOLE, "tree", "vote", tensors)


WRONG_ROOTS = [
    ([1, 7], r"root\[0\] is 1; allowed: 0"),
    ([0, 0], r"root\[1\] is 0; allowed: above 0 and below 14"),
    ([0, -7], r"root\[1\] is -7; allowed: above 0 and below 14"),
    ([0, 14], r"root\[1\] is 14; allowed: above 0 and below 14"),
    ([0, 2**62], r"root\[1\] is 4611686018427387904; allowed"),
    ([0, 7, 7], r"root\[2\] is 7; allowed: above 7 and below 14"),
    ([0, 6], r"right\[4\] is 6; allowed: .* below 6"),
    ([0, 8], r"left\[7\] is 1; allowed: .* above 7 and below 8"),
    ([0], r"left\[7\] is 1; allowed: .* above 7 and below 14"),
]


@pytest.mark.parametrize(("root", "message"), WRONG_ROOTS)
def test_roots_that_are_none_are_refused(root: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy(CARTPOLE, "forest", "vote", {**FOREST, "root": np.array(root)})


@pytest.mark.parametrize(
    ("head", "leaf"),
    [
        ("vote", np.zeros(7, np.float32)),
        ("vote", np.zeros((7, 1), np.int64)),
        ("vote", np.zeros(6, np.int64)),
        ("argmax", np.zeros(7, np.int64)),
        ("argmax", np.zeros((7, 3), np.float32)),
        ("threshold", np.zeros((7, 2), np.float32)),
    ],
)
def test_leaves_of_another_kind_than_the_head_wants_are_refused(head: str, leaf: Array) -> None:
    with pytest.raises(ValueError, match="leaf is .*; allowed: "):
        policy(CARTPOLE, "tree", head, {**TREE, "leaf": leaf})


def test_spaces_that_float32_cannot_count_are_refused() -> None:
    one = arrays(0, 0)
    for observation, action in ((Discrete(2**24 + 1), Discrete(2)), (Discrete(2), Discrete(2**24 + 1))):
        with pytest.raises(ValueError, match="space has 16777217 members; allowed: at most 16777216"):
            policy(made_up(observation, action), "tree", "vote", one)


# ---- CartPole ----


def test_tree_2_balances_for_500_steps() -> None:
    for level in LEVELS_OF["tree"]:
        if level.name != "python":
            found = cl.rollout("CartPole-v1", "tree-2", episodes=1000, level="cpp", policy_level=level.name)
            assert (found.returns == 500).all()
    found = cl.rollout("CartPole-v1", "tree-2", episodes=3, level="python")
    assert (found.returns == 500).all()
