# SPDX-License-Identifier: MIT
"""Long runs against what Gymnasium played once and tools/oracle.py hashed: all of them at native levels, a share of them
at level python."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import compute_layers as cl
import oracle
from compute_layers import registry
from conftest import LEVELS, served, unserved
from oracle import BLOCK

PYTHON_BLOCKS = 1  # of a case at level python
PYTHON_STEPS = 100_000  # a case whose blocks are longer is left to the native levels there


def played(name: str, level: cl.Level, blocks: int) -> list[str]:
    """The hashes of the first blocks of seeds, as this level plays them; all blocks at once."""
    case = oracle.CASES[name]
    seeds = range(min(blocks * BLOCK, case.seeds))
    limit = None if case.episodes else registry.game(case.id).entry.max_episode_steps
    envs = cl.VectorEnv(
        len(seeds),
        game=case.id,
        level=level.name,
        isa=level.isa,
        max_episode_steps=limit,
        autoreset_mode=AutoresetMode.NEXT_STEP,
        **case.arguments,
    )
    chosen = oracle.actions(case, seeds)
    found = _episodes(envs, chosen) if case.episodes else _trajectories(envs, chosen)
    assert envs._batch.damaged() == -1
    parts = [range(first, min(first + BLOCK, len(seeds))) for first in range(0, len(seeds), BLOCK)]
    axis = 0 if case.episodes else 1
    return [oracle.hashed([np.take(column, part, axis) for column in found]) for part in parts]


def _trajectories(envs: cl.VectorEnv, chosen: Any) -> list[Any]:
    rows = []

    def add(observation: Any, reward: Any, terminated: Any, truncated: Any, info: dict[str, Any]) -> None:
        seen = np.stack(observation, axis=-1) if isinstance(observation, tuple) else observation
        names = sorted(name for name in info if not name.startswith("_"))
        assert all(info[f"_{name}"].all() for name in names)
        rows.append((seen, reward, terminated, truncated, *(info[name] for name in names)))

    first, info = envs.reset(seed=0)
    no = np.zeros(envs.num_envs, np.bool_)
    add(first, np.zeros(envs.num_envs), no, no, info)
    for actions in chosen:
        add(*envs.step(actions))
    return [np.array(column) for column in zip(*rows, strict=True)]


def _episodes(envs: cl.VectorEnv, chosen: Any) -> list[Any]:
    lengths, ended = np.full(envs.num_envs, len(chosen)), np.zeros(envs.num_envs, np.bool_)
    envs.reset(seed=0)
    for step, actions in enumerate(chosen, start=1):
        _, _, terminated, _, _ = envs.step(actions)
        now = terminated & ~ended
        lengths[now], ended[now] = step, True
        if ended.all():
            break
    return [lengths, ended]


def agree(name: str, level: cl.Level, blocks: int | None = None) -> None:
    """So many blocks, or all, have the stored hashes at this level."""
    stored = json.loads((oracle.ORACLE / f"{name}.json").read_text(encoding="utf-8"))
    assert stored["gymnasium"].startswith("1.4.")
    hashes = stored["hashes"]
    assert len(hashes) == -(-oracle.CASES[name].seeds // BLOCK)
    blocks = blocks or len(hashes)
    found = played(name, level, blocks)
    wrong = [k for k, (ours, theirs) in enumerate(zip(found, hashes[:blocks], strict=True)) if ours != theirs]
    assert not wrong, f"seeds {BLOCK * wrong[0]} to {BLOCK * (wrong[0] + 1) - 1} differ from Gymnasium's"


@pytest.mark.parametrize("level", [level for level in LEVELS if level.isa], ids=str)
@pytest.mark.parametrize("name", oracle.CASES)
def test_native_levels_play_what_gymnasium_played(name: str, level: cl.Level) -> None:
    if reason := unserved(oracle.CASES[name].id, level):
        pytest.skip(reason)
    agree(name, level)


@pytest.mark.parametrize("name", oracle.CASES)
def test_level_python_plays_what_gymnasium_played(name: str) -> None:
    if BLOCK * oracle.CASES[name].steps > PYTHON_STEPS:
        pytest.skip(f"blocks of {BLOCK * oracle.CASES[name].steps} steps take level python too long")
    agree(name, cl.Level("python", None), PYTHON_BLOCKS)


@pytest.mark.emulate
@pytest.mark.parametrize("name", oracle.CASES)
def test_the_fastest_level_plays_what_gymnasium_played(name: str) -> None:
    """A sample, for CPUs that are emulated."""
    agree(name, served(oracle.CASES[name].id)[-1], 1)


def test_every_case_has_its_file_and_every_file_its_case() -> None:
    assert {path.stem for path in oracle.ORACLE.glob("*.json")} == set(oracle.CASES)


def test_the_hashes_see_every_bit() -> None:
    columns = [np.arange(6.0).reshape(2, 3), np.zeros((2, 3), np.bool_), np.arange(6).reshape(2, 3)]
    whole = oracle.hashed(columns)
    for column in columns:
        for at in np.ndindex(column.shape):
            before = column[at]
            column[at] = np.nextafter(before, 9) if column.dtype.kind == "f" else not before
            assert oracle.hashed(columns) != whole
            column[at] = before
    assert oracle.hashed(columns) == whole
