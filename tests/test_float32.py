# SPDX-License-Identifier: MIT
"""float32 in Python against exact fractions, NumPy and libm's fmaf, bit for bit."""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
import math
import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from compute_layers.float32 import fma, round_float32

TINY = 2.0**-149  # the smallest float32
SMALL = 2.0**-126  # the smallest normal one
LARGE = 2.0**128 - 2.0**104  # the largest
MAGNITUDES = [
    *(0.0, TINY, 3 * TINY, SMALL - TINY, SMALL, 2.0**-75, 2.0**-24, 2.0**-23, 1 - 2.0**-24, 1.0),
    *(1 + 2.0**-23, 1.5, 3.0, 2.0**23, 2.0**24 - 1, 2.0**64, LARGE, math.inf),
]
SPECIALS = [*MAGNITUDES, *(-m for m in MAGNITUDES), math.nan]


def bits(x: float) -> bytes:
    """The bytes of a double; one NaN for all."""
    return b"NaN" if math.isnan(x) else struct.pack("<d", x)


def exact(x: Fraction) -> float:
    """The nearest float32, ties to even, by integer arithmetic."""
    magnitude = abs(x)
    exponent = -149
    while magnitude >= Fraction(2) ** (exponent + 24):
        exponent += 1
    units = round(magnitude / Fraction(2) ** exponent)
    rounded = Fraction(units) * Fraction(2) ** exponent
    result = float(rounded) if rounded < 2**128 else math.inf
    return -result if x < 0 else result


def any_float32(rng: random.Random) -> float:
    """Each finite bit pattern is as likely as the others."""
    x: float = math.inf
    while not math.isfinite(x):
        x = struct.unpack("<f", rng.getrandbits(32).to_bytes(4, "little"))[0]
    return x


def near_tie(rng: random.Random) -> tuple[float, float, float]:
    """a * b is half a unit in the last place of c, or a hair beside it, often less than a double resolves."""
    exponent = rng.randint(-126, 100)
    c = math.ldexp(rng.randint(2**23, 2**24 - 1), exponent - 23)
    half = math.ldexp(0.5, max(exponent - 23, -149))
    split = rng.randint(-20, 20)
    a, b = math.ldexp(1.0, split), math.ldexp(half, -split)
    if b < SMALL:
        a, b = 2.0**-60, half * 2.0**60
    a *= 1 + rng.randint(-3, 3) * 2.0**-23
    b *= 1 + rng.randint(-3, 3) * 2.0**-23
    return round_float32(a * rng.choice([-1, 1])), round_float32(b), c * rng.choice([-1, 1])


def cancelling(rng: random.Random) -> tuple[float, float, float]:
    """c is -a * b rounded, or close to it."""
    a, b = rng.uniform(-4, 4), rng.uniform(-4, 4)
    a, b = round_float32(a), round_float32(b)
    return a, b, round_float32(-a * b * (1 + rng.randint(-2, 2) * 2.0**-23))


def triples(count: int) -> Iterator[tuple[float, float, float]]:
    rng = random.Random(count)
    for _ in range(count // 4):
        yield any_float32(rng), any_float32(rng), any_float32(rng)
        yield near_tie(rng)
        yield cancelling(rng)
        scale = 2.0 ** rng.randint(-149, -120)
        yield any_float32(rng), round_float32(rng.gauss(0, scale)), round_float32(rng.gauss(0, scale))


@pytest.fixture(scope="module")
def fmaf() -> Callable[[float, float, float], float]:
    name = ctypes.util.find_library("m")
    try:
        function: Callable[[float, float, float], float] = ctypes.CDLL(name).fmaf
    except (AttributeError, OSError, TypeError):
        pytest.skip("no libm with fmaf")
    function.argtypes = [ctypes.c_float] * 3  # type: ignore[attr-defined]
    function.restype = ctypes.c_float  # type: ignore[attr-defined]
    return function


def test_fma_of_finite_numbers_is_the_exact_value_rounded_once() -> None:
    for a, b, c in triples(3_000):
        true = Fraction(a) * Fraction(b) + Fraction(c)
        if true:
            assert bits(fma(a, b, c)) == bits(exact(true)), (a.hex(), b.hex(), c.hex())


def test_near_ties_are_hard() -> None:
    rng = random.Random(0)
    hard = sum(fma(a, b, c) != round_float32(a * b + c) for a, b, c in (near_tie(rng) for _ in range(2_000)))
    assert hard > 50, "rounding twice passes these triples: they test nothing"


def test_fma_is_that_of_libm(fmaf: Callable[[float, float, float], float]) -> None:
    for a, b, c in itertools.chain(triples(200_000), itertools.product(SPECIALS, repeat=3)):
        assert bits(fma(a, b, c)) == bits(fmaf(a, b, c)), (a.hex(), b.hex(), c.hex())


@pytest.mark.emulate
@pytest.mark.parametrize(
    ("a", "b", "c", "expected"),
    [
        (0.0, 1.0, -0.0, 0.0),
        (-0.0, 1.0, -0.0, -0.0),
        (1.0, 1.0, -1.0, 0.0),
        (TINY, TINY, 0.0, 0.0),
        (TINY, -TINY, 0.0, -0.0),
        (TINY, 0.5, TINY, 2 * TINY),
        (LARGE, 2.0, -LARGE, LARGE),
        (LARGE, 2.0, 0.0, math.inf),
        (LARGE, -LARGE, LARGE, -math.inf),
        (LARGE, LARGE, -math.inf, -math.inf),
        (math.inf, 0.0, 1.0, math.nan),
        (math.inf, 1.0, -math.inf, math.nan),
        (math.inf, -1.0, 5.0, -math.inf),
        (math.nan, 0.0, 0.0, math.nan),
    ],
)
def test_fma_of_zeros_infinities_and_extremes(a: float, b: float, c: float, expected: float) -> None:
    assert bits(fma(a, b, c)) == bits(expected)


@pytest.mark.emulate
def test_round_float32_is_numpy_s() -> None:
    rng = random.Random(1)
    limit = 2.0**128 - 2.0**103  # halfway to what would come next
    doubles = [
        *SPECIALS,
        limit,
        -limit,
        math.nextafter(limit, 0),
        1e308,
        -1e308,
        1 + 2.0**-24,
        1 + 3 * 2.0**-24,
    ]
    doubles += [TINY / 2, -TINY / 2, math.nextafter(TINY / 2, 1), 1.5 * TINY, 5e-324]
    doubles += [rng.gauss(0, 1) * 2.0 ** rng.randint(-160, 130) for _ in range(50_000)]
    with np.errstate(over="ignore"):
        expected = np.array(doubles).astype(np.float32).astype(np.float64).tolist()
    for x, y in zip(doubles, expected, strict=True):
        assert bits(round_float32(x)) == bits(y), x.hex()
