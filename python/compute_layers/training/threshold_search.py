# SPDX-License-Identifier: MIT
"""An evolution strategy over decision trees (Rechenberg, "Evolutionsstrategie", 1973): thresholds, features and leaves.

It begins with random full trees. In each generation the PARENTS that returned most and CHILDREN, each a parent with a few
numbers changed, play the same episodes: it is a (PARENTS + CHILDREN) strategy whose parents must prove themselves again.
A seed gives the same bytes on any CPU, for nothing goes through BLAS.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from ..batch import rows_of
from ..policies.tree import LEAF, NO_FEATURE
from ..registry import Family, Game
from ..spec import Box, Discrete, seen_by_policies
from ..trees import Moves, finite_bounds, rounded, smallest
from ..vector import VectorEnv
from .population import EVALUATIONS, generations, require_generation
from .run import TRAINING_SEED, Method, Progress, State, Task, Tensors, stacked, whole

PARENTS = 4
CHILDREN = 60
DEPTH = whole(4, 16)
LANES = 64  # of random play, which shows how far the numbers of an observation are apart
STEPS = 64


class Search:
    """Trees that replace each other."""

    candidates = PARENTS + CHILDREN
    converged = False  # it has no such sign

    def __init__(self, game: Game, depth: int, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self._game = game
        rows = _seen(game, self.rng)
        self._moves = Moves(game, rows)
        self.population = stacked([self._random(rows, depth) for _ in range(self.candidates)])

    def ask(self) -> Tensors:
        return self.population

    def tell(self, returns: NDArray[np.float64]) -> None:
        best = np.argsort(-returns, kind="stable")[:PARENTS]
        parents = [{name: tensor[place] for name, tensor in self.population.items()} for place in best]
        chosen = self.rng.integers(PARENTS, size=CHILDREN)
        children = [self._moves.changed(parents[parent], self.rng) for parent in chosen]
        self.population = stacked([*parents, *children])

    def _random(self, rows: NDArray[np.float32], depth: int) -> Tensors:
        """A full tree, level by level."""
        rng, action = self.rng, self._game.action
        inner = 2**depth - 1
        nodes = 2 * inner + 1
        feature = np.full(nodes, NO_FEATURE)
        feature[:inner] = rng.integers(rows.shape[1], size=inner)
        threshold = np.zeros(nodes, np.float32)
        threshold[:inner] = rounded(rows[rng.integers(len(rows), size=inner), feature[:inner]])
        left, right = np.full(nodes, LEAF), np.full(nodes, LEAF)
        left[:inner] = 2 * np.arange(inner) + 1
        right[:inner] = left[:inner] + 1
        leaf = _actions(self._game, nodes, rng)
        leaf = leaf if isinstance(action, Discrete) else rounded(leaf)
        return {"feature": feature, "threshold": threshold, "left": left, "right": right, "leaf": leaf}


def _actions(game: Game, number: int, rng: np.random.Generator) -> NDArray[np.int64] | NDArray[np.float32]:
    """Random actions, all equally probable."""
    if isinstance(game.action, Discrete):
        return rng.integers(game.action.n, size=number)
    low, high = finite_bounds(game.action)
    return rng.uniform(low, high, (number, len(low))).astype(np.float32)


def _seen(game: Game, rng: np.random.Generator) -> NDArray[np.float32]:
    """What random actions lead to, (states, inputs)."""
    envs = VectorEnv(LANES, game=game, max_episode_steps=game.entry.max_episode_steps)
    observation, _ = envs.reset(seed=TRAINING_SEED)
    seen = []
    for _ in range(STEPS):
        seen.append(rows_of(observation).copy())
        observation, *_ = envs.step(_actions(game, LANES, rng))
    return np.concatenate(seen).astype(np.float32)


class ThresholdSearch:
    """A run of it."""

    label = "threshold search"

    def __init__(self, task: Task) -> None:
        fitting = "vote" if isinstance(task.game.action, Discrete) else "box"
        if task.metadata["head"] != fitting:
            raise ValueError(f"head is {task.metadata['head']!r}; allowed: {fitting}")
        self._task = task
        self._search = Search(task.game, task.options["depth"], task.seed)
        require_generation(task, self._search)
        self.made_with = {"packages": f"numpy {version('numpy')}"}

    def go(self, last: Progress | None) -> Generator[Progress, None, None]:
        for at in generations(self._task, self._search, last):
            yield replace(at, tensors=smallest(at.tensors))

    def state(self) -> State:
        return {**self._search.population, "rng": self._search.rng.bit_generator.state}

    def restore(self, state: State) -> None:
        search = self._search
        search.population = {name: state[name] for name in search.population}
        search.rng.bit_generator.state = state["rng"]


def _refusal(family: Family, game: Game | None) -> str:
    if family.stem != "tree":
        return "searches trees"
    if game is not None and not isinstance(seen_by_policies(game.observation), Box):
        return f"compares vectors of numbers, and {game.id} shows numbers of states"
    return ""


METHOD = Method(ThresholdSearch, _refusal, {"depth": DEPTH, "evaluations": EVALUATIONS}, "evaluations")
