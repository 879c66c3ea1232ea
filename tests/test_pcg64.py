# SPDX-License-Identifier: MIT
"""The random streams of levels python and cpp against NumPy's, bit for bit."""

from __future__ import annotations

import random
import struct
from array import array
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute_layers.pcg64 import PCG64, load, seed_sequence

MASK64 = 2**64 - 1
EDGES = [0, 1, 2, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1, 2**64, 2**96 - 1, 2**96, 2**128 - 1]
BEYOND = [2**128, 2**128 + 1, 2**160 - 1, 2**160, 2**256 - 1, 2**300 + 17]
# 3 * 2**30 and 2**31 + 1 reject a quarter and a half of what they draw.
RANGES = [1, 2, 3, 4, 5, 13, 38, 500, 2**16, 2**31 - 1, 2**31, 2**31 + 1, 3 * 2**30, 2**32 - 1, 2**32]
RANDOM, UNIFORM, INTEGERS = range(3)


def some_seeds(count: int, max_bits: int) -> list[int]:
    rng = random.Random(max_bits)
    return [rng.getrandbits(rng.randint(1, max_bits)) for _ in range(count)]


def numpy_pcg(seed: int, spawn_key: tuple[int, ...] = ()) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key))


def numpy_state(pcg: Any) -> tuple[int, int, int, int]:
    whole = pcg.state
    return whole["state"]["state"], whole["state"]["inc"], whole["has_uint32"], whole["uinteger"]


def python_state(pcg: PCG64) -> tuple[int, int, int, int]:
    return pcg.state, pcg.inc, pcg.has_uint32, pcg.uinteger


def column(state: tuple[int, int, int, int]) -> tuple[int, int, int, int, int]:
    """A state in the layout of StreamField."""
    value, inc, has_uint32, uinteger = state
    return value >> 64, value & MASK64, inc >> 64, inc & MASK64, has_uint32 << 32 | uinteger


def double_bits(value: float) -> bytes:
    return struct.pack("<d", value)


def numpy_draw(generator: np.random.Generator, kind: int, low: float, high: float) -> float:
    if kind == RANDOM:
        return generator.random()
    if kind == UNIFORM:
        return generator.uniform(low, high)
    return float(generator.integers(0, int(high)))


def python_draw(pcg: PCG64, kind: int, low: float, high: float) -> float:
    if kind == RANDOM:
        return pcg.random()
    if kind == UNIFORM:
        return pcg.uniform(low, high)
    return float(pcg.integers(int(high)))


def some_draws(count: int, seed: int) -> list[tuple[int, float, float]]:
    rng = random.Random(seed)
    draws = []
    for _ in range(count):
        kind = rng.randrange(3)
        if kind == INTEGERS:
            draws.append((kind, 0.0, float(rng.choice(RANGES))))
        else:
            low, high = (rng.choice([0.05, 0.1, 0.4, 0.6, 1.2, np.pi, 1e10, 1e-300]) for _ in range(2))
            draws.append((kind, -low, high))
    return draws


# Level python


def test_listed_figures_of_seed_0() -> None:
    pcg = PCG64.from_seed(0)
    assert python_state(pcg) == (0x1AA1B5345996452D09585EB7A69561E3, 0x418DDADB3AF71A82588133BC447873A9, 0, 0)
    assert [pcg.random() for _ in range(3)] == [0.6369616873214543, 0.2697867137638703, 0.04097352393619469]
    assert python_state(pcg)[2:] == (0, 0)

    pcg = PCG64.from_seed(0)
    assert [pcg.integers(13) for _ in range(10)] == [11, 8, 6, 3, 4, 0, 0, 0, 2, 10]
    five = PCG64.from_seed(0)
    for _ in range(5):
        five.next64()
    assert pcg.state == five.state

    pcg = PCG64.from_seed(0)
    assert "".join("CDHS"[pcg.integers(4)] for _ in range(10)) == "SHHDDCCCCS"
    pcg = PCG64.from_seed(0)
    assert "".join("JQK"[pcg.integers(3)] for _ in range(10)) == "KQQJJJJJJK"


@pytest.mark.parametrize("spawn_key", [(), (0,), (1,), (2**32 - 1,), (2**32,), (3, 0, 7), (2**70, 1)])
def test_seed_sequence(spawn_key: tuple[int, ...]) -> None:
    for seed in EDGES + BEYOND + some_seeds(500, 128) + some_seeds(100, 400):
        expected = np.random.SeedSequence(seed, spawn_key=spawn_key).generate_state(4, np.uint64)
        assert seed_sequence(seed, spawn_key) == tuple(expected.tolist()), seed


@pytest.mark.parametrize("spawn_key", [(), (1,)])
def test_from_seed(spawn_key: tuple[int, ...]) -> None:
    for seed in EDGES + BEYOND + some_seeds(500, 200):
        assert python_state(PCG64.from_seed(seed, spawn_key)) == numpy_state(numpy_pcg(seed, spawn_key)), seed


@given(
    state=st.integers(0, 2**128 - 1),
    inc=st.integers(0, 2**127 - 1).map(lambda k: 2 * k + 1),
    has_uint32=st.integers(0, 1),
    uinteger=st.integers(0, 2**32 - 1),
    draws=st.lists(
        st.one_of(
            st.tuples(st.just(RANDOM), st.just(0.0), st.just(0.0)),
            st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)).map(
                lambda ends: (UNIFORM, min(ends), max(ends))
            ),
            st.tuples(
                st.just(INTEGERS), st.just(0.0), (st.integers(1, 2**32) | st.sampled_from(RANGES)).map(float)
            ),
        ),
        max_size=20,
    ),
)
@settings(deadline=None, max_examples=300)
def test_interleaved_draws(
    state: int, inc: int, has_uint32: int, uinteger: int, draws: list[tuple[int, float, float]]
) -> None:
    ours = PCG64(state, inc, has_uint32, uinteger)
    theirs = np.random.PCG64()
    theirs.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": inc},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
    generator = np.random.Generator(theirs)
    for draw in draws:
        assert double_bits(python_draw(ours, *draw)) == double_bits(numpy_draw(generator, *draw))
        assert python_state(ours) == numpy_state(theirs)


def test_draws_of_many_streams() -> None:
    for seed in range(200):
        ours, theirs = PCG64.from_seed(seed), numpy_pcg(seed)
        generator = np.random.Generator(theirs)
        for draw in some_draws(50, seed):
            assert double_bits(python_draw(ours, *draw)) == double_bits(numpy_draw(generator, *draw))
            assert python_state(ours) == numpy_state(theirs)


def test_load_and_store() -> None:
    stride, lane = 8, 3
    untouched = 0x5555555555555555
    memory = array("Q", [untouched] * (5 * stride))
    pcg = PCG64.from_seed(7)
    for n, half in ((13, 1), (13, 0)):  # a half left over, then a stale one
        pcg.integers(n)
        assert pcg.has_uint32 == half
        assert pcg.uinteger != 0
        pcg.store(memoryview(memory), stride, lane)
        assert tuple(memory[lane::stride]) == column(python_state(pcg))
        assert python_state(load(memoryview(memory), stride, lane)) == python_state(pcg)
    assert memory.count(untouched) == 5 * (stride - 1)


@pytest.mark.parametrize("n", [0, -1, 2**32 + 1])
def test_integers_refuses(n: int) -> None:
    pcg = PCG64.from_seed(0)
    before = python_state(pcg)
    with pytest.raises(ValueError, match=rf"n must .*{n}"):
        pcg.integers(n)
    assert python_state(pcg) == before


def test_negative_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"entropy .*-1"):
        PCG64.from_seed(-1)
    with pytest.raises(ValueError, match=r"spawn_key .*-2"):
        PCG64.from_seed(0, (1, -2))


# Level cpp


@pytest.fixture(scope="module")
def core() -> ModuleType:
    from compute_layers import _core

    return _core


def native_streams(
    core: ModuleType, seeds: list[int], spawn_key: int | None = None
) -> npt.NDArray[np.uint64]:
    low = np.array([seed & MASK64 for seed in seeds], dtype=np.uint64)
    high = np.array([seed >> 64 for seed in seeds], dtype=np.uint64)
    stream: npt.NDArray[np.uint64] = core.seed_streams(low, high, spawn_key)
    assert stream.dtype == np.uint64
    assert stream.shape == (5, len(seeds))
    return stream


def expected_streams(pcgs: list[np.random.PCG64]) -> npt.NDArray[np.uint64]:
    fields = list(zip(*(column(numpy_state(pcg)) for pcg in pcgs), strict=True))
    return np.array(fields, dtype=np.uint64)


def assert_equal_streams(ours: npt.NDArray[np.uint64], theirs: npt.NDArray[np.uint64]) -> None:
    lanes = np.flatnonzero((ours != theirs).any(axis=0))
    assert lanes.size == 0, f"{lanes.size} lanes differ, first {lanes[0]}"


def test_native_seeding_of_1e5_seeds(core: ModuleType) -> None:
    seeds = list(range(50_000)) + EDGES + some_seeds(50_000, 128)
    assert_equal_streams(native_streams(core, seeds), expected_streams([numpy_pcg(seed) for seed in seeds]))


@pytest.mark.parametrize("spawn_key", [0, 1, 2**32 - 1])
def test_native_spawned_seeding(core: ModuleType, spawn_key: int) -> None:
    seeds = list(range(2_000)) + EDGES + some_seeds(3_000, 128)
    expected = expected_streams([numpy_pcg(seed, (spawn_key,)) for seed in seeds])
    assert_equal_streams(native_streams(core, seeds, spawn_key), expected)


@pytest.mark.parametrize("spawn_key", [None, 1])
def test_native_draws(core: ModuleType, spawn_key: int | None) -> None:
    seeds = list(range(1_000)) + EDGES + some_seeds(1_000, 128)
    stream = native_streams(core, seeds, spawn_key)
    pcgs = [numpy_pcg(seed, () if spawn_key is None else (spawn_key,)) for seed in seeds]
    generators = [np.random.Generator(pcg) for pcg in pcgs]
    # Two calls: the second starts from halves that the first has left over, in some lanes only.
    for draws in (some_draws(30, 1), some_draws(30, 2)):
        kind, low, high = (np.array(field) for field in zip(*draws, strict=True))
        ours = core.draw(stream, kind.astype(np.int64), low, high)
        assert ours.dtype == np.float64
        assert ours.shape == (len(draws), len(seeds))
        theirs = np.array([[numpy_draw(generator, *draw) for draw in draws] for generator in generators]).T
        differing = np.argwhere(ours.view(np.uint64) != np.ascontiguousarray(theirs).view(np.uint64))
        assert differing.size == 0, f"{len(differing)} values differ, first (draw, lane) {differing[0]}"
        assert_equal_streams(stream, expected_streams(pcgs))
    assert set((stream[4] >> np.uint64(32)).tolist()) == {0, 1}
