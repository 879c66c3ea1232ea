# SPDX-License-Identifier: MIT
"""The kernels that all tabular games share, with tables of every form; the games themselves have tests of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import compute_layers as cl
from compute_layers import registry
from compute_layers.batch import Batch
from compute_layers.games import tabular
from compute_layers.pcg64 import PCG64
from compute_layers.registry import Game
from compute_layers.spec import Id
from compute_layers.table import Table
from conftest import LEVELS, Array, assert_same

STEM = "tabular"
ISAS = registry.game("FrozenLake-v1").isas
TABLE_LEVELS = [level for level in LEVELS if level.isa is None or level.isa in ISAS[level.name]]

PYTHON = TABLE_LEVELS[0]

every_level = pytest.mark.parametrize("level", TABLE_LEVELS, ids=str)
native_levels = pytest.mark.parametrize("level", TABLE_LEVELS[1:], ids=str)


def game_of(table: Table) -> Game:
    spec = replace(tabular.SPEC, ids={"made up": Id()}, params=lambda: {}, table=lambda: table)
    return Game("made up", STEM, spec, tabular, ISAS)


def batch_of(table: Table, n: int, level: cl.Level, limit: int | None = 7, seed: int = 0) -> Batch:
    batch = Batch(game_of(table), n, level.name, level.isa, limit, AutoresetMode.NEXT_STEP, True, {})
    batch.start(np.arange(n), list(range(seed, seed + n)), [])
    return batch


def drawn(states: int, actions: int, outcomes: Sequence[int], seed: int = 0) -> Table:
    """A random table whose rows have these numbers of outcomes in turn."""
    rng = np.random.default_rng(seed)
    rows = [
        [
            list(
                zip(
                    rng.dirichlet(np.ones(outcomes[(s * actions + a) % len(outcomes)])).tolist(),
                    rng.integers(0, states, max(outcomes)).tolist(),
                    rng.normal(size=max(outcomes)).tolist(),
                    (rng.random(max(outcomes)) < 0.2).tolist(),
                    strict=False,
                )
            )
            for a in range(actions)
        ]
        for s in range(states)
    ]
    return Table(rows, rng.dirichlet(np.ones(states)))


def kept(batch: Batch) -> dict[str, Array]:
    return {
        "state": batch.state.view(np.int64).copy(),
        "stream": batch.stream.copy(),
        "elapsed": batch.elapsed.copy(),
        "info": batch.info.copy(),
    }


@cache
def made(states: int, actions: int, outcomes: tuple[int, ...]) -> Table:
    return drawn(states, actions, outcomes)


@cache
def played(table: Table, n: int, level: cl.Level) -> list[Any]:
    """What steps at random return and leave behind."""
    batch, rng = batch_of(table, n, level), np.random.default_rng(n)
    return [(batch.step(rng.integers(0, table.actions, n)), kept(batch)) for _ in range(20)]


@native_levels
@pytest.mark.parametrize("outcomes", [(1,), (2,), (3,), (4,), (9,), (1, 2), (3, 1, 2), (8, 1, 5)], ids=str)
def test_every_number_of_outcomes(outcomes: tuple[int, ...], level: cl.Level) -> None:
    for states, actions in ((1, 1), (3, 2), (50, 7)):
        table = made(states, actions, outcomes)
        for n in (1, 5, 8, 63):
            steps = zip(played(table, n, level), played(table, n, PYTHON), strict=True)
            for t, (ours, reference) in enumerate(steps):
                assert_same(ours, reference, outcomes, states, n, "step", t)


@every_level
@pytest.mark.parametrize("outcomes", [2, 3, 4])
def test_a_threshold_counts_from_its_own_value_on(outcomes: int, level: cl.Level) -> None:
    """Thresholds at a draw, and the doubles before and behind it, which may be less than a unit of draws away."""
    for seed in range(24):
        rng = PCG64.from_seed(seed)
        rng.random()  # where it starts
        u = rng.random()
        for near, before in ((np.nextafter(u, 0), True), (u, True), (np.nextafter(u, 1), False)):
            for k in range(outcomes - 1):
                sums = [near * 0.5**j for j in range(k, -1, -1)] + [1.0] * (outcomes - k - 1)
                probabilities = np.diff([0.0, *sums]).tolist()
                if not np.array_equal(np.cumsum(probabilities), sums):
                    continue
                row = [(p, j, float(j), False) for j, p in enumerate(probabilities)]
                batch = batch_of(
                    Table([[row]] * outcomes, [1.0] + [0.0] * (outcomes - 1)), 1, level, seed=seed
                )
                seen = batch.step(np.zeros(1, np.int64))[0]
                assert seen[0] == (k + 1 if before else k) % outcomes, (seed, near, k)


@native_levels
def test_the_draws_of_a_table_whose_sums_end_below_one(level: cl.Level) -> None:
    """A draw behind the last sum is outcome 0, of a row and of the first states; a negative probability is never
    drawn."""
    low = np.nextafter(1.0, 0) - 2**-52
    u = 1 - 2.0**-53
    for probabilities in ([0.25, low - 0.25], [0.1, 0.2, low - 0.3], [0.0, low], [-0.5, 2.0, -0.5]):
        table = Table(
            [[[(p, k, 0.5 * k, k == 1) for k, p in enumerate(probabilities)]]] * 3, [0.25, 0.5, 0.25]
        )
        ours, reference = (batch_of(table, 64, given) for given in (level, PYTHON))
        for t in range(40):
            action = np.zeros(64, np.int64)
            assert_same(ours.step(action), reference.step(action), probabilities, t)
        row = table.rows[0][0]
        if min(probabilities) >= 0:
            assert row.draw(u) == row.outcomes[0]


@every_level
def test_a_start_is_found_among_many(level: cl.Level) -> None:
    for states in (1, 2, 3, 299, 300, 1000):
        rng = np.random.default_rng(states)
        weights = rng.dirichlet(np.ones(states)) * (rng.random(states) < 0.7)
        weights[states // 2] += 1 - weights.sum()
        table = Table([[[(1.0, s, 0.0, True)]] for s in range(states)], weights)
        batch = batch_of(table, 200, level)
        expected = [table.start(PCG64.from_seed(seed).random()) for seed in range(200)]
        assert_same(batch.state.view(np.int64)[0], np.array(expected), states)
        assert_same(batch.state.view(np.int64)[1], np.full(200, -1), states)


# ---- a fickle passenger ----


@cache
def driven(rainy: bool, level: cl.Level) -> tuple[list[Any], int]:
    """What random steps return and leave behind if every passenger is aboard already, and how many passengers changed
    the destination."""
    n, rng = 37, np.random.default_rng(0)
    arguments = {"is_rainy": rainy, "fickle_passenger": True, "fickle_probability": 0.8}
    game = registry.game("Taxi-v4")
    batch = Batch(game, n, level.name, level.isa, 60, AutoresetMode.NEXT_STEP, True, arguments)
    batch.start(np.arange(n), list(range(n)), [])
    state = batch.state.view(np.int64)
    state[0, :n] = (np.arange(n) * 13 % 25) * 20 + 16 + np.arange(n) % 4
    batch.restored()
    steps, changed = [], 0
    for _ in range(100):
        before = state[2, :n].copy()
        result = batch.step(rng.choice(6, n, p=[0.2, 0.2, 0.2, 0.2, 0.15, 0.05]))
        steps.append((result, kept(batch)))
        changed += int(np.sum((before == 1) & (state[2, :n] == 0) & (batch.elapsed[:n] > 0)))
    return steps, changed


@native_levels
@pytest.mark.parametrize("rainy", [False, True], ids=["dry", "rainy"])
def test_a_fickle_passenger_is_fickle_at_every_level(rainy: bool, level: cl.Level) -> None:
    (ours, changed), (reference, _) = driven(rainy, level), driven(rainy, PYTHON)
    assert changed > 20
    for t, (a, b) in enumerate(zip(ours, reference, strict=True)):
        assert_same(a, b, "step", t)
