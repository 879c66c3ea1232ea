# SPDX-License-Identifier: MIT
"""A multilayer perceptron: layers of weighted sums with an activation between them, then a head.

Layer l has the weights Wl, (rows, inputs), and the bias bl, (rows,); its inputs are the rows of the layer before,
those of layer 0 the observation. Every layer is summed as the family ``linear`` says, partial sums included,
and the heads are the ones described there. The activation, the same after every layer but the last, is the
metadata entry ``activation``:

* ``tanh``: of x clipped to ±7.78, an odd rational function with four terms above and five below; relative
  error at most 3.9e-7, measured over all float32. ±1 from there on; -0 gives -0.
* ``relu``: y if y > 0, else 0, also for -0 and NaN.
* ``sigmoid``: 1 / (1 + exp(-x)) with exp(-x) = 2**n * p(q), q = x + n * ln 2; relative error at most 1.6e-7 for
  x > -87.3, below which float32 has fewer digits; 1/2 at 0, and 0 from -88.4 down.

NaN stays NaN under ``tanh`` and ``sigmoid``.

A rule by hand whose bounds depend on other numbers is a file of this family too. With ``relu`` two units make
"w beyond t", max(w - t, 0) - max(-w - t, 0), and a number above -c passes through one as (x + c) - c. In 6
units Pendulum's ``swing-up`` has the torque 16 w - 6 sin - 9 (w beyond 1 - 2 cos) - 20 (w beyond 2.5 - 1.5 cos):
along the velocity w until the rod is fast enough to reach the top, against it beyond, and -6 sin - 2 w up there.
W0 = [[0, 1, 0], [0, 0, 1], [2, 0, 1], [2, 0, -1], [1.5, 0, 1], [1.5, 0, -1]], b0 = [1, 8, -1, -1, -2.5, -2.5],
W1 = [[-6, 16, -9, 9, -20, 20]], b1 = [-122], head ``box``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Protocol

from ..float32 import fma, round_float32
from ..pcg64 import PCG64
from ..spec import PolicySpec
from .linear import Heads, affine, check, decide

# tanh y = y * P(z) / Q(z), z = y*y, highest power first; Q's leading coefficient is 1. From LIMIT on it is 1.
LIMIT = float.fromhex("0x1.f1f174p+2")
P = tuple(map(float.fromhex, ("0x1.73e306p+5", "0x1.7766c2p+13", "0x1.010e34p+19", "0x1.f1431ap+21")))
Q = tuple(map(float.fromhex, ("0x1.e5974ep+9", "0x1.7ad19ap+16", "0x1.cc08dap+20", "0x1.f1431ep+21")))

# exp(-q) for |q| <= ln(2)/2, highest power first.
EXP = tuple(
    map(
        float.fromhex,
        (
            *("0x1.6feff2p-10", "-0x1.1257dap-7", "0x1.5552fep-5", "-0x1.555466p-3"),
            *("0x1.0p-1", "-0x1.0p+0", "0x1.0p+0"),
        ),
    )
)
MINUS_LOG2_E = float.fromhex("-0x1.715476p+0")
LN2_HIGH = float.fromhex("0x1.62e430p-1")  # the two add up to ln 2
LN2_LOW = float.fromhex("-0x1.05c610p-29")
# Adding it rounds to an integer, and leaves that integer + 127, the exponent of a float32, in the low bits.
ROUND = 1.5 * 2.0**23 + 127.0
LOWEST = -89.0  # here exp(-x) is infinite already,
HIGHEST = 88.0  # and here 1 + exp(-x) is 1

_FLOAT32 = Struct("<f")
_UINT32 = Struct("<I")


class Policy(Heads, Protocol):
    """The parameters, flat, layer by layer, and what ``act`` needs to know besides."""

    W: Sequence[Sequence[float]]
    b: Sequence[Sequence[float]]
    choices: Mapping[str, str]


def act(policy: Policy, observation: Sequence[float], rng: PCG64 | None) -> int | tuple[float, ...]:
    activation = ACTIVATIONS[policy.choices["activation"]]
    x = observation
    for weights, bias in zip(policy.W[:-1], policy.b[:-1], strict=True):
        x = [activation(y) for y in affine(weights, bias, x)]
    return decide(policy, affine(policy.W[-1], policy.b[-1], x))


def tanh(x: float) -> float:
    y = min(max(x, -LIMIT), LIMIT)  # NaN stays: each gives its first argument unless the second is beyond it
    z = round_float32(y * y)
    p = fma(fma(fma(P[0], z, P[1]), z, P[2]), z, P[3])
    q = fma(fma(fma(round_float32(z + Q[0]), z, Q[1]), z, Q[2]), z, Q[3])
    return round_float32(round_float32(y * p) / q)


def relu(x: float) -> float:
    return x if x > 0.0 else 0.0


def sigmoid(x: float) -> float:
    y = min(max(x, LOWEST), HIGHEST)
    t = fma(y, MINUS_LOG2_E, ROUND)
    n = t - ROUND
    q = fma(n, LN2_LOW, fma(n, LN2_HIGH, y))
    p = EXP[0]
    for c in EXP[1:]:
        p = fma(p, q, c)
    power = (_UINT32.unpack(_FLOAT32.pack(t))[0] << 23) & 0xFFFFFFFF  # 2**n; 0 for n = -127, infinite for 128
    scale: float = _FLOAT32.unpack(_UINT32.pack(power))[0]
    return round_float32(1.0 / fma(p, scale, 1.0))


ACTIVATIONS: Mapping[str, Callable[[float], float]] = {"tanh": tanh, "relu": relu, "sigmoid": sigmoid}

SPEC = PolicySpec(
    tensors={"W": ("float32", ("rows", "inputs")), "b": ("float32", ("rows",))},
    heads=("argmax", "threshold", "box"),
    layered=True,
    choices={"activation": tuple(ACTIVATIONS)},
    check=check,
)
