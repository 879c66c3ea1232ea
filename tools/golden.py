# SPDX-License-Identifier: MIT
"""Writes tests/golden/<name>.txt, which a person can read: a short playthrough of each game, and for each policy
family small policies with what they do.

    python tools/golden.py [ID | FAMILY …]

Level python plays; the tests want the same text of every level. Run it after a rule was changed on purpose, and
read what changed in the files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import Agent
from compute_layers.batch import Batch, rows_of
from compute_layers.check import (
    Draw,
    MadeUp,
    file_of,
    largest_tensors,
    made_up_policies,
    observations_of,
    random_actions,
    with_spaces,
)
from compute_layers.registry import Game, game
from compute_layers.spec import ActionSpace, Box, Discrete, Space

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
SEED, ACTION_SEED = 7, 8
MOST = 40  # steps of a playthrough in which no episode ends
LIMIT = 3  # the short time limit
PYTHON = cl.Level("python", None)
NUMBERS = 40  # most parameters of a policy, where the family has policies so small
ROWS = 6  # observations of a policy
VECTOR, BOUNDED = Box((-np.inf,) * 3, (np.inf,) * 3), Box((-1.0, -0.5), (1.0, 0.25))
SPACES: list[tuple[Space, ActionSpace]] = [
    (VECTOR, Discrete(3)),
    (VECTOR, Discrete(2)),
    (VECTOR, BOUNDED),
    (Discrete(4), Discrete(3)),
    (Discrete(4), BOUNDED),
]


def exactly(number: Any) -> str:
    """A number of the state: a float in decimal and hexadecimal."""
    return f"{float(number)!r:<24} {float(number).hex()}" if number.dtype.kind == "f" else str(int(number))


def situation(batch: Batch) -> Iterator[str]:
    """State and observation. A float32 is shown by the fewest digits that tell it from the others."""
    width = max(map(len, [*batch.game.spec.state, "observation"]))
    for name, view in batch._views().items():
        yield f"    {name:<{width}}  {exactly(view[0])}"
    seen = ", ".join(str(number) for number in rows_of(batch.observations())[0].ravel())
    yield f"    {'observation':<{width}}  {seen}"


def episodes(found: Game, level: cl.Level, limit: int | None) -> Iterator[str]:
    """An episode, the autoreset, and two steps of the next one."""
    batch = Batch(found, 1, level.name, level.isa, limit, AutoresetMode.NEXT_STEP, True, {})
    # Else the next initial state would already stand where we want to read the last one.
    batch.set_parking(False)
    batch.start(np.array([0]), [SEED], batch.parse_options(None))
    yield f"reset, seed {SEED}"
    yield from situation(batch)
    actions = random_actions(found.action, [ACTION_SEED], (), MOST + 3)
    left = MOST
    for step, action in enumerate(actions, start=1):
        resets = batch.elapsed[0] < 0
        _, reward, terminated, truncated, _ = batch.step(action)
        chosen = ", ".join(str(number) for number in action.ravel())
        yield f"step {step}, action {chosen}" + (
            " (not looked at: the next episode starts)" if resets else ""
        )
        yield from situation(batch)
        flags = [name for name, flag in (("terminated", terminated), ("truncated", truncated)) if flag[0]]
        yield f"    reward {float(reward[0])!r}{''.join(f', {name}' for name in flags)}"
        left = 3 if flags and left > 3 else left - 1
        if left == 0:
            return


def playthrough(id: str, level: cl.Level = PYTHON) -> str:
    """The text of a golden file, played at a level."""
    found = game(id)
    limit = found.entry.max_episode_steps
    usual = "no time limit" if limit is None else f"time limit {limit}"
    lines = [f"game    {id}", f"seed    {SEED}", f"policy  random actions, seed {ACTION_SEED}", ""]
    lines += [f"== {usual} ==", *episodes(found, level, limit), ""]
    lines += [f"== time limit {LIMIT} ==", *episodes(found, level, LIMIT)]
    return "\n".join(lines) + "\n"


def row(numbers: NDArray[Any]) -> str:
    """Numbers of one line; a float32 by the fewest digits that tell it from the others."""
    return ", ".join(str(number) for number in numbers.ravel())


@cache
def small_policies(stem: str) -> list[tuple[MadeUp, dict[str, NDArray[Any]]]]:
    """For each head, each choice and each kind of observation a policy for the first spaces that the family
    serves, with its parameters."""
    family = registry.family(stem)
    spaces = [with_spaces(game(cl.games()[0]), *pair) for pair in SPACES]
    found: dict[Any, tuple[MadeUp, dict[str, NDArray[Any]]]] = {}
    for made_up in made_up_policies(family, spaces):
        case = (type(made_up.game.observation), made_up.head, *made_up.choices.values())
        if made_up.kind == "ordinary" and case not in found:
            found[case] = made_up, largest_tensors(family, made_up.head, made_up.game, NUMBERS)
    return list(found.values())


def decisions(stem: str, level: cl.Level = PYTHON) -> str:
    """The text of a family's golden file, decided at a level."""
    lines = [f"policy  {stem}", f"seed    {SEED}"]
    for made_up, tensors in small_policies(stem):
        title = [made_up.game.id, f"head {made_up.head}"]
        title += [f"{name} {choice}" for name, choice in made_up.choices.items()]
        lines += ["", f"== {', '.join(title)} =="]
        for name, tensor in tensors.items():
            lines.append(f"{name}  {tensor.dtype} {tensor.shape}")
            lines += [f"    {row(part)}" for part in (tensor if tensor.ndim > 1 else [tensor])]
        file = file_of(registry.family(stem), made_up.game, made_up.head, made_up.choices, tensors)
        observations = observations_of(made_up.game.observation, Draw(SEED), ROWS)
        actions = Agent(file, level.name, level.isa, SEED)(observations)
        for observation, action in zip(observations, actions, strict=True):
            lines += [f"observation {row(observation)}", f"    action {row(action)}"]
    return "\n".join(lines) + "\n"


def golden(name: str, level: cl.Level = PYTHON) -> str:
    """The text of the golden file of a game or a family."""
    return decisions(name, level) if name in registry.families() else playthrough(name, level)


def names() -> list[str]:
    """What has a golden file: the ids of the games and the stems of the families."""
    return [*cl.games(), *registry.families()]


def main(arguments: list[str] | None = None) -> int:
    """Writes the files and says what it did."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="*", help="default: every game and family")
    for name in parser.parse_args(arguments).name or names():
        text = golden(name)
        path = GOLDEN / f"{name}.txt"
        same = path.exists() and path.read_text(encoding="utf-8") == text
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{path}: {'as it was' if same else 'written'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
