# SPDX-License-Identifier: MIT
"""Writes a hand-written agent as a policy file, with the command that wrote it and its measured return.

    python tools/write_agent.py CartPole-v1 pd --family linear --head threshold --layer algorithm \\
        --tensor W="[[0, 0, 3, 1]]" --tensor b="[0]" --source "…"
    python tools/write_agent.py Taxi-v4 shortest-way --layer algorithm --rule taxi:shortest_way
    python tools/write_agent.py Pendulum-v1 cem --family cem --head box --layer search \\
        --tensor candidates=[16] --tensor horizon=[6] …

A rule is a function of tools/rules, of the observation; its table becomes the agent.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import compute_layers as cl
from compute_layers.agents import FORMAT_VERSION, LAYERS, Agent, AgentFile, tensor_forms
from compute_layers.measure import short
from compute_layers.registry import borrowers, families, family, game
from compute_layers.spec import Box, Space, Tuple
from compute_layers.training.run import cpus

ROOT = Path(__file__).parents[1] / "python" / "compute_layers" / "agents"
EPISODES = 1000  # evaluation seeds 0 … 999
FIRST = 4  # of which a file of a policy that plans lists the returns


def table_of(rule: Callable[..., int], observation: Space) -> str:
    """What the rule does for each observation, in their order, as JSON."""
    if isinstance(observation, Box):
        raise TypeError("a rule becomes a table, which has no rows for a vector of numbers")
    spaces = observation.spaces if isinstance(observation, Tuple) else (observation,)
    return json.dumps([rule(*seen) for seen in product(*(range(space.n) for space in spaces))])


def preparation_of(settings: Mapping[str, NDArray[np.int64]]) -> str:
    """What a policy that plans does instead of preparing: the steps it simulates."""
    candidates, horizon, hold, commit = (
        int(settings[name][0]) for name in ("candidates", "horizon", "hold", "commit")
    )
    rounds = int(settings["iterations"][0]) if "iterations" in settings else 1
    steps = commit * hold
    return f"none; {short(candidates * horizon * hold * rounds)} simulated steps a plan, for {steps} of play"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> None:
    """Writes the file, below ``root``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("game", choices=cl.games())
    parser.add_argument("name")
    parser.add_argument("--rule", metavar="MODULE:FUNCTION", help="of tools/rules, instead of what follows")
    parser.add_argument("--family", default="table", choices=[*families(), *borrowers()])
    parser.add_argument("--head", default="vote", choices=["argmax", "threshold", "box", "vote"])
    parser.add_argument("--layer", required=True, choices=LAYERS)
    parser.add_argument("--tensor", action="append", default=[], metavar="NAME=JSON")
    parser.add_argument(
        "--choice", action="append", default=[], metavar="NAME=VALUE", help="such as activation=relu"
    )
    parser.add_argument("--source", help="where the rule comes from")
    arguments = sys.argv[1:] if arguments is None else arguments
    given = parser.parse_args(arguments)

    found = game(given.game)
    values = dict(entry.split("=", 1) for entry in given.tensor)
    source = given.source
    if given.rule is not None:
        module, name = given.rule.split(":")
        rule = getattr(importlib.import_module(f"rules.{module}"), name)
        values["actions"] = table_of(rule, found.observation)
        source = (
            source or f"tools/rules/{module}.py, {name}: {' '.join((inspect.getdoc(rule) or '').split())}"
        )
    if source is None:
        parser.error("--source says where the rule comes from")
    forms = tensor_forms(found, family(given.family), given.head, dict.fromkeys(values, ()))
    tensors = {name: np.array(json.loads(value), forms[name][0]) for name, value in values.items()}
    metadata = {
        "family": given.family,
        "layer": given.layer,
        "head": given.head,
        "version": FORMAT_VERSION,
        **dict(entry.split("=", 1) for entry in given.choice),
        "source": source,
        "command": shlex.join(["python", "tools/write_agent.py", *arguments]),
    }
    file = AgentFile(given.name, found, metadata, tensors)
    if file.family.spec.searches:
        file.metadata["preparation"] = preparation_of(tensors)
    run = cl.rollout(found.id, Agent(file, "auto", None, seed=0), episodes=EPISODES, threads=cpus())
    file.note_returns(run.returns)
    if file.family.spec.searches:  # too slow for the tests to play them all
        file.metadata["first_returns"] = json.dumps(run.returns[:FIRST].tolist())
    path = root / found.stem / found.id / f"{given.name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    print(f"{found.id}/{given.name}: {file.metadata['return']}")


if __name__ == "__main__":
    main()
