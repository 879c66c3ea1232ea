# SPDX-License-Identifier: MIT
"""Writes a hand-written agent as a policy file, with the command that wrote it and its measured return.

    python tools/write_agent.py CartPole-v1 pd --family linear --head threshold --layer algorithm \\
        --tensor W="[[0, 0, 3, 1]]" --tensor b="[0]" --source "…"
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np

import compute_layers as cl
from compute_layers.agents import FORMAT_VERSION, LAYERS, Agent, AgentFile
from compute_layers.registry import families, game
from compute_layers.spec import Discrete

ROOT = Path(__file__).parents[1] / "python" / "compute_layers" / "agents"
EPISODES = 1000  # evaluation seeds 0 … 999


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
    parser.add_argument("--source", required=True, help="where the rule comes from")
    given = parser.parse_args()

    found = game(given.game)
    dtypes = {name: dtype for name, (dtype, _) in families()[given.family].spec.forms(given.head).items()}
    integers = isinstance(found.action, Discrete)
    tensors = {}
    for entry in given.tensor:
        name, _, value = entry.partition("=")
        dtype = dtypes[name] if dtypes[name] != "action" else ("int64" if integers else "float32")
        tensors[name] = np.array(json.loads(value), dtype)
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
