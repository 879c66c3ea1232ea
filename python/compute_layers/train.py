# SPDX-License-Identifier: MIT
"""Training: an agent from nothing, by one of several methods (the modules of ``training``).

Training episodes have seeds from 2³² on, those from 2³³ on say which agent is the best. The evaluation, seeds 0 to
999, comes last and decides nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from . import registry
from .agents import FORMAT_VERSION, Agent, heads
from .measure import short
from .models import has_model
from .planning import exact_words
from .registry import Family, Game, unknown
from .rollout import parse_count, rollout
from .training import cma_es, openai_es, ppo, temporal_difference, threshold_search
from .training.checkpoint import Checkpoint
from .training.checkpoint import read as read_checkpoint
from .training.run import EVALUATION, LAYER, Made, Method, Progress, Resumable, Task, cpus

SCHEMA = "compute_layers/train/1"
HIDDEN = (64, 64)  # rows of the hidden layers, unless told otherwise
MOST_ROWS = 2**16

# A family is trained by the first that takes it, unless told otherwise.
METHODS: dict[str, Method] = {
    "cma-es": cma_es.METHOD,
    "openai-es": openai_es.METHOD,
    "threshold-search": threshold_search.METHOD,
    "ppo": ppo.METHOD,
    "q-learning": temporal_difference.Q_LEARNING,
    "sarsa": temporal_difference.SARSA,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Training(Made):
    """The result of :func:`train`.

    Attributes:
        file: the agent.
        stopped: why it ended: ``perfect``, ``converged``, the name of the budget, ``seconds`` or ``interrupted``.
        returns: float64 (1000,): of the evaluation seeds.
        progress: an entry for every generation, first the one of the checkpoint if training went on from there.
    """

    returns: NDArray[np.float64]
    progress: list[Progress]

    def as_dict(self) -> dict[str, Any]:
        """The training for a program; see ``schema``."""
        curve = [
            {name: getattr(at, name) for name in ("seconds", "evaluations", "steps", "recent", "best")}
            for at in self.progress
        ]
        return self.described(SCHEMA) | {
            "episodes": len(self.returns),
            "return_mean": float(self.returns.mean()),
            "return_min": float(self.returns.min()),
            "progress": curve,
        }

    def print(self, console: Console) -> None:
        """The agent, and how to make it again."""
        said = self.file.metadata
        for line in (
            f"{self.file.game.id}/{self.file.name}: return {said['return']}",
            f"{said['preparation']}, {said['evaluations']} evaluations; stopped: {self.stopped}",
            ", ".join(said[entry] for entry in ("packages", "blas") if entry in said),
            said["command"],
        ):
            if not line:
                continue
            console.print(line, soft_wrap=True, markup=False)


def trainable() -> tuple[str, ...]:
    """The families that some method can train."""
    return tuple(
        stem
        for stem, family in registry.families().items()
        if any(not method.refusal(family, None) for method in METHODS.values())
    )


def train(
    game: str,
    family: str,
    *,
    seed: int,
    method: str | None = None,
    head: str | None = None,
    layers: Sequence[int] | None = None,
    choices: Mapping[str, str] | None = None,
    seconds: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    **options: Any,
) -> Training:
    """Train an agent from nothing.

    It stops when the budget is spent, when the method has nothing more to find, at Ctrl-C, and when nothing is left to
    win: in the verification every episode reached the id's time limit, and the mean its reward threshold.

    Args:
        game: the id.
        family: one of :func:`trainable`.
        seed: of all that is drawn, 0 to 2³² - 1.
        method: a name in METHODS; None is the first that trains this family for this game.
        head: None is the first that the family has for the game.
        layers: rows of the hidden layers of a layered family; None is 64, 64.
        choices: of the family, by name; the first of those left out.
        seconds: at most, by a generation more; None is no limit.
        checkpoint: write to this file what ``resume`` needs, at the end.
        resume: the checkpoint of a run that was asked for the same but for its budget. What comes out is what the run
            would have given without an end in between.
        report: called after every generation.
        options: of the method, by name, as ``METHODS[method].options`` has them. One of them is its budget.

    Raises:
        ValueError, TypeError: an unknown name, an argument out of range, or one that the method does not take.
        gymnasium.error.DependencyNotInstalled: the extra that the method needs is not installed.
        KeyboardInterrupt: Ctrl-C before the first progress; later it ends training with the best agent so far.
    """
    found = registry.game(game)
    if family not in registry.families():
        raise unknown("family", family, trainable())
    name, chosen = _method(found, registry.family(family), method)
    seed = parse_count("seed", seed, 2**32 - 1, least=0)
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds is {seconds}; allowed: more than 0")
    settings = _settings(name, chosen, options)
    task = _task(found, registry.family(family), head, layers, choices or {}, seed, settings)
    run = chosen.begin(task)
    for what, path in (("checkpoint", checkpoint), ("resume", resume)):
        if path is not None and not isinstance(run, Resumable):
            raise ValueError(f"{what} is {str(path)!r}; allowed: none, method {name} cannot go on later")

    progress: list[Progress] = []
    kept: Checkpoint | None = None
    asked = _command(task, name, {**settings, chosen.budget: chosen.options[chosen.budget].default})
    stopped = ""
    if resume is not None and isinstance(run, Resumable):
        kept = read_checkpoint(Path(resume), asked, task, run, run.state())
        spent, most = getattr(kept.last, chosen.budget), settings[chosen.budget]
        if spent > most:
            raise ValueError(
                f"{chosen.budget} is {most}; allowed: from {spent} on, which the checkpoint has spent"
            )
        run.restore(kept.state)
        progress.append(kept.last)
        stopped = kept.last.over if kept.last.over != chosen.budget else ""
    with closing(run.go(kept.last if kept else None)) as reached:
        try:
            while not stopped:
                at = next(reached)
                kept = Checkpoint(asked, run.made_with, at, run.state() if isinstance(run, Resumable) else {})
                progress.append(at)
                stopped = at.over
                if not stopped and seconds is not None and at.seconds >= seconds:
                    stopped = "seconds"
                report(at)
        except KeyboardInterrupt:
            if not progress:
                raise
            stopped = "interrupted"

    assert kept is not None
    last = kept.last
    if checkpoint is not None:
        kept.save(Path(checkpoint))
    file = task.file(last.tensors)
    agent = Agent(file, "auto", None, seed=0)
    returns = rollout(found, agent, episodes=EVALUATION, threads=cpus()).returns
    if stopped in ("seconds", "interrupted"):  # in the command a count stands for the clock
        settings[chosen.budget] = getattr(last, chosen.budget)
    file.note_returns(returns)
    file.metadata |= {
        "command": _command(task, name, settings),
        "seed": str(seed),
        "evaluations": str(last.evaluations),
        "steps": str(last.steps),
        "preparation": f"{run.label}, {_words(last.seconds)}, {short(last.steps)} steps",
        **run.made_with,
    }
    if family == "table" and has_model(found):
        file.metadata["exact"] = exact_words(found, file.tensors["actions"])
    return Training(file=file, returns=returns, progress=progress, stopped=stopped)


def _words(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1e3 * seconds:.2g} ms"


def _method(game: Game, family: Family, name: str | None) -> tuple[str, Method]:
    """The method of this name, or the first that trains the family for the game."""
    if name is not None and name not in METHODS:
        raise unknown("method", name, METHODS)
    refusals = {}
    for each in METHODS if name is None else [name]:
        refusals[each] = METHODS[each].refusal(family, game)
        if not refusals[each]:
            return each, METHODS[each]
    if name is None:
        allowed = [stem for stem in trainable() if not all(_refusals(stem, game))]
    else:
        families = registry.families().items()
        allowed = [stem for stem, other in families if not METHODS[name].refusal(other, game)]
    reasons = "; ".join(f"{each} {reason}" for each, reason in refusals.items())
    raise ValueError(f"family is {family.stem!r}; allowed: {', '.join(allowed) or 'none'}; {reasons}")


def _refusals(stem: str, game: Game) -> list[str]:
    return [method.refusal(registry.family(stem), game) for method in METHODS.values()]


def _settings(name: str, method: Method, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a method."""
    for option, value in options.items():
        if option not in method.options:
            known = ", ".join(method.options)
            raise ValueError(f"{option} is {value!r}; allowed: none, method {name} takes {known}")
    return {
        option: known.parse(option, options[option]) if option in options else known.default
        for option, known in method.options.items()
    }


def _command(task: Task, name: str, settings: Mapping[str, Any]) -> str:
    """The command that makes an agent again."""
    family, said = task.family, task.metadata
    command = ["compute-layers", "train", task.game.id, "--family", family.stem]
    if name != _method(task.game, family, None)[0]:
        command += ["--method", name]
    command += ["--head", said["head"]]
    if family.spec.layered:
        command += ["--layers", ",".join(map(str, task.layers))]
    for choice in family.spec.choices:
        command += [f"--{choice}", said[choice]]
    command += ["--seed", str(task.seed)]
    for option, known in METHODS[name].options.items():
        if settings[option] != known.default:
            command += [f"--{option}", str(settings[option])]
    return shlex.join(command)


def _task(
    game: Game,
    family: Family,
    head: str | None,
    layers: Sequence[int] | None,
    choices: Mapping[str, str],
    seed: int,
    settings: Mapping[str, Any],
) -> Task:
    """The arguments that every method has, checked."""
    for choice, chosen in choices.items():
        if choice not in family.spec.choices:
            raise ValueError(
                f"{choice} is {chosen!r}; allowed: none, family {family.stem} has no such choice"
            )
        if chosen not in family.spec.choices[choice]:
            raise unknown(choice, chosen, family.spec.choices[choice])
    if layers is not None and not family.spec.layered:
        raise ValueError(f"layers is {list(layers)}; allowed: none, family {family.stem} has no layers")
    fitting = heads(family, game.action)
    if head is not None and head not in fitting:
        raise unknown("head", head, fitting)
    rows: Sequence[int] = ()
    if family.spec.layered:
        rows = [
            parse_count("a number in layers", row, MOST_ROWS)
            for row in (HIDDEN if layers is None else layers)
        ]
    metadata = {
        "family": family.stem,
        "layer": LAYER.get(family.stem, "subsymbolic"),
        "head": fitting[0] if head is None else head,
        "version": FORMAT_VERSION,
        **{choice: choices.get(choice, known[0]) for choice, known in family.spec.choices.items()},
    }
    return Task(game, family, metadata, tuple(rows), seed, settings)
