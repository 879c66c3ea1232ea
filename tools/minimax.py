# SPDX-License-Identifier: MIT
"""Derives the constants of cpp/numerics.hpp and python/compute_layers/numerics.py and measures the result; also the
cosine of cpp/games/continuous_mountain_car.hpp.

    python tools/minimax.py [--samples N]

Prints the constants in hex, the error of the two polynomials, and the largest error in ulp of the Python
function on random samples and on the doubles nearest to k * pi/2 for all k <= 667544 (the whole range of the
accuracy claim). The exit status is 1 if a file holds other constants or a claimed bound is exceeded.

The coefficients: the Remez exchange gives the polynomial whose largest weighted error on [0, pi/4] is least.
Then one coefficient after the other, the leading one first, is rounded to double, and the exchange is run
again over those that are left, which make good for the rounding.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import random
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from mpmath import mp, mpf  # type: ignore[import-untyped,unused-ignore]

ROOT = Path(__file__).resolve().parent.parent
GRID = 400  # points of the interval that the exchange looks at
TERMS = 6
SWING_TERMS = 7
LARGEST_K = 667544  # the last multiple of pi/2 below 2**20
BOUND = 0.76  # claimed, in ulp, for |x| <= 2**20; 0.54 for |x| <= 0.25
FIXED = 256  # fractional bits of the integers in hard_cases


def exchange(
    powers: list[int], grid: list[mpf], wanted: list[mpf], weight: list[mpf]
) -> tuple[list[mpf], mpf]:
    """Coefficients a and the largest |weight * (sum(a * z**power) - wanted)|, which they minimise."""
    count = len(powers)
    basis = [[w * z**p for p in powers] for z, w in zip(grid, weight, strict=True)]
    target = [w * f for w, f in zip(weight, wanted, strict=True)]
    chosen = [
        round((len(grid) - 1) * (1 - math.cos(math.pi * (i + 0.5) / (count + 1))) / 2)
        for i in range(count + 1)
    ]
    for _ in range(50):
        matrix = mp.matrix([[*basis[i], mpf(-1) ** row] for row, i in enumerate(chosen)])
        *a, level = mp.lu_solve(matrix, mp.matrix([target[i] for i in chosen]))
        error = [mp.fdot(row, a) - t for row, t in zip(basis, target, strict=True)]
        largest = max(abs(e) for e in error)
        if largest <= abs(level) * mpf("1.0001"):
            break
        peaks: list[int] = []  # the largest error of every run of one sign
        for i, e in enumerate(error):
            if peaks and (e > 0) == (error[peaks[-1]] > 0):
                if abs(e) > abs(error[peaks[-1]]):
                    peaks[-1] = i
            else:
                peaks.append(i)
        while len(peaks) > count + 1:
            peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
        if len(peaks) <= count or peaks == chosen:
            break
        chosen = peaks
    return a, largest


def rounded_fit(
    function: Callable[[mpf], mpf], weight: Callable[[mpf], mpf], terms: int, end: mpf
) -> tuple[list[float], mpf, mpf]:
    """Double coefficients in z = x*x for 0 <= x <= end, their largest error, and that before rounding."""
    grid = [end**2 * (1 - mp.cos(mp.pi * i / GRID)) / 2 for i in range(1, GRID + 1)]
    left = [function(mp.sqrt(z)) for z in grid]
    weights = [weight(mp.sqrt(z)) for z in grid]
    fixed: list[float] = []
    before = mpf(0)
    while len(fixed) < terms:
        a, largest = exchange(list(range(len(fixed), terms)), grid, left, weights)
        before = before if fixed else largest
        left = [f - mpf(float(a[0])) * z ** len(fixed) for f, z in zip(left, grid, strict=True)]
        fixed.append(float(a[0]))
    return fixed, max(abs(w * f) for w, f in zip(weights, left, strict=True)), before


def pi_over_2_parts() -> list[float]:
    """pi/2 cut (not rounded: no part may be negative) after 33 significant bits, three times; the rest."""
    rest = mp.pi / 2
    parts = []
    for _ in range(3):
        unit = mp.ldexp(1, mp.frexp(rest)[1] - 33)
        parts.append(float(mp.floor(rest / unit) * unit))
        rest -= parts[-1]
    return [*parts, float(rest)]


def numerics() -> ModuleType:
    """python/compute_layers/numerics.py, without the package around it."""
    spec = importlib.util.spec_from_file_location("numerics", ROOT / "python/compute_layers/numerics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ulps(got: float, exact: mpf) -> float:
    """Error of `got` in units of the last place of a double in the binade of `exact`."""
    return float(abs(mpf(got) - exact) / mp.ldexp(1, max(mp.frexp(exact)[1] - 53, -1074)))


def sampled(
    sin_cos: Callable[[float], tuple[float, float]], points: Iterable[float]
) -> list[tuple[float, float]]:
    """Largest error in ulp and its x, of sine and of cosine."""
    worst = [(0.0, 0.0), (0.0, 0.0)]
    for x in points:
        for i, (got, exact) in enumerate(zip(sin_cos(x), (mp.sin(mpf(x)), mp.cos(mpf(x))), strict=True)):
            worst[i] = max(worst[i], (ulps(got, exact), x))
    return worst


def hard_cases(sin_cos: Callable[[float], tuple[float, float]]) -> tuple[list[tuple[float, int]], list[int]]:
    """Largest error in ulp and its k at the doubles nearest to k * pi/2: of the function near zero, of the
    one near one; and the k of the 16 smallest distances, the closest first."""
    pi_over_2 = int(mp.floor(mp.ldexp(mp.pi / 2, FIXED)))
    worst = [(0.0, 0), (0.0, 0)]
    distances = []

    def fixed(value: float) -> int:
        numerator, denominator = value.as_integer_ratio()
        return (numerator << FIXED) // denominator

    for k in range(1, LARGEST_K + 1):
        x = k * pi_over_2 / (1 << FIXED)  # the quotient of two ints is correctly rounded
        d = fixed(x) - k * pi_over_2
        small, large = sin_cos(x)
        if k & 1:
            small, large = large, small
        # |d| < 2**-33: two terms of the series are exact to 2**-130
        square = d * d >> FIXED
        exact = d - (d * square >> FIXED) // 6
        error = abs(abs(fixed(small)) - abs(exact)) / (1 << (abs(exact).bit_length() - 53))
        worst[0] = max(worst[0], (error, k))
        error = abs(abs(fixed(large)) - (1 << FIXED) + square // 2) / (1 << (FIXED - 53))
        worst[1] = max(worst[1], (error, k))
        distances.append((abs(d), k))
    return worst, [k for _, k in sorted(distances)[:16]]


def main() -> int:
    """Prints everything; 0 if the files agree and the bounds hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=50_000, help="random samples per range (%(default)s)")
    samples = parser.parse_args().samples
    mp.prec = FIXED + 64

    # sin x = x - x**3 * S, cos x = 1 - z/2 + z*z * C. The error counts relative to sine, and between 0.27
    # and 0.7 less, where the bounds leave room for it: below, the bound is tighter, above, the rounding
    # errors of the evaluation are larger. Cosine keeps one exponent over nearly the whole interval, so
    # there the absolute error is the one in ulp.
    sine, sine_error, sine_before = rounded_fit(
        lambda x: (x - mp.sin(x)) / x**3,
        lambda x: (0.15 if 0.27 < x < 0.7 else 1) * x**3 / mp.sin(x),
        TERMS,
        mp.pi / 4,
    )
    cosine, cosine_error, cosine_before = rounded_fit(
        lambda x: (mp.cos(x) - 1 + x * x / 2) / x**4, lambda x: x**4, TERMS, mp.pi / 4
    )
    # sin x = x + x**3 * P, over a quadrant: of a game, whose header says what it is good for.
    swing, swing_error, swing_before = rounded_fit(
        lambda x: (mp.sin(x) - x) / x**3, lambda x: x**3 / mp.sin(x), SWING_TERMS, mp.pi / 2
    )
    constants = {
        "TwoOverPi": [float(2 / mp.pi)],
        "PiOver2": pi_over_2_parts(),
        "Sin": sine,
        "Cos": cosine,
    }
    of_game = {
        "Pi": [float(mp.pi)],
        "HalfPi": [float(mp.pi / 2)],
        "SmallPart": [float(mp.pi / 2 - float(mp.pi / 2))],
        "Swing": swing,
    }
    for name, values in (constants | of_game).items():
        print(f"k{name}:", *(value.hex() for value in values), sep="\n    ")
    errors = {"Sin": (sine_error, sine_before), "Cos": (cosine_error, cosine_before)}
    errors["Swing"] = swing_error, swing_before
    for name, (error, before) in errors.items():
        after, ideal = (float(mp.log(e, 2)) for e in (error, before))
        print(f"k{name}: weighted error 2**{after:.2f}, 2**{ideal:.2f} before rounding")

    stale = False
    holders = dict.fromkeys(("cpp/numerics.hpp", "python/compute_layers/numerics.py"), constants)
    for file, wanted in (holders | {"cpp/games/continuous_mountain_car.hpp": of_game}).items():
        text = (ROOT / file).read_text(encoding="utf-8")
        held = {float.fromhex(word) for word in re.findall(r"-?0x1\.?[0-9a-f]*p[-+]?\d+", text)}
        missing = [value.hex() for values in wanted.values() for value in values if value not in held]
        stale |= bool(missing)
        print(f"{file}:", "lacks " + ", ".join(missing) if missing else "holds these constants")

    sin_cos: Callable[[float], tuple[float, float]] = numerics().sin_cos
    draw = random.Random(1)
    exceeded = False
    for limit, bound in ((0.25, 0.54), (math.pi / 4, BOUND), (2.0**20, BOUND)):
        points = [draw.uniform(-limit, limit) for _ in range(samples)]
        points += [draw.choice((-1, 1)) * limit * 2.0 ** -draw.uniform(0, 40) for _ in range(samples // 5)]
        for name, (error, x) in zip(("sin", "cos"), sampled(sin_cos, points), strict=True):
            exceeded |= error > bound
            print(f"|x| <= {limit:<9.7g} {name} {error:.4f} ulp at {x.hex()}")
    worst, closest = hard_cases(sin_cos)
    for name, (error, k) in zip(("zero", "one"), worst, strict=True):
        exceeded |= error > BOUND
        print(f"k * pi/2, k <= {LARGEST_K}: the one near {name} {error:.4f} ulp at k = {k}")
    print("closest to a double: k =", *closest)
    return int(stale or exceeded)


if __name__ == "__main__":
    sys.exit(main())
