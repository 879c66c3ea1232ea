# SPDX-License-Identifier: MIT
"""OpenAI-ES (Salimans, Ho, Chen, Sidor and Sutskever, "Evolution Strategies as a Scalable Alternative to Reinforcement
Learning", 2017).

A generation is the centre and PAIRS pairs of points around it, each pair on opposite sides. The gradient of the return
is estimated from the ranks of the points, from -0.5 to 0.5, and Adam (Kingma and Ba, 2015) moves the centre along it.
Nothing goes through BLAS: sums over the points add one after the other.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .population import EVALUATIONS, Weights, generations, not_of_weights, require_generation, weights
from .run import Method, Progress, State, Task, Tensors

PAIRS = 16
SPREAD = 0.5  # standard deviation of the points
RATE = 0.2  # of Adam, with its usual decays
DECAY, DECAY_OF_SQUARES, EPSILON = 0.9, 0.999, 1e-8


class Search:
    """OpenAI-ES over the parameters of a policy."""

    candidates = 1 + 2 * PAIRS
    converged = False  # it has no such sign

    def __init__(self, weights: Weights, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.centre, self.mean, self.square = (np.zeros(weights.size) for _ in range(3))
        self.weight = self.weight_of_squares = 0.0  # of all gradients in the means
        self._weights = weights
        self._noise = np.zeros((0, weights.size))

    def ask(self) -> Tensors:
        half = self.rng.standard_normal((PAIRS, self._weights.size))
        self._noise = np.concatenate([half, -half])
        points = self.centre + SPREAD * self._noise
        return self._weights.tensors(np.concatenate([self.centre[None], points]))

    def tell(self, returns: NDArray[np.float64]) -> None:
        gradient = (centred_ranks(returns[1:])[:, None] * self._noise).sum(axis=0) / (2 * PAIRS * SPREAD)
        self.mean = _decayed(DECAY, self.mean, gradient)
        self.weight = _decayed(DECAY, self.weight, 1.0)
        self.square = _decayed(DECAY_OF_SQUARES, self.square, gradient * gradient)
        self.weight_of_squares = _decayed(DECAY_OF_SQUARES, self.weight_of_squares, 1.0)
        size = np.sqrt(self.square / self.weight_of_squares)
        self.centre = self.centre + RATE * (self.mean / self.weight) / (size + EPSILON)


def _decayed(decay: float, mean: Any, latest: Any) -> Any:
    return decay * mean + (1.0 - decay) * latest


def centred_ranks(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """From -0.5 for the lowest return to 0.5 for the highest; equal ones share the mean of their ranks."""
    _, places, counts = np.unique(returns, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts + 1) / 2
    shared: NDArray[np.float64] = ranks[places] / (len(returns) - 1) - 0.5
    return shared


class OpenAIES:
    """A run of it."""

    label = "OpenAI-ES"

    def __init__(self, task: Task) -> None:
        self._task = task
        self._search = Search(weights(task), task.seed)
        require_generation(task, self._search)
        self.made_with = {"packages": f"numpy {version('numpy')}"}

    def go(self, last: Progress | None) -> Generator[Progress, None, None]:
        yield from generations(self._task, self._search, last)

    def state(self) -> State:
        search = self._search
        return {
            "centre": search.centre,
            "mean": search.mean,
            "square": search.square,
            "weight": search.weight,
            "weight_of_squares": search.weight_of_squares,
            "rng": search.rng.bit_generator.state,
        }

    def restore(self, state: State) -> None:
        search = self._search
        search.centre, search.mean, search.square = (state[name] for name in ("centre", "mean", "square"))
        search.weight, search.weight_of_squares = state["weight"], state["weight_of_squares"]
        search.rng.bit_generator.state = state["rng"]


METHOD = Method(OpenAIES, not_of_weights, {"evaluations": EVALUATIONS}, "evaluations")
