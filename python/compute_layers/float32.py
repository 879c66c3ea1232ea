# SPDX-License-Identifier: MIT
"""float32 arithmetic in Python: a float32 is the Python float of the same value.

Policies with weights compute in float32 with fused multiply-add at every level. NaNs are NaNs here, without a
promise about sign and payload.

Source of the method: S. Boldo and G. Melquiond, *Emulation of a FMA and Correctly Rounded Sums: Proved
Algorithms Using Rounding to Odd*, IEEE Transactions on Computers 57 (2008).
"""

from __future__ import annotations

import math
from struct import Struct

_FLOAT32 = Struct("<f")
_DOUBLE = Struct("<d")
_INT64 = Struct("<q")


def round_float32(x: float) -> float:
    """The float32 nearest to x, ties to even; infinite where the nearest one would be."""
    try:
        rounded: float = _FLOAT32.unpack(_FLOAT32.pack(x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)
    return rounded


def fma(a: float, b: float, c: float) -> float:
    """a * b + c of float32 numbers, rounded once, to float32."""
    product = a * b  # exact: 24 + 24 bits fit into 53, and no exponent is out of range
    total = product + c

    # The error of the sum, exactly (Knuth's 2Sum); NaN if an operand is infinite.
    part = total - product
    error = (product - (total - part)) + (c - part)

    # Rounding twice goes wrong where the first result looks like a tie and was none. An inexact total whose
    # last bit is odd never does: of the two doubles around the exact sum, take the odd one.
    if (error > 0.0 or error < 0.0) and not _INT64.unpack(_DOUBLE.pack(total))[0] & 1:
        total = math.nextafter(total, math.inf if error > 0.0 else -math.inf)
    return round_float32(total)
