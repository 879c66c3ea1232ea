# SPDX-License-Identifier: MIT
"""Sine and cosine with the same bits at every level, on every CPU.

libm differs from system to system in the last bit, so the games have their own. This file is the
specification: cpp/numerics.hpp and the assembly do the same operations in the same order, in float64,
without fused multiply-add.

The method is that of Cody and Waite (Software Manual for the Elementary Functions, 1980): subtract the
nearest multiple k of pi/2, which is held in four parts so that k times a part is exact, then evaluate a
minimax polynomial for sine (degree 13) and one for cosine (degree 14), and choose by the quadrant. What the
difference cannot hold is kept as a tail and corrects both results.

Accuracy: the largest errors found in 10**9 random samples, most of them where the errors are largest, in
units in the last place

    |x| <= 0.25     sine 0.535    cosine 0.517
    |x| <= pi/4     sine 0.735    cosine 0.755
    |x| <= 2**20    sine 0.756    cosine 0.757

and 0.501 at the doubles nearest to k * pi/2, for every k in that range (tools/minimax.py repeats this on
fewer samples). What exceeds 0.5 stems mostly from the rounding of x*x. Beyond 2**20 the bytes are equal
everywhere, but the values become meaningless, and a large x may give any number, infinity or NaN. The sine of
-0 is -0; infinities and NaN give NaN.
"""

import math
from struct import Struct

TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
ROUND = float.fromhex("0x1.8p52")  # adding it rounds to an integer
PI_OVER_4 = float.fromhex("0x1.921fb54442d18p-1")  # rounded down
# pi/2 is their sum. The first three have 33 significant bits: times an integer below 2**20 is exact.
# None is negative, so that 0 times each is +0.
P1 = float.fromhex("0x1.921fb54400000p+0")
P2 = float.fromhex("0x1.0b4611a600000p-34")
P3 = float.fromhex("0x1.3198a2e000000p-69")
P4 = float.fromhex("0x1.b839a252049c1p-104")
# sin x = x - x*z*S(z), with z = x*x
S0 = float.fromhex("0x1.555555555554ep-3")
S1 = float.fromhex("-0x1.111111110fec9p-7")
S2 = float.fromhex("0x1.a01a019c8be80p-13")
S3 = float.fromhex("-0x1.71de35a95ccacp-19")
S4 = float.fromhex("0x1.ae5e6caa30e3ep-26")
S5 = float.fromhex("-0x1.5d8e287aac03ep-33")
# cos x = 1 - z/2 + z*z*C(z)
C0 = float.fromhex("0x1.555555555554cp-5")
C1 = float.fromhex("-0x1.6c16c16c1521fp-10")
C2 = float.fromhex("0x1.a01a019cbf62cp-16")
C3 = float.fromhex("-0x1.27e4f812b6bf2p-22")
C4 = float.fromhex("0x1.1ee9f152ed033p-29")
C5 = float.fromhex("-0x1.8fb1313de0a15p-37")

_DOUBLE = Struct("<d")
_INT64 = Struct("<q")


def sin_cos(x: float) -> tuple[float, float]:
    """Sine and cosine of x (radians); NaN for infinities and NaN."""
    if -PI_OVER_4 <= x <= PI_OVER_4:
        # The same bytes: here reduce(x) is x, +0, 0, and a tail of +0 changes nothing.
        return sin_cos_reduced(x)
    high, tail, quadrant = reduce(x)
    sine, cosine = sin_cos_with_tail(high, tail)
    if quadrant & 1:
        sine, cosine = cosine, sine
    return -sine if quadrant & 2 else sine, -cosine if (quadrant + 1) & 2 else cosine


def sin_cos_reduced(x: float) -> tuple[float, float]:
    """Sine and cosine of |x| <= pi/4."""
    z = x * x
    z2 = z * z
    cube = x * z
    half = 0.5 * z
    w = 1.0 - half
    sin_rest = (S1 + (z * S2)) + (z2 * ((S3 + (z * S4)) + (z2 * S5)))
    cos_rest = (C1 + (z * C2)) + (z2 * ((C3 + (z * C4)) + (z2 * C5)))
    # An addition inside the bracket makes it +0 where x is -0, so that the sine of -0 is -0.
    sine = x - ((cube * S0) + ((cube * z) * sin_rest))
    cosine = w + (((1.0 - w) - half) + (z2 * (C0 + (z * cos_rest))))
    return sine, cosine


def reduce(x: float) -> tuple[float, float, int]:
    """high, tail and quadrant (0 to 3): x = k * pi/2 + high - tail, k = quadrant modulo 4, |high| <~ pi/4."""
    # k, the integer nearest to x / (pi/2); its low bits stand in the low bits of `shifted`
    shifted = (x * TWO_OVER_PI) + ROUND
    k = shifted - ROUND
    quadrant = _INT64.unpack(_DOUBLE.pack(shifted))[0] & 3

    # The excess is what rounding added to a difference. Any of the differences may cancel nearly
    # completely, so it is computed without assuming which operand is larger (Knuth's two-sum).
    t = x - (k * P1)  # exact
    p2 = k * P2
    r = t - p2
    r_part = r - t
    excess1 = (p2 + r_part) - (t - (r - r_part))
    p3 = k * P3
    high0 = r - p3
    high0_part = high0 - r
    excess2 = (p3 + high0_part) - (r - (high0 - high0_part))
    tail0 = (excess1 + excess2) + (k * P4)
    high = high0 - tail0
    return high, (high - high0) + tail0, quadrant  # |tail0| < |high0|: the short two-sum is enough


def sin_cos_with_tail(high: float, tail: float) -> tuple[float, float]:
    """Sine and cosine of high - tail."""
    z = high * high
    z2 = z * z
    cube = high * z
    half = 0.5 * z
    w = 1.0 - half
    sin_rest = (S1 + (z * S2)) + (z2 * ((S3 + (z * S4)) + (z2 * S5)))
    cos_rest = (C1 + (z * C2)) + (z2 * ((C3 + (z * C4)) + (z2 * C5)))
    sine = high - ((cube * S0) + (((cube * z) * sin_rest) + (tail * w)))
    cosine = w + ((((1.0 - w) - half) + (sine * tail)) + (z2 * (C0 + (z * cos_rest))))
    return sine, cosine


def divide(a: float, b: float) -> float:
    """a / b as IEEE 754 has it, where Python raises ZeroDivisionError: ±inf, or NaN for 0 / 0 and NaN / 0."""
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)
