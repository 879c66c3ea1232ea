# SPDX-License-Identifier: MIT
"""CMA-ES (Hansen and Ostermeier, "Completely Derandomized Self-Adaptation in Evolution Strategies", 2001), from the
package cmaes.

The whole covariance is learned for up to DENSE parameters, its diagonal for more (sep-CMA-ES; Ros and Hansen, "A Simple
Modification in CMA-ES Achieving Linear Time and Space Complexity", 2008). What a seed gives depends on
the versions of cmaes and NumPy and on the kernels that BLAS chooses for the CPU, all of which the file names; it
does not depend on levels, isas or the number of threads.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib.metadata import version
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from .population import EVALUATIONS, Points, Weights, generations, not_of_weights, require_generation, weights
from .run import Method, Progress, State, Task, Tensors, blas

DENSE = 100


class Search:
    """CMA-ES over the parameters of a policy."""

    def __init__(self, weights: Weights, seed: int) -> None:
        from cmaes import CMA, SepCMA

        dense = weights.size <= DENSE
        self.method = "CMA-ES" if dense else "sep-CMA-ES"
        self.optimiser = (CMA if dense else SepCMA)(mean=np.zeros(weights.size), sigma=1.0, seed=seed)
        self.optimiser._funhist_values[:] = 0.0  # so that a checkpoint has no bytes of chance
        self.candidates: int = self.optimiser.population_size
        self._weights = weights
        self._points: Points = np.zeros((0, weights.size))

    def ask(self) -> Tensors:
        self._points = np.array([self.optimiser.ask() for _ in range(self.candidates)])
        return self._weights.tensors(self._points)

    def tell(self, returns: NDArray[np.float64]) -> None:
        self.optimiser.tell([(point, -value) for point, value in zip(self._points, returns, strict=True)])

    @property
    def converged(self) -> bool:
        return bool(self.optimiser.should_stop())


class CMAES:
    """A run of it."""

    def __init__(self, task: Task) -> None:
        try:
            import cmaes  # noqa: F401

            self._blas, kernels = blas()
        except ImportError as problem:
            raise DependencyNotInstalled(
                f"training needs the package {problem.name}: pip install 'compute_layers[train]'"
            ) from None
        self._task = task
        self._search = Search(weights(task), task.seed)
        require_generation(task, self._search)
        self.label = self._search.method
        self.made_with = {
            "packages": ", ".join(f"{name} {version(name)}" for name in ("cmaes", "numpy")),
            "blas": kernels,
        }

    def go(self, last: Progress | None) -> Generator[Progress, None, None]:
        # On one thread: the order of BLAS's sums must not depend on the number of cores.
        with self._blas.limit(limits=1):
            yield from generations(self._task, self._search, last)

    def state(self) -> State:
        attributes = {name: _copied(value) for name, value in vars(self._search.optimiser).items()}
        kind, keys, position, has_gauss, gauss = attributes.pop("_rng").get_state()
        return attributes | {"rng": [kind, position, has_gauss, gauss], "keys": keys}

    def restore(self, state: State) -> None:
        attributes = dict(state)
        kind, position, has_gauss, gauss = attributes.pop("rng")
        optimiser = self._search.optimiser
        optimiser._rng.set_state((kind, attributes.pop("keys"), position, has_gauss, gauss))
        # NumPy's scalars were kept as arrays of no dimension: a float would not do, its powers are others.
        vars(optimiser).update(
            (name, value[()] if isinstance(value, np.ndarray) else value)
            for name, value in attributes.items()
        )


def _copied(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray | np.generic) else value


METHOD = Method(CMAES, not_of_weights, {"evaluations": EVALUATIONS}, "evaluations")
