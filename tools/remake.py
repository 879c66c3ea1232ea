# SPDX-License-Identifier: MIT
"""Makes the shipped agents again by the commands in their files, and compares.

    python tools/remake.py                      all of them; minutes
    python tools/remake.py Taxi-v4 CartPole-v1/mlp-16
    python tools/remake.py --write CartPole-v1/mlp-16      and put what came out in the place of what is shipped

The same: tensors and metadata are equal, but for the seconds that it took. What goes through packages and BLAS may come
out otherwise with others than those that the file names; then its return must lie between the floor in FLOORS and
what is possible. Agents of ``ppo`` need the extra ``ppo``. Exits with 1 if an agent is neither, or its command fails.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import write_agent
from rich.console import Console
from rich.progress import track

import compute_layers as cl
from compute_layers.agents import AgentFile, agent_file
from compute_layers.registry import game

# The least mean return over the evaluation seeds of an agent that is trained elsewhere.
FLOORS = {
    "CartPole-v1": 495.0,
    "MountainCar-v0": -110.0,
    "MountainCarContinuous-v0": 92.0,
    "Pendulum-v1": -250.0,
    "Acrobot-v1": -87.0,
    "FrozenLake-v1": 0.70,
    "Taxi-v4": 7.5,
}
SECONDS = re.compile(r"\b[\d.]+ m?s\b")


def names(chosen: Sequence[str]) -> list[tuple[str, str]]:
    """The agents that are named: a game's id stands for all of its.

    Raises:
        ValueError: no such game or agent.
    """
    found = []
    for name in chosen or cl.games():
        id, _, agent = name.partition("/")
        found += [(id, agent)] if agent else [(id, each) for each in cl.agents(id)]
    for id, agent in found:
        agent_file(id, agent)
    return found


def made(shipped: AgentFile, folder: Path) -> Path:
    """Run the command of an agent; the file that it wrote into an empty folder.

    Raises:
        RuntimeError: the command failed.
    """
    program, *arguments = shlex.split(shipped.metadata["command"])
    if program == "python":
        with redirect_stdout(None):
            write_agent.main(arguments[1:], folder)
    else:
        command = [sys.executable, "-m", "compute_layers", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(
                f"{shipped.metadata['command']}: exit {done.returncode}: {done.stderr.strip()}"
            )
    (path,) = folder.rglob("*.safetensors")
    return path


def described(file: AgentFile) -> dict[str, str]:
    """The metadata without what differs from run to run."""
    return {name: SECONDS.sub("", said) for name, said in file.metadata.items()}


def verdict(shipped: AgentFile, again: AgentFile) -> str:
    """``the same``, or how the two differ; words in capitals are failures."""
    parts = [
        name for name, tensor in shipped.tensors.items() if tensor.tobytes() != again.tensors[name].tobytes()
    ]
    old, new = described(shipped), described(again)
    said = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if not parts and not said:
        return "the same"
    differing = ", ".join([*parts, *said])
    if {"packages", "blas"}.isdisjoint(said):
        return f"DIFFERS: {differing}"
    mean, floor = float(new["return"].split()[0]), FLOORS[shipped.game.id]
    within = "at least" if mean >= floor else "BELOW"
    return f"other packages or BLAS: return {mean}, {within} {floor}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each agent."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("agent", nargs="*", help="GAME or GAME/AGENT; all if left out")
    parser.add_argument("--write", action="store_true", help="replace the shipped files by the new ones")
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    failed = False
    for id, name in track(
        names(given.agent), console=console, disable=not console.is_terminal, transient=True
    ):
        shipped = agent_file(id, name)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = made(shipped, Path(folder))
            except RuntimeError as problem:
                found = f"FAILED: {problem}"
            else:
                found = verdict(shipped, AgentFile.read(path, game(id)))
                if given.write:
                    target = write_agent.ROOT / shipped.game.stem / id / f"{name}.safetensors"
                    target.write_bytes(path.read_bytes())
        failed |= "FAILED" in found or (not given.write and ("DIFFERS" in found or "BELOW" in found))
        print(f"{id}/{name}: {found} ({time.perf_counter() - start:.1f} s)", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
