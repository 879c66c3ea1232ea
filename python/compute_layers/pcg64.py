# SPDX-License-Identifier: MIT
"""NumPy's random numbers without NumPy: the specification of the random stream of a lane.

``PCG64.from_seed(s)`` draws what ``numpy.random.default_rng(s)`` draws, bit for bit. ``cpp/pcg64.hpp`` is
the same at level cpp.

Sources:

* M. E. O'Neill, *PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random
  Number Generation*, HMC-CS-2014-0905 (2014): the generator, PCG XSL RR 128/64.
* M. E. O'Neill, *Developing a seed_seq Alternative* (2015), and the documentation of
  ``numpy.random.SeedSequence``: how a seed becomes a state.
* D. Lemire, *Fast Random Integer Generation in an Interval*, ACM TOMACS 29 (2019): ``integers``.
"""

from __future__ import annotations

from collections.abc import Iterator

MASK32 = 2**32 - 1
MASK64 = 2**64 - 1
MASK128 = 2**128 - 1

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645

POOL = 4  # 32-bit words in SeedSequence's pool

# Fields of a stream array, in the order of StreamField in cpp/batch.hpp: field f of lane i is element
# f * stride + i. HALF is has_uint32 << 32 | uinteger.
STATE_HIGH, STATE_LOW, INC_HIGH, INC_LOW, HALF = range(5)


def _words(number: int) -> list[int]:
    """The 32-bit words of a number, least significant first; zero has one."""
    words = [number & MASK32]
    while number := number >> 32:
        words.append(number & MASK32)
    return words


def _keys(key: int, factor: int) -> Iterator[int]:
    """The endless sequence key, key * factor, key * factor**2, … modulo 2**32."""
    while True:
        yield key
        key = (key * factor) & MASK32


class _Hash:
    """A hash of 32-bit words that is keyed differently at every call."""

    __slots__ = ("_key", "_keys")

    def __init__(self, key: int, factor: int) -> None:
        self._keys = _keys(key, factor)
        self._key = next(self._keys)

    def __call__(self, word: int) -> int:
        word ^= self._key
        self._key = next(self._keys)
        word = (word * self._key) & MASK32
        return word ^ (word >> 16)


def _mix(x: int, y: int) -> int:
    mixed = (0xCA01F9DD * x - 0x4973F715 * y) & MASK32
    return mixed ^ (mixed >> 16)


def seed_sequence(entropy: int, spawn_key: tuple[int, ...] = ()) -> tuple[int, int, int, int]:
    """What ``numpy.random.SeedSequence(entropy, spawn_key=spawn_key).generate_state(4, uint64)`` gives.

    Source: the documentation of ``numpy.random.SeedSequence``, after O'Neill's ``seed_seq_fe128``.
    """
    for name, number in (("entropy", entropy), *(("spawn_key", key) for key in spawn_key)):
        if number < 0:
            raise ValueError(f"{name} must not be negative, got {number}")
    words = _words(entropy)
    # Zeros up to the pool's size change nothing without a spawn key, and keep the key out of the pool.
    words += [0] * (POOL - len(words))
    for key in spawn_key:
        words += _words(key)

    hashed = _Hash(0x43B0D7E5, 0x931E8875)
    pool = [hashed(word) for word in words[:POOL]]
    for source in range(POOL):
        for target in range(POOL):
            if target != source:
                pool[target] = _mix(pool[target], hashed(pool[source]))
    for word in words[POOL:]:
        for target in range(POOL):
            pool[target] = _mix(pool[target], hashed(word))

    hashed = _Hash(0x8B51F9DD, 0x58F38DED)
    out = [hashed(word) for word in pool + pool]
    return (
        out[1] << 32 | out[0],
        out[3] << 32 | out[2],
        out[5] << 32 | out[4],
        out[7] << 32 | out[6],
    )


class PCG64:
    """A stream: ``numpy.random.Generator(numpy.random.PCG64())`` as far as the games need it.

    The attributes are those of ``numpy.random.PCG64().state``. ``has_uint32`` tells that ``uinteger`` is the
    unused upper half of an output; once used it stays behind as it was, as in NumPy.

    Source: O'Neill 2014, PCG XSL RR 128/64.
    """

    __slots__ = ("has_uint32", "inc", "state", "uinteger")

    def __init__(self, state: int, inc: int, has_uint32: int = 0, uinteger: int = 0) -> None:
        self.state = state
        self.inc = inc
        self.has_uint32 = has_uint32
        self.uinteger = uinteger

    @classmethod
    def from_seed(cls, seed: int, spawn_key: tuple[int, ...] = ()) -> PCG64:
        """The stream of ``numpy.random.PCG64(numpy.random.SeedSequence(seed, spawn_key=spawn_key))``."""
        words = seed_sequence(seed, spawn_key)
        stream = cls(0, ((words[2] << 64 | words[3]) << 1 | 1) & MASK128)
        stream._step()
        stream.state += words[0] << 64 | words[1]
        stream._step()
        return stream

    def _step(self) -> None:
        self.state = (self.state * MULTIPLIER + self.inc) & MASK128

    def next64(self) -> int:
        """64 random bits: step, then fold the new state and rotate it right by its top 6 bits."""
        self._step()
        folded = (self.state >> 64) ^ (self.state & MASK64)
        turn = self.state >> 122
        return (folded >> turn | folded << (64 - turn)) & MASK64

    def next32(self) -> int:
        """32 random bits: the lower half of an output, and by the next call its upper half."""
        if self.has_uint32:
            self.has_uint32 = 0
            return self.uinteger
        output = self.next64()
        self.has_uint32 = 1
        self.uinteger = output >> 32
        return output & MASK32

    def random(self) -> float:
        """A multiple of 2**-53 in [0, 1)."""
        return (self.next64() >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        """``Generator.uniform(low, high)``; the product is rounded before the sum."""
        return low + ((high - low) * self.random())

    def integers(self, n: int) -> int:
        """``Generator.integers(n)`` for 1 <= n <= 2**32.

        Source: Lemire 2019: x * n >> 32, redrawn while the low word is below 2**32 mod n.
        """
        if not 1 <= n <= 2**32:
            raise ValueError(f"n must lie in 1 … 2**32, got {n}")
        if n == 1:
            return 0
        product = self.next32() * n
        while (product & MASK32) < 2**32 % n:
            product = self.next32() * n
        return product >> 32

    def store(self, stream: memoryview, stride: int, lane: int) -> None:
        """Writes this stream to a lane of a stream array (a flat memoryview of format Q)."""
        stream[STATE_HIGH * stride + lane] = self.state >> 64
        stream[STATE_LOW * stride + lane] = self.state & MASK64
        stream[INC_HIGH * stride + lane] = self.inc >> 64
        stream[INC_LOW * stride + lane] = self.inc & MASK64
        stream[HALF * stride + lane] = self.has_uint32 << 32 | self.uinteger


def load(stream: memoryview, stride: int, lane: int) -> PCG64:
    """Reads the stream of a lane from a stream array (a flat memoryview of format Q)."""
    half = stream[HALF * stride + lane]
    return PCG64(
        stream[STATE_HIGH * stride + lane] << 64 | stream[STATE_LOW * stride + lane],
        stream[INC_HIGH * stride + lane] << 64 | stream[INC_LOW * stride + lane],
        half >> 32,
        half & MASK32,
    )
