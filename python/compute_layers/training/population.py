# SPDX-License-Identifier: MIT
"""Search over the parameters of a policy, generation by generation.

A generation is one native call: every candidate plays the same episodes, and the next generation those of the
next seeds, from 2³² on. The best candidate of a generation whose mean beats the best agent's so far plays 1000
more episodes, seeds from 2³³ on, and is the best agent if it beats it there too.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from math import inf
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..agents import Agent, tensor_forms
from ..registry import Family, Game
from ..rollout import Rollout, parse_count, rollout_population
from ..spec import Box, Form, seen_by_policies
from .run import TRAINING_SEED, VERIFICATION, VERIFICATION_SEED, Progress, Task, Tensors, cpus, perfect, whole

EPISODES = 32  # of a candidate in its generation
MOST_EVALUATIONS = 10**9
EVALUATIONS = whole(10_000, MOST_EVALUATIONS)  # of candidates
BIAS = 0.1

Points = NDArray[np.float64]  # (candidates, parameters)


class Search(Protocol):
    """Where candidates come from.

    Attributes:
        candidates: of a generation.
        converged: whether more generations are of no use.
    """

    candidates: int

    @property
    def converged(self) -> bool: ...

    def ask(self) -> Tensors:
        """The candidates of a generation, stacked along a first axis."""

    def tell(self, returns: NDArray[np.float64]) -> None:
        """What they returned, (candidates,)."""


def require_generation(task: Task, search: Search) -> None:
    """Refuse a budget that is not enough for one."""
    parse_count("evaluations", task.options["evaluations"], MOST_EVALUATIONS, least=search.candidates)


def generations(task: Task, search: Search, last: Progress | None) -> Generator[Progress, None, None]:
    """Search until nothing is left to win, the search has converged or the budget ends."""
    budget = task.options["evaluations"]
    best, tensors, evaluations, steps, before = -inf, {}, 0, 0, 0.0
    if last is not None:
        best, tensors, evaluations, steps = last.best, last.tensors, last.evaluations, last.steps
        before = last.seconds
    start = time.perf_counter() - before
    player: Agent | None = None

    def play(candidates: Tensors, first: int, episodes: int) -> Rollout:
        nonlocal player, steps
        player = player or Agent(
            task.file({name: t[0] for name, t in candidates.items()}), "auto", None, seed=0
        )
        played = rollout_population(
            task.game, player, candidates, episodes=episodes, seed=first, threads=cpus()
        )
        steps += played.steps
        return played

    over = ""
    while not over:
        candidates = search.ask()
        generation = evaluations // search.candidates
        means = play(candidates, TRAINING_SEED + generation * EPISODES, EPISODES).returns.mean(axis=1)
        search.tell(means)
        first = int(means.argmax())
        evaluations += search.candidates
        if means[first] > best:
            chosen = {name: stack[first : first + 1] for name, stack in candidates.items()}
            verified = play(chosen, VERIFICATION_SEED, VERIFICATION)
            if perfect(task.game, verified):
                over = "perfect"
            if verified.returns.mean() > best:
                best = float(verified.returns.mean())
                tensors = {name: stack[0] for name, stack in chosen.items()}
        if not over and evaluations + search.candidates > budget:
            over = "evaluations"
        elif not over and search.converged:
            over = "converged"
        seconds, share = time.perf_counter() - start, min(evaluations / budget, 1.0)
        yield Progress(seconds, evaluations, steps, float(means[first]), best, tensors, share, over)


class Weights:
    """Points of a search as the float32 tensors of a policy, around zero.

    A weight's first standard deviation is 1 / sqrt(inputs of its row), a bias's BIAS. Where all that the game shows is
    bounded, a number that is always small counts in units of half its range: MountainCar's velocities stay below 0.07.

    Args:
        forms: dtype and shape of the tensors by name.
        units: (inputs,) what one of each input is.

    Attributes:
        size: of a point.
    """

    def __init__(self, forms: Mapping[str, Form], units: NDArray[np.float64]) -> None:
        self._shapes: dict[str, tuple[Any, ...]] = {name: shape for name, (_, shape) in forms.items()}
        first = next(name for name, shape in self._shapes.items() if len(shape) == 2)
        spreads = [
            np.full(shape, BIAS if len(shape) == 1 else shape[1] ** -0.5) / (units if name == first else 1.0)
            for name, shape in self._shapes.items()
        ]
        self._cuts = np.cumsum([spread.size for spread in spreads])[:-1]
        self._scale = np.concatenate([spread.ravel() for spread in spreads])
        self.size = len(self._scale)

    def tensors(self, points: Points) -> Tensors:
        """The tensors of the candidates, stacked along a first axis."""
        parts = np.split((points * self._scale).astype(np.float32), self._cuts, axis=1)
        return {
            name: part.reshape(len(points), *shape)
            for part, (name, shape) in zip(parts, self._shapes.items(), strict=True)
        }


def weights(task: Task) -> Weights:
    """Those of the task's policy."""
    return Weights(forms(task), units(task.game))


def forms(task: Task) -> Mapping[str, Form]:
    """Dtype and shape of each tensor of the task's policy."""
    sizes = [*task.layers, 1]
    shapes = {
        f"{name}{layer}": (size,) * len(shape)
        for layer, size in enumerate(sizes)
        for name, (_, shape) in task.family.spec.tensors.items()
        if task.family.spec.layered
    }
    return tensor_forms(task.game, task.family, task.metadata["head"], shapes)


def units(game: Game) -> NDArray[np.float64]:
    """Half the range of each input, at most 1, where all are bounded; else 1."""
    space = seen_by_policies(game.observation)
    if isinstance(space, Box) and np.isfinite([space.low, space.high]).all():
        half = (np.array(space.high, np.float64) - np.array(space.low, np.float64)) / 2
        return np.clip(half, None, 1.0)
    return np.ones(space.size)


def not_of_weights(family: Family, game: Game | None) -> str:
    """Why a family's parameters are no points of such a search; empty if they are."""
    found = [form for head in family.spec.heads for form in family.spec.forms(head).items()]
    others = dict.fromkeys(f"{name} ({dtype})" for name, (dtype, _) in found if dtype != "float32")
    if others:
        return f"moves float32 parameters and this family has {', '.join(others)}"
    return "" if found else "this family has no parameters"
