# SPDX-License-Identifier: MIT
"""Policies that are handed to us and to the peers alike, and their measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compute_layers import registry
from compute_layers.agents import Agent, AgentFile, agent_file
from compute_layers.measure import Contestant
from contestants import cycled, widest
from protocol import PYTHON_CALL, Key, Protocol

GAME = "CartPole-v1"
NETWORK = "mlp-64x64"
DEPTH = 8
TREE, FOREST = f"tree of depth {DEPTH}", f"forest of 100 trees of depth {DEPTH}"
BATCH, BUFFERS = 1024, 256  # observations a call, and calls until an observation comes again
SAME = 0.999  # the share of equal actions below which two policies are not the same function

Array = NDArray[Any]


@dataclass(frozen=True)
class Opponent:
    """A policy of a peer.

    Attributes:
        call: what is timed.
        arguments: of the calls, one for each of the observations, prepared beforehand.
        actions: of a call's result.
    """

    call: Callable[[Any], Any]
    arguments: Sequence[Any]
    actions: Callable[[Any], Any]


def measure(
    protocol: Protocol,
    subject: str,
    file: AgentFile,
    observations: Sequence[Array],
    opponents: Mapping[str, Opponent],
    better: str | None = None,
) -> None:
    """Measure ``agent(observation)``, for one observation or for a batch, and print a row for each opponent.

    Args:
        better: the name of one more row, that of the fastest opponent.

    Raises:
        RuntimeError: an opponent computes another function.
    """
    n = 1 if observations[0].ndim == 1 else len(observations[0])
    levels = [widest(file.family.isas, name) for name in ("asm", "cpp")]
    ours = {str(level): Agent(file, level.name, level.isa, seed=0) for level in levels if level is not None}
    expected = decided(observations, next(iter(ours.values())))
    same = {
        name: agreement(expected, decided(opponent.arguments, lambda x, by=opponent: by.actions(by.call(x))))
        for name, opponent in opponents.items()
    }
    contestants: dict[Key, Contestant] = {
        (level, PYTHON_CALL, n): cycled(agent, observations, n) for level, agent in ours.items()
    }
    for name, opponent in opponents.items():
        contestants[name, PYTHON_CALL, n] = cycled(opponent.call, opponent.arguments, n)
    measurement = protocol.measure(contestants)
    against = [(level, PYTHON_CALL, n) for level in ours]
    for name in opponents:
        measurement.row(subject, (name, PYTHON_CALL, n), against, agreement=same[name])
    if better is not None:
        best = measurement.best(*opponents)
        measurement.row(subject, best, against, name=better, agreement=same[best[0]])


def decided(arguments: Sequence[Any], policy: Callable[[Any], Any]) -> Array:
    return np.concatenate([np.atleast_1d(policy(argument)) for argument in arguments])


def agreement(ours: Array, theirs: Array) -> float:
    """The share of equal actions.

    Raises:
        RuntimeError: too few are: the contestants compute different functions.
    """
    share = float(np.mean(ours == theirs))
    if ours.shape != theirs.shape or share < SAME:
        raise RuntimeError(f"only {share:.4%} of the actions are equal; allowed: at least {SAME:.1%}")
    return share


def buffers() -> list[Array]:
    """Random observations in buffers of a batch each."""
    rng = np.random.default_rng(1)
    return [rng.standard_normal((BATCH, 4)).astype(np.float32) for _ in range(BUFFERS)]


def singles() -> list[Array]:
    """Random observations one by one."""
    return list(np.concatenate(buffers()[:4]))


# ---- networks ----


def network() -> AgentFile:
    """The agent ``mlp-64x64``: tanh, argmax."""
    return agent_file(GAME, NETWORK)


def layers(file: AgentFile) -> list[tuple[Array, Array]]:
    """Weights (rows, inputs) and bias (rows,) of each layer."""
    return [(file.tensors[f"W{i}"], file.tensors[f"b{i}"]) for i in range(len(file.tensors) // 2)]


def describe(file: AgentFile) -> str:
    sizes = [layers(file)[0][0].shape[1], *(len(bias) for _, bias in layers(file))]
    return f"mlp {'-'.join(map(str, sizes))} {file.choices['activation']}"


# ---- trees ----


def random_data() -> tuple[Array, Array]:
    """Random rows, of two classes by their sum and as much noise: a tree of depth 8 has 387 nodes for it."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5000, 4)).astype(np.float32)
    return rows, (rows.sum(axis=1) + rng.standard_normal(5000) > 0).astype(np.int64)


def tree_file(classifier: Any) -> AgentFile:
    """A DecisionTreeClassifier of scikit-learn as a policy."""
    tensors = _nodes(classifier.tree_)
    tensors["leaf"] = classifier.classes_[classifier.tree_.value[:, 0].argmax(axis=1)].astype(np.int64)
    return _file("tree", tensors, family="tree", layer="symbolic", head="vote")


def forest_file(classifier: Any) -> AgentFile:
    """A RandomForestClassifier, which adds the shares of the classes in the leaves of its trees."""
    trees = [estimator.tree_ for estimator in classifier.estimators_]
    parts = [_nodes(tree) for tree in trees]
    tensors = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    shares = [tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True) for tree in trees]
    tensors["leaf"] = (np.concatenate(shares) / len(trees)).astype(np.float32)
    tensors["root"] = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    return _file("forest", tensors, family="forest", layer="symbolic", head="argmax")


def _nodes(tree: Any) -> dict[str, Array]:
    """scikit-learn goes left if x <= threshold, in float64: for float32 x the same as with it rounded down."""
    threshold = tree.threshold.astype(np.float32)
    too_high = threshold > tree.threshold
    threshold[too_high] = np.nextafter(threshold[too_high], np.float32(-np.inf))
    return {
        "feature": tree.feature.astype(np.int64),
        "threshold": threshold,
        "left": tree.children_left.astype(np.int64),
        "right": tree.children_right.astype(np.int64),
    }


def _file(name: str, tensors: dict[str, Array], **metadata: str) -> AgentFile:
    return AgentFile(name, registry.game(GAME), {"version": "1", **metadata}, tensors)
