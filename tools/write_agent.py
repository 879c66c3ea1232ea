# SPDX-License-Identifier: MIT
"""Writes a hand-written agent as a policy file, with the command that wrote it and its measured return.

    python tools/write_agent.py CartPole-v1 pd --family linear --head threshold --layer algorithm \\
        --tensor W="[[0, 0, 3, 1]]" --tensor b="[0]" --source "…"
    python tools/write_agent.py Blackjack-v1 basic-strategy --family table --head vote --layer algorithm \\
        --rule tools/rules/blackjack.py --source "…"
"""

from __future__ import annotations

import argparse
import json
import runpy
import shlex
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import compute_layers as cl
from compute_layers.agents import FORMAT_VERSION, LAYERS, Agent, AgentFile
from compute_layers.registry import Game, families, game
from compute_layers.spec import Discrete, Tuple

ROOT = Path(__file__).parents[1] / "python" / "compute_layers" / "agents"
EPISODES = 1000  # evaluation seeds 0 … 999


def table_of(found: Game, rule: Path) -> list[Any]:
    """For each state what the function `action` in the file says; it is called with the numbers of the observation."""
    action, space = runpy.run_path(str(rule))["action"], found.observation
    parts = space.spaces if isinstance(space, Tuple) else (space,)
    if not all(isinstance(part, Discrete) for part in parts):
        raise SystemExit(f"--rule is for games whose observations are numbers of states, not {space}")
    return [
        action(*member)
        for member in product(*(range(part.n) for part in parts if isinstance(part, Discrete)))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("game", choices=cl.games())
    parser.add_argument("name")
    parser.add_argument("--family", required=True, choices=list(families()))
    parser.add_argument("--head", required=True, choices=["argmax", "threshold", "box", "vote"])
    parser.add_argument("--layer", required=True, choices=LAYERS)
    parser.add_argument("--tensor", action="append", default=[], metavar="NAME=JSON")
    parser.add_argument(
        "--rule",
        type=Path,
        metavar="FILE",
        help="whose function `action` fills the tensor of the family table",
    )
    parser.add_argument("--source", required=True, help="where the rule comes from")
    given = parser.parse_args()

    found = game(given.game)
    dtypes = {name: dtype for name, (dtype, _) in families()[given.family].spec.forms(given.head).items()}
    integers = isinstance(found.action, Discrete)
    values = {name: json.loads(value) for name, _, value in (entry.partition("=") for entry in given.tensor)}
    if given.rule:
        values["actions"] = table_of(found, given.rule)
    tensors = {}
    for name, value in values.items():
        dtype = dtypes[name] if dtypes[name] != "action" else ("int64" if integers else "float32")
        tensors[name] = np.array(value, dtype)
    metadata = {
        "family": given.family,
        "layer": given.layer,
        "head": given.head,
        "version": FORMAT_VERSION,
        "source": given.source,
        "command": shlex.join(["python", "tools/write_agent.py", *sys.argv[1:]]),
    }
    file = AgentFile(given.name, found, metadata, tensors)
    file.note_returns(cl.rollout(found.id, Agent(file, "auto", None, seed=0), episodes=EPISODES).returns)
    path = ROOT / found.stem / found.id / f"{given.name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    print(f"{found.id}/{given.name}: {file.metadata['return']}")


if __name__ == "__main__":
    main()
