# SPDX-License-Identifier: MIT
"""Sine and cosine: accuracy against mpmath, exact properties, and the same bytes natively."""

import math
import random
import struct

import numpy as np
import numpy.typing as npt
import pytest

from compute_layers import _core, numerics

Array = npt.NDArray[np.float64]

# Doubles nearest to k * pi/2 for k <= 667544 (all below 2**20). The 16 closest, which cancel most, then
# those with the largest errors of the result near zero and near one (tools/minimax.py), then the last.
HARD_K = [29, 58, 116, 232, 464, 928, 1856, 204551, 1, 3712, 409102, 2, 29327, 7424, 14479, 3]
HARD_K += [551263, 613653, 667543, 667544]
# The largest errors found in 2 * 10**8 random samples of each range.
WORST = [
    float.fromhex(word)
    for word in (
        "0x1.fbc1f7744015ap-3",
        "0x1.fe2575635b286p-3",
        "0x1.8643f1e2bbe9dp-1",
        "0x1.7fcd5666c4eb3p-1",
        "0x1.c8c2543da4e0ap+2",
        "0x1.f3bc2a7501b5ap+1",
        "0x1.406a216e646p+16",
        "0x1.a63be6b87f2bep+19",
    )
]
SMALLEST = math.ulp(0.0)
TINY = 2.0**-1022


def bits(*values: float) -> bytes:
    """The bytes of the values, every NaN the same."""
    return struct.pack(f"<{len(values)}d", *(math.nan if math.isnan(v) else v for v in values))


def around(x: float, steps: int = 3) -> list[float]:
    """x, its neighbours, and their negatives."""
    below = above = x
    found = [x]
    for _ in range(steps):
        below = math.nextafter(below, -math.inf)
        above = math.nextafter(above, math.inf)
        found += [below, above]
    return found + [-v for v in found]


def reduced_points() -> list[float]:
    """|x| <= pi/4: the ends, zeros, denormals, and samples over all magnitudes."""
    draw = random.Random(4)
    points = [v for x in (0.0, TINY, 2.0**-27, 0.25, 0.5) for v in around(x)]
    points += [v for v in around(numerics.PI_OVER_4) if abs(v) <= numerics.PI_OVER_4]
    points += [draw.uniform(-1, 1) * numerics.PI_OVER_4 for _ in range(10_000)]
    points += [
        draw.choice((-1, 1)) * math.ldexp(draw.random(), -draw.randrange(1, 1074)) for _ in range(5_000)
    ]
    return points


def structured_points() -> list[float]:
    """Where something changes: quadrants, ties of the rounding, hard cases, the end of accuracy, overflow."""
    points = reduced_points() + WORST
    points += [v for k in (*range(1, 41), 667543, 667544) for v in around(k * numerics.PI_OVER_4)]
    points += [v for k in HARD_K for v in around(k * math.pi / 2)]
    points += [v for e in range(19, 64) for v in around(2.0**e)]
    points += [v for e in range(64, 1024, 7) for v in around(2.0**e)]
    points += [v for v in around(1.7976931348623157e308) if math.isfinite(v)]
    return [*points, math.inf, -math.inf, math.nan, -math.nan]


def random_patterns(count: int) -> list[float]:
    """Doubles of random bits: all signs, exponents and NaN payloads."""
    draw = random.Random(5)
    return list(struct.unpack(f"<{count}d", draw.randbytes(8 * count)))


def assert_accurate(points: list[float], bound: float) -> None:
    """Every sine and cosine is within `bound` units in the last place of the exact value."""
    mpmath = pytest.importorskip("mpmath", reason="the accuracy is measured against mpmath")
    with mpmath.workprec(200):
        for x in points:
            exact = (mpmath.sin(mpmath.mpf(x)), mpmath.cos(mpmath.mpf(x)))
            for name, got, want in zip(("sin", "cos"), numerics.sin_cos(x), exact, strict=True):
                unit = mpmath.ldexp(1, max(mpmath.frexp(want)[1] - 53, -1074))
                error = float(abs(mpmath.mpf(got) - want) / unit)
                assert error <= bound, f"{name}({x.hex()}) = {got.hex()}: {error:.4f} ulp"


def test_accuracy_near_zero() -> None:
    draw = random.Random(1)
    points = [draw.uniform(-0.25, 0.25) for _ in range(8_000)]
    points += [math.ldexp(draw.uniform(-1, 1), -draw.randrange(2, 60)) for _ in range(2_000)]
    points += [x for x in (*around(TINY), SMALLEST, *WORST) if 0 < abs(x) <= 0.25]
    assert_accurate(points, 0.54)


def test_accuracy_to_2_20() -> None:
    draw = random.Random(2)
    points = [
        draw.uniform(-limit, limit) for limit in (math.pi / 4, 8.0, 1000.0, 2.0**20) for _ in range(3_000)
    ]
    # near odd multiples of pi/4 both polynomials are at the end of their interval
    points += [draw.randrange(1, 600_000, 2) * math.pi / 4 + draw.uniform(-0.08, 0.08) for _ in range(3_000)]
    assert_accurate([*points, *WORST, 2.0**20, -(2.0**20)], 0.76)


def test_accuracy_at_multiples_of_half_pi() -> None:
    mpmath = pytest.importorskip("mpmath", reason="the accuracy is measured against mpmath")
    with mpmath.workprec(200):
        nearest = [float(k * mpmath.pi / 2) for k in HARD_K]
    assert_accurate([v for x in nearest for v in around(x) if abs(v) <= 2.0**20], 0.76)


def test_reduction_is_the_identity_up_to_quarter_pi() -> None:
    for x in reduced_points():
        high, tail, quadrant = numerics.reduce(x)
        assert quadrant == 0, x.hex()
        assert bits(high, tail) == bits(x, 0.0), x.hex()
        expected = bits(*numerics.sin_cos_reduced(x))
        assert bits(*numerics.sin_cos_with_tail(high, tail)) == expected, x.hex()
        assert bits(*numerics.sin_cos(x)) == expected, x.hex()


def test_sine_is_odd_and_cosine_even() -> None:
    draw = random.Random(3)
    for x in [*reduced_points(), *(draw.uniform(0, 2.0**20) for _ in range(10_000))]:
        sine, cosine = numerics.sin_cos(x)
        assert bits(*numerics.sin_cos(-x)) == bits(-sine, cosine), x.hex()


def test_signed_zero_and_quadrants() -> None:
    assert bits(*numerics.sin_cos(0.0)) == bits(0.0, 1.0)
    assert bits(*numerics.sin_cos(-0.0)) == bits(-0.0, 1.0)
    for degrees in range(-1080, 1081, 15):
        x = math.radians(degrees)
        assert numerics.sin_cos(x) == pytest.approx((math.sin(x), math.cos(x)), rel=1e-15, abs=0)


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan])
def test_not_finite(x: float) -> None:
    assert all(math.isnan(v) for v in numerics.sin_cos(x))


@pytest.mark.emulate
@pytest.mark.parametrize(
    "points", [structured_points(), random_patterns(100_000)], ids=["structured", "random"]
)
def test_native_gives_the_same_bytes(points: list[float]) -> None:
    """The baseline build of numerics.hpp; the other isas' are compared inside the games' kernels."""
    native: tuple[Array, Array] = _core.sin_cos(np.array(points))
    specified = np.array([numerics.sin_cos(x) for x in points])
    for name, got, want in zip(("sin", "cos"), native, specified.T, strict=True):
        got_bits = np.where(np.isnan(got), np.nan, got).view(np.uint64)
        want_bits = np.where(np.isnan(want), np.nan, want).view(np.uint64)
        wrong = np.flatnonzero(got_bits != want_bits)
        assert wrong.size == 0, (
            f"{name}({points[wrong[0]].hex()}): {wrong.size} differ, "
            f"first {got[wrong[0]].hex()}, specified {want[wrong[0]].hex()}"
        )
        assert got_bits.tobytes() == want_bits.tobytes()


def near_points() -> npt.NDArray[np.float64]:
    """|x| <= 3.9, densely where k changes, and of every k and every exponent of x - k * pi/2 both many doubles and
    all those next to where the exponent changes."""
    rng = np.random.default_rng(6)
    steps = np.arange(-300, 301)
    found = [rng.uniform(-3.9, 3.9, 300_000), np.array([0.0, -0.0, 3.9, -3.9])]
    for k in range(-2, 3):
        centre = k * np.pi / 2
        for edge in (centre - np.pi / 4, centre + np.pi / 4):
            found.append(edge + np.arange(-10_000, 10_001) * np.spacing(edge))
        for e in range(1, 60):
            for power in (2.0**-e, -(2.0**-e)):
                found.append((centre + power) + steps * np.spacing(centre + power))
                found.append(centre + power * rng.uniform(1, 2, 300))
    points = np.concatenate(found)
    return points[np.abs(points) <= 3.9]


@pytest.mark.emulate
def test_the_short_reduction_gives_the_same_bytes() -> None:
    """Wherever it may be used: whether the two agree depends only on k and on the exponents of x and x - k * pi/2."""
    points = near_points()
    for name, got, want in zip(
        ("sin", "cos"), _core.sin_cos_near(points), _core.sin_cos(points), strict=True
    ):
        wrong = np.flatnonzero(got.view(np.uint64) != want.view(np.uint64))
        assert wrong.size == 0, f"{name}({points[wrong[0]].hex()}): {wrong.size} of {points.size} differ"
