# SPDX-License-Identifier: MIT
"""A training run in a file, to go on with: safetensors, without pickle.

Arrays are its tensors: the best agent's as ``best.NAME`` and the method's as ``state.NAME``. All else is JSON in the
metadata: what was asked for, what it was made with, the latest progress, and the method's numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .run import Progress, Run, State, Task

SCHEMA = "compute_layers/checkpoint/1"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a run stands.

    Attributes:
        asked: the command without its budget, which is the only thing that may be another when it goes on.
        made_with: what the result depends on.
        last: the latest progress.
        state: of the run after it.
    """

    asked: str
    made_with: Mapping[str, str]
    last: Progress
    state: State

    def save(self, path: Path) -> None:
        """Write the file."""
        from safetensors.numpy import save_file

        progress = asdict(self.last)
        tensors = {
            f"best.{name}": np.array(tensor, order="C") for name, tensor in progress.pop("tensors").items()
        }
        rest = {}
        for name, value in self.state.items():
            if isinstance(value, np.ndarray):
                tensors[f"state.{name}"] = np.array(value, order="C")
            else:
                rest[name] = value
        parts = {"made_with": dict(self.made_with), "progress": progress, "state": rest}
        written = {name: json.dumps(part) for name, part in parts.items()}
        save_file(tensors, path, {"schema": SCHEMA, "asked": self.asked, **written})


def read(path: Path, asked: str, task: Task, run: Run, fresh: State) -> Checkpoint:
    """The checkpoint of a run like this one.

    Args:
        asked: what the run was asked for, without its budget.
        run: what goes on.
        fresh: its state at the beginning.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a damaged file, or a checkpoint of another run.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            said: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if said.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {said.get('schema')!r}")
        best, arrays = (
            {name.removeprefix(part): tensors[name] for name in tensors if name.startswith(part)}
            for part in ("best.", "state.")
        )
        made_with, progress, rest = (json.loads(said[part]) for part in ("made_with", "progress", "state"))
        found = Checkpoint(said["asked"], made_with, Progress(tensors=best, **progress), {**arrays, **rest})
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError, KeyError) as problem:
        raise ValueError(f"resume is {str(path)!r}, which is no checkpoint: {problem}") from None
    if found.asked != asked:
        raise ValueError(
            f"resume is {str(path)!r}, a checkpoint of `{found.asked}`; allowed: one of `{asked}`"
        )
    if found.made_with != dict(run.made_with):
        raise ValueError(
            f"resume is {str(path)!r}, made with {_words(found.made_with)}; allowed: {_words(run.made_with)}"
        )
    if difference := _difference(fresh, found.state):
        raise ValueError(f"resume is {str(path)!r}, which is damaged: {difference}")
    # As an agent has them: checked, and in the order of the family.
    return replace(found, last=replace(found.last, tensors=task.file(best).tensors))


def _words(made_with: Mapping[str, str]) -> str:
    return ", ".join(made_with.values())


def _difference(ours: State, theirs: State) -> str:
    """What in one state is of another form than in the other; empty if nothing is."""
    if set(ours) != set(theirs):
        return f"its state has {', '.join(sorted(theirs))}; required: {', '.join(sorted(ours))}"
    for name, value in ours.items():
        # What is None in one is computed when it is needed.
        if value is not None and theirs[name] is not None and _form(value) != _form(theirs[name]):
            return f"{name} in its state is {_form(theirs[name])}; required: {_form(value)}"
    return ""


def _form(value: Any) -> str:
    if np.ndim(value) == 0 and isinstance(value, int | float | np.ndarray):
        return "a number"
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
