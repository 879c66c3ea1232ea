# SPDX-License-Identifier: MIT
"""Training: CMA-ES on native rollouts, for families whose parameters are all float32.

A generation is one native call: every candidate plays the same episodes, and the next generation those of the
next seeds, from 2³² on. The best candidate of a generation whose mean beats the best agent's so far plays 1000
more episodes, seeds from 2³³ on, and is the best agent if it beats it there too. The evaluation, seeds 0 to 999,
comes last and decides nothing.

The search begins around zero. A weight's first standard deviation is 1 / sqrt(inputs of its row), a bias's BIAS. Where
all that the game shows is bounded, a number that is always small counts in units of half its range: MountainCar's
velocities stay below 0.07.
The whole covariance is learned for up to DENSE parameters, its diagonal for more. What a seed gives depends on
the versions of cmaes and NumPy and on the kernels that BLAS chooses for the CPU, all of which the file names; it
does not depend on levels, isas or the number of threads.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from math import inf, prod
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from . import registry
from .agents import FORMAT_VERSION, Agent, AgentFile, heads, tensor_forms
from .measure import conditions, short
from .registry import Family, Game, unknown
from .rollout import Rollout, parse_count, rollout, rollout_population
from .spec import Box, Form, seen_by_policies

SCHEMA = "compute_layers/train/1"
EVALUATIONS = 10_000  # of candidates, unless told otherwise
MOST_EVALUATIONS = 10**9
EPISODES = 32  # of a candidate in its generation
TRAINING_SEED = 2**32
VERIFICATION_SEED = 2**33
VERIFICATION = 1000  # episodes
EVALUATION = 1000  # episodes, seeds 0, 1, …
HIDDEN = (64, 64)  # rows of the hidden layers, unless told otherwise
MOST_ROWS = 2**16
BIAS = 0.1
DENSE = 100

Points = NDArray[np.float64]  # (candidates, parameters)
Play = Callable[[Points, int, int], Rollout]  # candidates, first seed, episodes


@dataclass(frozen=True)
class Progress:
    """Where training stands after a generation.

    Attributes:
        seconds, evaluations, steps: spent so far; steps of the environment, verification included.
        generation: mean return of the generation's best candidate.
        best: mean return of the best agent so far in its verification.
        point: the best agent's parameters, (1, parameters), as the search has them.
        perfect: whether nothing is left to win.
    """

    seconds: float
    evaluations: int
    steps: int
    generation: float
    best: float
    point: Points
    perfect: bool


@dataclass(frozen=True, eq=False)
class Training:
    """The result of :func:`train`.

    Attributes:
        file: the agent.
        returns: float64 (1000,): of the evaluation seeds.
        progress: an entry for every generation.
        stopped: why it ended: ``perfect``, ``evaluations``, ``seconds``, ``converged`` or ``interrupted``.
    """

    file: AgentFile
    returns: NDArray[np.float64]
    progress: list[Progress]
    stopped: str

    def save(self, path: Path) -> None:
        """Write the agent, with the command that makes this file."""
        self.file.name = path.stem
        self.file.metadata["command"] += f" --save {shlex.quote(path.name)}"
        self.file.save(path)

    def as_dict(self) -> dict[str, Any]:
        """The training for a program; see ``schema``."""
        curve = [
            {name: getattr(at, name) for name in ("seconds", "evaluations", "steps", "generation", "best")}
            for at in self.progress
        ]
        return {
            "schema": SCHEMA,
            "game": self.file.game.id,
            "conditions": conditions(),
            "metadata": self.file.metadata,
            "stopped": self.stopped,
            "episodes": len(self.returns),
            "return_mean": float(self.returns.mean()),
            "return_min": float(self.returns.min()),
            "progress": curve,
        }


def trainable() -> tuple[str, ...]:
    """The families that can be trained: those with parameters, all of them float32."""
    return tuple(stem for stem, family in registry.families().items() if not _refusal(family))


def _refusal(family: Family) -> str:
    """Why a family cannot be trained; empty if it can."""
    forms = [form for head in family.spec.heads for form in family.spec.forms(head).items()]
    others = dict.fromkeys(f"{name} ({dtype})" for name, (dtype, _) in forms if dtype != "float32")
    if others:
        return f"CMA-ES moves float32 parameters and this family has {', '.join(others)}"
    return "" if forms else "this family has no parameters"


class Search:
    """CMA-ES over the parameters of a policy.

    Args:
        forms: dtype and shape of the tensors by name.
        units: (inputs,) what one of each input is.
        seed: of the random numbers.
    """

    def __init__(self, forms: Mapping[str, Form], units: NDArray[np.float64], seed: int) -> None:
        from cmaes import CMA, SepCMA

        self._shapes: dict[str, tuple[Any, ...]] = {name: shape for name, (_, shape) in forms.items()}
        sizes = [prod(shape) for shape in self._shapes.values()]
        first = next(name for name, shape in self._shapes.items() if len(shape) == 2)
        spreads = [
            np.full(shape, BIAS if len(shape) == 1 else shape[1] ** -0.5) / (units if name == first else 1.0)
            for name, shape in self._shapes.items()
        ]
        self._cuts = np.cumsum(sizes)[:-1]
        self._scale = np.concatenate([spread.ravel() for spread in spreads])
        dense = sum(sizes) <= DENSE
        self.method = "CMA-ES" if dense else "sep-CMA-ES"
        self._optimiser = (CMA if dense else SepCMA)(mean=np.zeros(sum(sizes)), sigma=1.0, seed=seed)
        self.candidates: int = self._optimiser.population_size

    def ask(self) -> Points:
        """The candidates of a generation."""
        return np.array([self._optimiser.ask() for _ in range(self.candidates)])

    def tell(self, points: Points, returns: NDArray[np.float64]) -> None:
        """What they returned, (candidates,)."""
        self._optimiser.tell([(point, -value) for point, value in zip(points, returns, strict=True)])

    @property
    def converged(self) -> bool:
        return bool(self._optimiser.should_stop())

    def tensors(self, points: Points) -> dict[str, NDArray[np.float32]]:
        """The tensors of the candidates, stacked along a first axis."""
        parts = np.split((points * self._scale).astype(np.float32), self._cuts, axis=1)
        return {
            name: part.reshape(len(points), *shape)
            for part, (name, shape) in zip(parts, self._shapes.items(), strict=True)
        }


def _generations(game: Game, search: Search, play: Play) -> Iterator[Progress]:
    start = time.perf_counter()
    best, point, steps = -inf, np.zeros((0, 0)), 0
    for generation in count():
        points = search.ask()
        played = play(points, TRAINING_SEED + generation * EPISODES, EPISODES)
        means = played.returns.mean(axis=1)
        search.tell(points, means)
        steps += played.steps
        first = int(means.argmax())
        perfect = False
        if means[first] > best:
            verified = play(points[first : first + 1], VERIFICATION_SEED, VERIFICATION)
            steps += verified.steps
            perfect = _perfect(game, verified)
            if verified.returns.mean() > best:
                best, point = float(verified.returns.mean()), points[first : first + 1]
        spent = (generation + 1) * search.candidates
        yield Progress(time.perf_counter() - start, spent, steps, float(means[first]), best, point, perfect)


def _perfect(game: Game, played: Rollout) -> bool:
    """Whether nothing is left to win: the reward threshold is reached and no episode ended before the limit."""
    limit, threshold = game.entry.max_episode_steps, game.entry.reward_threshold
    return threshold is not None and played.returns.mean() >= threshold and played.lengths.min() == limit


def train(
    game: str,
    family: str,
    *,
    seed: int,
    head: str | None = None,
    layers: Sequence[int] | None = None,
    choices: Mapping[str, str] | None = None,
    evaluations: int = EVALUATIONS,
    seconds: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Training:
    """Train an agent from nothing.

    It stops when the budget is spent, when the search has converged, at Ctrl-C, and when nothing is left to win:
    in the verification every episode reached the id's time limit, and the mean its reward threshold.

    Args:
        game: the id.
        family: one of :func:`trainable`.
        seed: of the search, 0 to 2³² - 1.
        head: None is the first that the family has for the game.
        layers: rows of the hidden layers of a layered family; None is 64, 64.
        choices: of the family, by name; the first of those left out.
        evaluations: of candidates, at most.
        seconds: at most, by a generation more; None is no limit.
        report: called after every generation.

    Raises:
        ValueError, TypeError: an unknown name, or an argument out of range.
        gymnasium.error.DependencyNotInstalled: the extra ``train`` is not installed.
        KeyboardInterrupt: Ctrl-C in the first generation; later it ends training with the best agent so far.
    """
    found = registry.game(game)
    seed = parse_count("seed", seed, 2**32 - 1, least=0)
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds is {seconds}; allowed: more than 0")
    start = _start(found, family, head, layers, choices or {})
    blas, kernels = _blas()
    search = Search({name: (str(t.dtype), t.shape) for name, t in start.tensors.items()}, _units(found), seed)
    # At least a generation.
    evaluations = parse_count("evaluations", evaluations, MOST_EVALUATIONS, least=search.candidates)
    player = Agent(start, "auto", None, seed=0)
    threads = cpus()

    def play(points: Points, first: int, episodes: int) -> Rollout:
        tensors = search.tensors(points)
        return rollout_population(game, player, tensors, episodes=episodes, seed=first, threads=threads)

    progress: list[Progress] = []
    stopped = ""
    # On one thread: the order of BLAS's sums must not depend on the number of cores.
    with blas.limit(limits=1):
        try:
            for at in _generations(found, search, play):
                progress.append(at)
                if at.perfect:
                    stopped = "perfect"
                elif at.evaluations + search.candidates > evaluations:
                    stopped = "evaluations"
                elif seconds is not None and at.seconds >= seconds:
                    stopped = "seconds"
                elif search.converged:
                    stopped = "converged"
                report(at)
                if stopped:
                    break
        except KeyboardInterrupt:
            if not progress:
                raise
            stopped = "interrupted"

    last = progress[-1]
    tensors = {name: tensor[0] for name, tensor in search.tensors(last.point).items()}
    file = AgentFile(family, found, start.metadata, tensors)
    returns = rollout(game, Agent(file, "auto", None, seed=0), episodes=EVALUATION, threads=threads).returns
    if stopped in ("seconds", "interrupted"):  # in the command a count stands for the clock
        evaluations = last.evaluations
    command = ["compute-layers", "train", found.id, "--family", family, "--head", file.head]
    if file.family.spec.layered:
        command += ["--layers", ",".join(map(str, HIDDEN if layers is None else layers))]
    for choice, chosen in file.choices.items():
        command += [f"--{choice}", chosen]
    command += ["--seed", str(seed)]
    if evaluations != EVALUATIONS:
        command += ["--evaluations", str(evaluations)]
    file.note_returns(returns)
    file.metadata |= {
        "command": shlex.join(command),
        "seed": str(seed),
        "evaluations": str(last.evaluations),
        "steps": str(last.steps),
        "preparation": f"{search.method}, {last.seconds:.1f} s, {short(last.steps)} steps",
        "packages": ", ".join(f"{name} {version(name)}" for name in ("cmaes", "numpy")),
        "blas": kernels,
    }
    return Training(file, returns, progress, stopped)


def _start(
    game: Game, stem: str, head: str | None, layers: Sequence[int] | None, choices: Mapping[str, str]
) -> AgentFile:
    """The agent that the search begins with, whose parameters are zero."""
    if stem not in registry.families():
        raise unknown("family", stem, trainable())
    family = registry.family(stem)
    if refusal := _refusal(family):
        raise ValueError(f"family is {stem!r}; allowed: {', '.join(trainable())}; {refusal}")
    for choice, chosen in choices.items():
        if choice not in family.spec.choices:
            raise ValueError(f"{choice} is {chosen!r}; allowed: none, family {stem} has no such choice")
    if layers is not None and not family.spec.layered:
        raise ValueError(f"layers is {list(layers)}; allowed: none, family {stem} has no layers")
    rows = [
        parse_count("a number in layers", row, MOST_ROWS) for row in (HIDDEN if layers is None else layers)
    ]
    metadata = {
        "family": stem,
        "layer": "subsymbolic",
        "head": heads(family, game.action)[0] if head is None else head,
        "version": FORMAT_VERSION,
        **{choice: choices.get(choice, known[0]) for choice, known in family.spec.choices.items()},
    }
    shapes = {
        f"{name}{layer}": (size,) * len(shape)
        for layer, size in enumerate([*rows, 1])
        for name, (_, shape) in family.spec.tensors.items()
        if family.spec.layered
    }
    forms = tensor_forms(game, family, metadata["head"], shapes)
    tensors = {name: np.zeros(shape, dtype) for name, (dtype, shape) in forms.items()}
    return AgentFile(stem, game, metadata, tensors)


def _units(game: Game) -> NDArray[np.float64]:
    """Half the range of each input, at most 1, where all are bounded; else 1."""
    space = seen_by_policies(game.observation)
    if isinstance(space, Box) and np.isfinite([space.low, space.high]).all():
        half = (np.array(space.high, np.float64) - np.array(space.low, np.float64)) / 2
        return np.clip(half, None, 1.0)
    return np.ones(space.size)


def _blas() -> tuple[Any, str]:
    """NumPy's BLAS as threadpoolctl controls it, and the kernels that it chose for this CPU."""
    try:
        import cmaes  # noqa: F401
        from threadpoolctl import ThreadpoolController
    except ImportError as problem:
        raise DependencyNotInstalled(
            f"training needs the package {problem.name}: pip install 'compute_layers[train]'"
        ) from None
    controller = ThreadpoolController().select(user_api="blas")
    kernels = sorted(
        f"{found['internal_api']} {found['version']} {found.get('architecture', 'unknown')}"
        for found in controller.info()
        if "scipy.libs"
        not in found["filepath"]  # SciPy's wheel has a BLAS of its own, which is not used here
    )
    return controller, ", ".join(kernels) or "unknown"


def cpus() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
