# SPDX-License-Identifier: MIT
"""What training has in common, whatever the method: the task, its progress, the agent that comes out.

A module of a method has a :class:`Run` and the :class:`Method` that begins it. To add one, write the module and enter
its method into the table of ``train.py``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..agents import AgentFile
from ..measure import conditions
from ..registry import Family, Game
from ..rollout import Rollout, parse_count

TRAINING_SEED = 2**32
VERIFICATION_SEED = 2**33
VERIFICATION = 1000  # episodes
EVALUATION = 1000  # episodes, seeds 0, 1, …
# Of an agent that was made, by family; subsymbolic if it is not here.
LAYER = {"tree": "symbolic", "table": "symbolic"}

Tensors = dict[str, NDArray[Any]]
State = dict[str, Any]  # arrays, and what JSON can hold


@dataclass(frozen=True)
class Option:
    """A number that a method takes.

    Attributes:
        default: if it is not given.
        parse: the value that was given, by its name.
    """

    default: Any
    parse: Callable[[str, Any], Any]


def whole(default: int, most: int, least: int = 1) -> Option:
    """An option that is an int."""
    return Option(default, lambda name, value: parse_count(name, value, most, least))


@dataclass(frozen=True, eq=False)
class Task:
    """What to train.

    Attributes:
        game, family: for which game what kind of policy.
        metadata: of the agent as far as it is known: family, layer, head, version and the family's choices.
        layers: rows of the hidden layers, empty if the family has none.
        seed: of all that is drawn.
        options: all that the method has, by name.
    """

    game: Game
    family: Family
    metadata: Mapping[str, str]
    layers: tuple[int, ...]
    seed: int
    options: Mapping[str, Any]

    def file(self, tensors: Tensors) -> AgentFile:
        """An agent with these parameters."""
        return AgentFile(self.family.stem, self.game, self.metadata, tensors)


@dataclass(frozen=True, eq=False)
class Progress:
    """Where training stands.

    Attributes:
        seconds, evaluations, steps: spent so far. A search evaluates candidates, and its steps are all that were played,
            in the verification too; another method says what it counts.
        recent: mean return of what was played last: of a generation its best candidate's.
        best: mean return of the best agent so far in its verification.
        tensors: the best agent's.
        share: of the budget that is spent, 0 to 1.
        over: why nothing comes after it, such as ``perfect`` or the name of the budget; empty if something does.
    """

    seconds: float
    evaluations: int
    steps: int
    recent: float
    best: float
    tensors: Tensors
    share: float
    over: str


class Run(Protocol):
    """A training in progress.

    Attributes:
        label: what the method is called in the ladder's column of preparation.
        made_with: entries of metadata that say what the result depends on: ``packages``, ``blas``.
    """

    @property
    def label(self) -> str: ...

    @property
    def made_with(self) -> Mapping[str, str]: ...

    def go(self, last: Progress | None) -> Generator[Progress, None, None]:
        """Train, from the beginning or, if it has been restored, on from the progress of its checkpoint.

        What an interruption cuts short must leave no trace in the result.
        """


@runtime_checkable
class Resumable(Protocol):
    """A run that can be written down, to go on later."""

    def state(self) -> State:
        """What ``restore`` needs to go on after the latest progress as if nothing had been between."""

    def restore(self, state: State) -> None:
        """Become what ``state`` was taken of."""


@dataclass(frozen=True)
class Method:
    """A method of training.

    Attributes:
        begin: a run. Raises ValueError for options that do not fit the task, and DependencyNotInstalled.
        refusal: why it cannot train a family, for one game or (None) for any; empty if it can.
        options: that it has beside those of every method, by name.
        budget: which of them is the budget, an attribute of :class:`Progress`.
    """

    begin: Callable[[Task], Run]
    refusal: Callable[[Family, Game | None], str]
    options: Mapping[str, Option]
    budget: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """An agent and how it came about.

    Attributes:
        file: the agent.
        stopped: why it ended.
    """

    file: AgentFile
    stopped: str

    def save(self, path: Path) -> None:
        """Write the agent, with the command that makes this file."""
        self.file.name = path.stem
        self.file.metadata["command"] += f" --save {shlex.quote(path.name)}"
        self.file.save(path)

    def described(self, schema: str) -> dict[str, Any]:
        """What every report has for a program."""
        return {
            "schema": schema,
            "game": self.file.game.id,
            "conditions": conditions(),
            "metadata": self.file.metadata,
            "stopped": self.stopped,
        }


def perfect(game: Game, played: Rollout) -> bool:
    """Whether nothing is left to win: the reward threshold is reached and no episode ended before the limit."""
    limit, threshold = game.entry.max_episode_steps, game.entry.reward_threshold
    return threshold is not None and played.returns.mean() >= threshold and played.lengths.min() == limit


def blas(*, scipy: bool = False) -> tuple[Any, str]:
    """The libraries of linear algebra as threadpoolctl controls them, and the kernels that they chose for this CPU.

    Args:
        scipy: SciPy's wheel has one of its own, which counts only if this says so.

    Raises:
        ImportError: the package threadpoolctl is not installed.
    """
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController().select(user_api="blas")
    kernels = {
        f"{found['internal_api']} {found['version']} {found.get('architecture', 'unknown')}"
        for found in controller.info()
        if scipy or "scipy.libs" not in found["filepath"]
    }
    return controller, ", ".join(sorted(kernels)) or "unknown"


def cpus() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stacked(each: list[Tensors]) -> Tensors:
    """The tensors of several policies along a first axis."""
    return {name: np.stack([tensors[name] for tensors in each]) for name in each[0]}
