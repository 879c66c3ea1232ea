# SPDX-License-Identifier: MIT
"""The checker behind ``compute-layers check``: on this machine, every level gives the bytes of level python.

A *scenario* plays the same steps at any level and keeps every buffer after every step. Level python plays it
once, then each native level, and all bytes are compared; NaNs are made alike first, their sign and payload
differ between CPUs. After each run the canaries around the arrays must be alive. Actions, states and
parameters are drawn from our own PCG64, so that a seed means the same scenarios on every machine.

Names, orders and kinds of params, state, options and tensors need no scenario: an import in which C++ and
Python disagree about them fails (``registry``).
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from . import registry
from .agents import FORMAT_VERSION, Agent, AgentFile, heads, sizes_of, tensor_forms
from .batch import NO_LIMIT, Batch, Snapshot, rows_of
from .learning import LANES, Learning
from .pcg64 import PCG64
from .planners.backup import Rows
from .planning import Sweeper
from .registry import Family, Game, Learner, Level, LevelUnavailable, Planner
from .spec import ActionSpace, Box, Discrete, Space, Tuple, seen_by_policies
from .table import Outcome

DIGESTS = Path(__file__).parent / "digests"
Subject = Game | Family | Planner | Learner  # what has digests
SHORT, FULL = (4, 64), (64, 1000)  # lanes, which are seeded 0, 1, …, and steps of the two digests
DIGEST_KEY = (2,)  # spawn key of the actions of the digests
SHORT_ROWS, FULL_ROWS = 3, 67  # observations of each policy of the two digests of a family
SHORT_SWEEPS, FULL_SWEEPS = 2, 40  # of each table of the two digests of a planner
SHORT_STEPS, FULL_STEPS = 20, 1000  # of each lane and game of the two digests of a learner
PYTHON = Level("python", None)
PRINTED = 3  # mismatches of one row that are printed in full

STREAM = ("state_high", "state_low", "inc_high", "inc_low", "half")
# The arrays of a batch in the order of cpp/lanes.cpp: state, stream, then
BEHIND_STREAM = (
    "elapsed",
    "action",
    "observation",
    "reward",
    "terminated",
    "truncated",
    "info",
    "cache",
    "params",
    "rows",
)
PARKED = ("high", "low", "half", "taken")  # of the stream, before what was drawn ahead

Array = NDArray[Any]


# ---- what a run leaves behind ----


class Trace:
    """Every buffer at every moment of a run.

    Attributes:
        moments: a name for each moment: ``reset``, ``step 3`` …
        buffers: by name, arrays of shape (moments, lanes, …).
        damaged: the name of the array whose surroundings were overwritten, if any.
    """

    def __init__(self) -> None:
        self.moments: list[str] = []
        self.buffers: dict[str, Array] = {}
        self.damaged: str | None = None
        self._parts: dict[str, list[Array]] = {}

    def add(self, moment: str, **buffers: Array) -> None:
        """Append copies of the buffers."""
        self.moments.append(moment)
        for name, buffer in buffers.items():
            self._parts.setdefault(name, []).append(np.array(buffer))

    def finish(self) -> Trace:
        """The trace itself, its buffers stacked and their NaNs alike."""
        self.buffers = {name: canonical(np.stack(parts)) for name, parts in self._parts.items()}
        return self

    def lanes(self, chosen: Sequence[int]) -> Trace:
        """The trace of these lanes only, in this order."""
        part = Trace()
        part.moments = self.moments
        part.buffers = {name: buffer[:, chosen] for name, buffer in self.buffers.items()}
        return part


def canonical(array: Array) -> Array:
    """The array with one bit pattern for all NaNs."""
    if array.dtype.kind != "f":
        return array
    return np.where(np.isnan(array), array.dtype.type(np.nan), array)


def bits(array: Array) -> Array:
    """The array's bit patterns, as unsigned integers of the same size."""
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")


def ulps(a: Any, b: Any) -> int | None:
    """How many floating-point numbers lie between two of one type, plus one; None if one is NaN."""
    if np.isnan(a) or np.isnan(b):
        return None
    sign = 1 << (a.dtype.itemsize * 8 - 1)

    def rank(number: Any) -> int:
        pattern = int(number.view(f"u{number.dtype.itemsize}"))
        return sign - pattern if pattern & sign else pattern

    return abs(rank(a) - rank(b))


def shown(number: Any) -> str:
    """A buffer's entry for people: hexadecimal, decimal, and its bits."""
    if number.dtype.kind != "f":
        return f"{int(number)} (bits {int(number) & (1 << number.dtype.itemsize * 8) - 1:#x})"
    size = number.dtype.itemsize
    pattern = f"{int(number.view(f'u{size}')):0{2 * size}x}"
    return f"{float(number).hex()} ({float(number)!r}, bits {pattern})"


def hexadecimal(numbers: Array) -> str:
    """A few numbers for people, floating-point ones hexadecimal."""
    words = [float(n).hex() if numbers.dtype.kind == "f" else str(int(n)) for n in numbers.ravel()]
    return words[0] if numbers.ndim == 0 else f"[{', '.join(words)}]"


@dataclass(frozen=True)
class Mismatch:
    """The first entry in which two traces differ: of ``buffer`` at ``moment`` in ``lane``, at ``at`` there."""

    moment: str
    lane: int
    buffer: str
    at: tuple[int, ...]
    expected: Any
    found: Any
    before: str

    def lines(self, names: tuple[str, str]) -> list[str]:
        """The mismatch for people, the two sides called ``names``."""
        part = self.buffer
        if part in ("stream", "parked"):
            part += f".{(STREAM if part == 'stream' else PARKED)[self.at[0]]}"
        elif self.at:
            part += f"[{', '.join(map(str, self.at))}]"
        apart = ""
        if self.expected.dtype.kind == "f":
            distance = ulps(self.expected, self.found)
            apart = ", no distance from NaN" if distance is None else f", {distance} ulp apart"
        width = max(map(len, names))
        lines = [
            f"{self.moment}, lane {self.lane}, {part}:",
            f"  {names[0]:<{width}}  {shown(self.expected)}",
            f"  {names[1]:<{width}}  {shown(self.found)}{apart}",
        ]
        return [*lines, f"  lane {self.lane} before: {self.before}"] if self.before else lines


def first_difference(expected: Trace, found: Trace) -> Mismatch | None:
    """Where two traces part first, in time and then in the order of the buffers.

    Raises:
        TypeError: a buffer has another shape or dtype.
    """
    # Once they have parted, one may have reset more lanes, and have more moments, than the other.
    stop = min(len(expected.moments), len(found.moments))
    best: tuple[int, int, Array] | None = None
    names = list(expected.buffers)
    for order, name in enumerate(names):
        a, b = expected.buffers[name][:stop], found.buffers[name][:stop]
        if a.shape != b.shape or a.dtype != b.dtype:
            raise TypeError(f"{name} is {b.dtype} {b.shape}; allowed: {a.dtype} {a.shape}")
        unequal = bits(a) != bits(b)
        if unequal.any():
            where = np.argwhere(unequal)[0]
            if best is None or where[0] < best[0]:
                best = int(where[0]), order, where
    if best is None:
        return None
    moment, order, where = best
    name, lane = names[order], int(where[1])
    before = ", ".join(
        f"{other} {hexadecimal(expected.buffers[other][moment - 1, lane])}"
        for other in names
        if moment and other not in ("stream", "parked", "reward", "terminated", "truncated", "final")
    )
    entry = tuple(int(index) for index in where)
    return Mismatch(
        expected.moments[moment],
        lane,
        name,
        entry[2:],
        expected.buffers[name][entry],
        found.buffers[name][entry],
        before,
    )


@dataclass(frozen=True)
class Scenario:
    """Something that every level must play alike.

    Attributes:
        check: the kind of check, as the report counts them.
        title: what distinguishes it from others of its kind.
        play: plays it at a level.
        against: what it is compared with; None is the same at level python.
    """

    check: str
    title: str
    play: Callable[[Level], Trace]
    against: Callable[[Level], Trace] | None = None


# ---- drawing ----


class _Blocks(PCG64):
    """``PCG64.from_seed(seed, key)``, its outputs taken from NumPy in blocks: the same numbers in a fifth of the time."""

    __slots__ = ("_ahead", "_raw")

    def __init__(self, seed: int, *key: int) -> None:
        self.has_uint32 = self.uinteger = 0
        self._raw = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)).random_raw
        self._ahead: list[int] = []

    def next64(self) -> int:
        if not self._ahead:
            self._ahead = self._raw(256)[::-1].tolist()
        return self._ahead.pop()


class Draw:
    """Random choices of one scenario."""

    def __init__(self, seed: int, *key: int) -> None:
        self._rng = _Blocks(seed, *key)

    def below(self, n: int) -> int:
        return self._rng.integers(n)

    def choice(self, values: Sequence[float]) -> float:
        return values[self.below(len(values))]

    def real(self, low: float = -1.0, high: float = 1.0) -> float:
        return self._rng.uniform(low, high)

    def actions(self, space: ActionSpace, steps: int, n: int) -> Array:
        """Actions of n lanes: int64 (steps, n), or float32 (steps, n, k); some of the latter are out of
        bounds, which is allowed."""
        if isinstance(space, Discrete):
            return np.array([[self.below(space.n) for _ in range(n)] for _ in range(steps)], np.int64)
        bounds = [(max(low, -10.0), min(high, 10.0)) for low, high in zip(space.low, space.high, strict=True)]

        def number(low: float, high: float) -> float:
            kind = self.below(8)
            if kind > 1:
                return self.real(low, high)
            return self.choice((low, high, 2 * low, 2 * high, 0.0, -0.0, 1e-45, -1e-45))

        chosen = [[[number(*b) for b in bounds] for _ in range(n)] for _ in range(steps)]
        return np.array(chosen, np.float32)


def random_actions(space: ActionSpace, seeds: Sequence[int], key: tuple[int, ...], steps: int) -> Array:
    """Actions of a random policy: int64 (steps, seeds), or float32 (steps, seeds, k). Those of a seed are a stream of
    their own, ``SeedSequence(seed, spawn_key=key)``."""
    streams = [
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))) for seed in seeds
    ]
    if isinstance(space, Discrete):
        return np.stack([rng.integers(space.n, size=steps) for rng in streams], axis=1)
    low, high = np.clip(space.low, -10.0, None), np.clip(space.high, None, 10.0)
    chosen = [rng.uniform(low, high, (steps, space.size)) for rng in streams]
    return np.stack(chosen, axis=1).astype(np.float32)


def neighbours(x: float) -> list[float]:
    """x and the doubles beside it, and their negatives."""
    found = [math.nextafter(x, -math.inf), x, math.nextafter(x, math.inf)]
    return [*found, *(-number for number in found)]


def distinct(numbers: Iterator[float]) -> list[float]:
    """Each finite number once; 0 and -0 are two."""
    return list({number.hex(): number for number in numbers if math.isfinite(number)}.values())


# ---- games ----


class GameScenarios:
    """The scenarios of a game."""

    def __init__(self, game: Game, seed: int) -> None:
        self._game = game
        self._spec = game.spec
        self._seed = seed
        self._floats = [name for name, kind in game.spec.state.items() if kind is float]
        self._integers = game.default.bounds

    def __iter__(self) -> Iterator[Scenario]:
        yield from self._trajectories()
        yield from self._extremes()
        yield from self._in_play()
        yield from self._params()

    def alone(self) -> Iterator[Scenario]:
        """The independence of lanes, which each level proves for itself."""
        yield from self._lanes_alone()
        yield from self._lanes_moved()

    def _defaults(self) -> dict[str, float | str]:
        return self._spec.params(**self._game.entry.kwargs)

    def _batch(
        self,
        level: Level,
        n: int,
        mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        limit: int | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Batch:
        return Batch(self._game, n, level.name, level.isa, limit, mode, True, arguments or {})

    def _start(self, batch: Batch, lanes: Sequence[int] | None = None) -> None:
        """Reset the batch, seeded as these lanes of a larger one would be."""
        seeds = [self._seed + lane for lane in lanes or range(batch.num_envs)]
        batch.start(np.arange(batch.num_envs), seeds, batch.parse_options(None))

    def _drawn(self, draw: Draw, place: Mapping[str, float]) -> dict[str, float]:
        """The place, its integers drawn within their bounds."""
        drawn = {name: low + draw.below(high - low + 1) for name, (low, high) in self._integers.items()}
        return {**drawn, **place}

    def _other_options(self) -> list[float]:
        """Options of reset that are not the defaults, where the game takes them."""
        defaults = dict(self._spec.options)
        doubled = {name: 2 * value for name, value in defaults.items()}
        try:
            self._spec.check_options(doubled)
        except ValueError:
            return list(defaults.values())
        return list(doubled.values())

    # ---- recording ----

    def _record(self, trace: Trace, batch: Batch, moment: str, outcome: Any = None) -> None:
        n = batch.num_envs
        seen = batch.observations()
        final = np.zeros_like(rows_of(seen))
        said = np.zeros((n, len(self._spec.info)))
        if outcome is None:
            reward, terminated, truncated = np.zeros(n), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        else:
            said = batch.info.T
            seen, reward, terminated, truncated, info = outcome
            if info:
                final[info["_final_obs"]] = info["final_obs"]
        trace.add(
            moment,
            **batch._views(),
            elapsed=batch.elapsed,
            observation=rows_of(seen),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final=final,
            info=said,
            stream=batch.stream.T,
            parked=batch.parked.T,
        )

    def _finish(self, trace: Trace, batch: Batch) -> Trace:
        array = batch.damaged()
        if array >= 0:
            names = [*self._spec.state, *(f"stream.{name}" for name in STREAM)]
            trace.damaged = [*names, *BEHIND_STREAM][array]
        return trace.finish()

    def _steps(self, trace: Trace, batch: Batch, actions: Array, first: int = 1) -> None:
        for step, row in enumerate(actions, start=first):
            self._record(trace, batch, f"step {step}", batch.step(row))
            ended = np.flatnonzero(batch.elapsed < 0)
            if batch.autoreset_mode is AutoresetMode.DISABLED and len(ended):
                batch.start(ended, [None] * len(ended), batch.parse_options(None))
                self._record(trace, batch, f"reset after step {step}")

    # ---- (b) trajectories ----

    def _trajectories(self) -> Iterator[Scenario]:
        shapes = [(1, 60, None), (2, 60, 11), (3, 40, 7), (5, 40, 13), (8, 40, None), (13, 40, 9)]
        yield self._trajectory(0, AutoresetMode.NEXT_STEP, 64, 400, self._game.entry.max_episode_steps)
        key = 0
        for mode in AutoresetMode:
            for n, steps, limit in [*shapes, (63, 24, 10), (64, 24, 17), (259, 12, 5)]:
                key += 1
                yield self._trajectory(key, mode, n, steps, limit)

    def _trajectory(self, key: int, mode: AutoresetMode, n: int, steps: int, limit: int | None) -> Scenario:
        actions = Draw(self._seed, 1, key).actions(self._game.action, steps, n)
        some = np.arange(0, n, 3)

        def play(level: Level) -> Trace:
            batch = self._batch(level, n, mode, limit)
            trace = Trace()
            self._start(batch)
            self._record(trace, batch, "reset")
            self._steps(trace, batch, actions[: steps // 2])
            # An explicit reset in between gives back what was drawn ahead for those lanes.
            batch.start(some, [None] * len(some), self._other_options())
            self._record(trace, batch, "reset of every third lane")
            self._steps(trace, batch, actions[steps // 2 :], steps // 2 + 1)
            return self._finish(trace, batch)

        return Scenario("trajectories", f"{mode.value}, {n} lanes, limit {limit}", play)

    # ---- (c) extreme states ----

    def _numbers(self) -> list[float]:
        """Where something may change: zeros, denormals, params and bounds with their neighbours, angles up
        to and beyond the end of accuracy, and what overflows."""
        params = [value for value in self._defaults().values() if isinstance(value, float)]
        space = self._game.observation
        bounds = [*space.low, *space.high] if isinstance(space, Box) else []
        marks = [0.0, 2.0**-1074, 1e-310, 2.0**-1022, 2.0**-27, 1.0, *params, *bounds]
        marks += [math.pi * turn / 4 for turn in (1, 2, 3, 4, 6, 8)]
        marks += [1e5, 2.0**20, 1e10, 2.0**52, 1e150, 1e300, 1.7976931348623157e308]
        return distinct(number for mark in marks if math.isfinite(mark) for number in neighbours(mark))

    def _extremes(self) -> Iterator[Scenario]:
        numbers = self._numbers()
        zeros = dict.fromkeys(self._floats, 0.0)
        places = [{name: number} for name in self._floats for number in numbers]
        places += [{**zeros, **place} for place in places]
        places += [dict.fromkeys(self._floats, number) for number in numbers]
        integers = Draw(self._seed, 11)
        places = [self._drawn(integers, place) for place in places]
        choices = self._game.action.n if isinstance(self._game.action, Discrete) else 2
        for choice in range(choices):
            actions = Draw(self._seed, 2, choice).actions(self._game.action, 3, len(places))
            if isinstance(self._game.action, Discrete):
                actions[0] = choice
            # Only in this mode does the state that ended an episode remain to be seen.
            mode = AutoresetMode.DISABLED
            yield self._extreme(f"one number of the state, action {choice}", places, actions, None, mode)
        draw = Draw(self._seed, 3)
        mixed = [self._drawn(draw, {name: draw.choice(numbers) for name in self._floats}) for _ in range(251)]
        for mode, limit in zip(AutoresetMode, (None, 1, 500), strict=True):
            actions = draw.actions(self._game.action, 4, len(mixed))
            yield self._extreme(f"all numbers of the state, {mode.value}", mixed, actions, limit, mode)

    def _extreme(
        self,
        title: str,
        places: Sequence[Mapping[str, float]],
        actions: Array,
        limit: int | None,
        mode: AutoresetMode,
    ) -> Scenario:
        most = NO_LIMIT if limit is None else limit
        times = [0, 1, max(most - 2, 0), most - 1]
        # A lane whose episode has ended must be reset first in the other modes.
        times += [-1] if mode is AutoresetMode.NEXT_STEP else []

        def play(level: Level) -> Trace:
            batch = self._batch(level, len(places), mode, limit)
            self._start(batch)
            snapshot = self._with(batch.snapshot(), places)
            snapshot["elapsed"][:] = [times[lane % len(times)] for lane in range(len(places))]
            batch.restore(snapshot)
            trace = Trace()
            self._record(trace, batch, "set_state")
            self._steps(trace, batch, actions)
            return self._finish(trace, batch)

        return Scenario("extremes", f"{title}, limit {limit}", play)

    def _with(self, snapshot: Snapshot, places: Sequence[Mapping[str, float]]) -> Snapshot:
        for lane, place in enumerate(places):
            for name, number in place.items():
                snapshot["state"][name][lane] = number
        return snapshot

    # ---- the kernel for states in play ----

    def _in_play(self) -> Iterator[Scenario]:
        """Lanes on the bounds of the game, handed to the kernel that may rely on them: set_state would choose
        the general one. What a step leaves alive is within the bounds by definition."""
        moderate = [number for number in self._numbers() if number == 0.0 or 2.0**-20 <= abs(number) <= 16.0]
        draw = Draw(self._seed, 4)
        zeros = dict.fromkeys(self._floats, 0.0)
        places = [{**zeros, name: number} for name in self._floats for number in moderate]
        places += [{name: number} for name in self._floats for number in moderate]
        places += [{name: draw.choice(moderate) for name in self._floats} for _ in range(100)]
        integers = Draw(self._seed, 12)
        places = [self._drawn(integers, place) for place in places]

        first = draw.actions(self._game.action, 1, len(places))[0]
        actions = draw.actions(self._game.action, 6, len(places))

        @cache
        def reached() -> tuple[dict[str, Array], Array]:
            batch = self._batch(PYTHON, len(places), AutoresetMode.DISABLED)
            self._start(batch)
            batch.restore(self._with(batch.snapshot(), places))
            batch.step(first)
            state = {name: view.copy() for name, view in batch._views().items()}
            finite = np.all([np.isfinite(state[name]) for name in self._floats], axis=0)
            return state, np.flatnonzero((batch.elapsed >= 0) & finite)

        def play(level: Level) -> Trace:
            state, alive = reached()
            batch = self._batch(level, len(alive), AutoresetMode.DISABLED, self._game.entry.max_episode_steps)
            self._start(batch)
            for name, view in batch._views().items():
                view[:] = state[name][alive]
            batch.moved()
            trace = Trace()
            self._record(trace, batch, "start")
            self._steps(trace, batch, actions[:, alive])
            return self._finish(trace, batch)

        yield Scenario("in play", "states on and within the bounds", play)

    # ---- (d) independence of lanes ----

    def _lanes_alone(self) -> Iterator[Scenario]:
        n, steps = 13, 30
        actions = Draw(self._seed, 5).actions(self._game.action, steps, n)

        def together(level: Level, lanes: Sequence[int]) -> Trace:
            batch = self._batch(level, len(lanes), limit=11)
            self._start(batch, lanes)
            trace = Trace()
            self._record(trace, batch, "reset")
            self._steps(trace, batch, actions[:, lanes])
            return self._finish(trace, batch)

        for lane in (0, 5, n - 1):
            yield Scenario(
                "lanes",
                f"lane {lane} alone and among {n}",
                lambda level, lane=lane: together(level, [lane]),  # type: ignore[misc]
                lambda level, lane=lane: together(level, range(n)).lanes([lane]),  # type: ignore[misc]
            )

    def _lanes_moved(self) -> Iterator[Scenario]:
        draw = Draw(self._seed, 6)
        numbers = self._numbers()
        n = 131
        # Every other lane stays as it was reset: its neighbours must not matter.
        places = [
            self._drawn(draw, {name: draw.choice(numbers) for name in self._floats}) if lane % 2 else {}
            for lane in range(n)
        ]
        actions = draw.actions(self._game.action, 5, n)
        order = list(reversed(range(n)))[3:]

        def moved(level: Level, lanes: Sequence[int]) -> Trace:
            batch = self._batch(level, len(lanes), AutoresetMode.DISABLED, limit=3)
            self._start(batch, lanes)
            batch.restore(self._with(batch.snapshot(), [places[lane] for lane in lanes]))
            trace = Trace()
            self._record(trace, batch, "set_state")
            self._steps(trace, batch, actions[:, lanes])
            return self._finish(trace, batch)

        yield Scenario(
            "lanes",
            f"{len(order)} of {n} lanes in reverse order",
            lambda level: moved(level, order),
            lambda level: moved(level, range(n)).lanes(order),
        )

    # ---- (e) other params ----

    def _params(self) -> Iterator[Scenario]:
        defaults = self._defaults()
        for name, value in defaults.items():
            if isinstance(value, str):
                for other in self._spec.choices[name]:
                    yield self._changed(f"{name}={other!r}", {name: other}, {})
                continue
            factors = (0.0, 1.5, -1.0, 2.0**-30, 2.0**30, 1e300)
            for number in distinct(value * factor for factor in factors) if value else (1.0, -1.0):
                yield self._changed(f"{name}={number!r}", {name: number}, {})
        # Two at once: a choice with numbers that no kernel has built in.
        floats = {name: value * 1.25 for name, value in defaults.items() if isinstance(value, float)}
        for name, choices in self._spec.choices.items():
            for other in choices:
                yield self._changed(f"{name}={other!r}, all others times 1.25", {**floats, name: other}, {})
        for name, parameter in inspect.signature(self._spec.params).parameters.items():
            if type(parameter.default) is bool:
                yield self._changed(f"argument {name}", {}, {name: not parameter.default})
            elif type(parameter.default) is float:
                yield self._changed(f"argument {name}", {}, {name: 1.5 * parameter.default + 0.25})
            elif name in self._spec.choices:
                for other in self._spec.choices[name]:
                    yield self._changed(f"argument {name}={other!r}", {}, {name: other})

    def _changed(self, title: str, params: Mapping[str, Any], arguments: Mapping[str, Any]) -> Scenario:
        n, steps = 13, 9
        actions = Draw(self._seed, 7).actions(self._game.action, 3 * steps, n)

        def play(level: Level) -> Trace:
            batch = self._batch(level, n, AutoresetMode.DISABLED, 12, arguments)
            trace = Trace()
            self._start(batch)
            self._record(trace, batch, "reset")
            self._steps(trace, batch, actions[:steps])
            for name, value in params.items():
                batch.set_param(name, value)
            self._steps(trace, batch, actions[steps : 2 * steps], steps + 1)
            self._start(batch)
            self._record(trace, batch, "second reset")
            self._steps(trace, batch, actions[2 * steps :], 2 * steps + 1)
            return self._finish(trace, batch)

        return Scenario("params", title, play)


# ---- (g) digests ----


def digest(game: Game, level: Level, lanes: int, steps: int) -> str:
    """SHA-256 over the buffers of a fixed run: lane i seeded i, the id's time limit, autoresets in NEXT_STEP.

    State, elapsed time, stream, observation, reward, flags and infos, little-endian, after the reset and after
    every step; one bit pattern for all NaNs.
    """
    limit = game.entry.max_episode_steps
    batch = Batch(game, lanes, level.name, level.isa, limit, AutoresetMode.NEXT_STEP, True, {})
    batch.start(np.arange(lanes), list(range(lanes)), batch.parse_options(None))
    total = hashlib.sha256()

    def add(*arrays: Array) -> None:
        for array in arrays:
            number = array.dtype.newbyteorder("<")
            total.update(np.ascontiguousarray(canonical(array), dtype=number).tobytes())

    add(*batch._views().values(), batch.elapsed, batch.stream, rows_of(batch.observations()))
    for row in random_actions(game.action, range(lanes), DIGEST_KEY, steps):
        outcome = batch.step(row)
        seen = rows_of(outcome[0]), *outcome[1:4], *batch.info
        add(*batch._views().values(), batch.elapsed, batch.stream, *seen)
    return total.hexdigest()


def stored_digests(stem: str) -> dict[str, dict[str, Any]]:
    """The digests of a stem by id, or of anything else by its stem: ``version``, ``short``, ``full``. Empty if there are none."""
    path = DIGESTS / f"{stem}.json"
    if not path.exists():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def store_digests(subject: Subject, short: str, full: str) -> str:
    """Write the digests of a subject; the version counts how often they changed. Returns what was
    done."""
    stored = stored_digests(subject.stem)
    old = stored.get(subject.name)
    if old is not None and (old["short"], old["full"]) == (short, full):
        return f"{subject.name}: the digests are as they were, version {old['version']}"
    version = 1 if old is None else old["version"] + 1
    stored[subject.name] = {"version": version, "short": short, "full": full}
    DIGESTS.mkdir(exist_ok=True)
    text = json.dumps(stored, indent=2, sort_keys=True) + "\n"
    (DIGESTS / f"{subject.stem}.json").write_text(text, encoding="utf-8")
    return f"{subject.name}: wrote digests, version {version}"


# ---- policies ----

BATCH_SIZES = (1, 2, 3, 5, 8, 13, 64, 131)
# Pairs of observation and action sizes that reach every section of a kernel: below, at and above a vector,
# and rows long enough for partial sums. The digests of the families hang on these tables.
SIZES = ((1, 2), (3, 3), (4, 2), (4, 5), (7, 4), (8, 1), (9, 9), (31, 3), (32, 8), (33, 9), (40, 3))
STATES = ((1, 1), (16, 4), (500, 6), (70, 2))  # and of Discrete observations, with action sizes
FLOATS = (0.0, 1e-45, 1e-40, 1.17549435e-38, 2.0**-24, 1.0, 1 + 2.0**-23, 1e5, 2.0**64, 3.4028235e38)


def spaces_of(games: Sequence[Game], synthetic: bool) -> list[Game]:
    """Games with distinct pairs of spaces, of which `synthetic` ones are made up."""
    made_up = made_up_spaces(games[0]) if synthetic else []
    pairs: dict[tuple[Space, Space], Game] = {}
    for game in [*games, *made_up]:
        pairs.setdefault((game.observation, game.action), game)
    return list(pairs.values())


def made_up_spaces(game: Game) -> list[Game]:
    """The game with each pair of the made-up spaces in place of its own."""
    observations: list[tuple[Space, int]] = [
        (Box((-math.inf,) * inputs, (math.inf,) * inputs), outputs) for inputs, outputs in SIZES
    ]
    observations += [(Discrete(states), outputs) for states, outputs in STATES]
    found = []
    for observation, outputs in observations:
        low, high = tuple(-1.5 - k for k in range(outputs)), tuple(0.3 + k for k in range(outputs))
        found += [with_spaces(game, observation, action) for action in (Box(low, high), Discrete(outputs))]
    return found


def with_spaces(game: Game, observation: Space, action: ActionSpace) -> Game:
    """The game with these spaces in place of its own, and named after them: nobody can play it."""
    names = [f"Discrete({space.n})" if isinstance(space, Discrete) else f"Box({space.size})"
             for space in (observation, action)]  # fmt: skip
    return replace(
        game,
        id=" to ".join(names),
        spec=replace(
            game.spec,
            table=None,
            ids={" to ".join(names): game.entry},
            observation=observation,
            action=action,
        ),
    )


FREE_SIZES = (1, 2, 3, 5, 8, 9, 16, 31, 33, 70)  # of what a file may choose, such as the width of a layer
LAYERS = (1, 2, 3, 4)


def tensors_of(family: Family, head: str, game: Game, draw: Draw, kind: str) -> dict[str, Array]:
    """Random parameters: ``ordinary`` numbers, ``wild`` ones, or small integers, many of them ``tied``."""
    spec, action = family.spec, game.action
    if spec.example is not None:
        return spec.example(sizes_of(game, head), head, draw, kind)

    def number() -> float:
        if kind == "tied":
            return float(draw.below(3) - 1)
        if kind == "wild" and draw.below(2):
            return draw.choice(FLOATS) * (1.0 - 2.0 * draw.below(2))
        return draw.real()

    chosen: dict[str, tuple[int, ...]] = {}
    for layer in range(LAYERS[draw.below(len(LAYERS))] if spec.layered else 1):
        size = FREE_SIZES[draw.below(len(FREE_SIZES))]
        for name, (_, shape) in spec.forms(head).items():
            chosen[f"{name}{layer}" if spec.layered else name] = (size,) * len(shape)
    tensors = {}
    for name, (dtype, shape) in tensor_forms(game, family, head, chosen).items():
        if name in spec.tensors and spec.tensors[name][0] == "action":
            actions = draw.actions(action, math.prod(shape) // action.size, 1)
            if isinstance(action, Box):
                actions = np.clip(actions, np.array(action.low, "f4"), np.array(action.high, "f4"))
            tensors[name] = actions.reshape(shape)
        else:
            tensors[name] = np.array([number() for _ in range(math.prod(shape))], dtype).reshape(shape)
    return tensors


def largest_tensors(family: Family, head: str, game: Game, most: int) -> dict[str, Array]:
    """Of a few random policies the largest that has at most ``most`` numbers, else the smallest."""

    def size(tensors: Mapping[str, Array]) -> int:
        return sum(tensor.size for tensor in tensors.values())

    drawn = [tensors_of(family, head, game, Draw(0, 10, key), "ordinary") for key in range(40)]
    fitting = [tensors for tensors in drawn if size(tensors) <= most]
    return max(fitting, key=size) if fitting else min(drawn, key=size)


def observations_of(space: Space, draw: Draw, n: int) -> Array:
    """Observations as rows, among them zeros of both signs, denormals, infinities and NaNs."""
    if isinstance(space, Discrete):
        return np.array([draw.below(space.n) for _ in range(n)], np.int64)
    if isinstance(space, Tuple):
        return np.array([[draw.below(part.n) for part in space.spaces] for _ in range(n)], np.int64)
    bounds = [bound for bound in (*space.low, *space.high) if math.isfinite(bound)]
    special = [*FLOATS, *bounds, math.inf, math.nan]

    def number(row: int) -> float:
        # Two thirds of the rows are ordinary: one NaN decides for all numbers of a row.
        if row % 3 == 2 and draw.below(3) == 0:
            return draw.choice(special) * (1.0 - 2.0 * draw.below(2))
        return draw.real() * 2.0 ** (draw.below(9) - 4)

    rows = [[number(row) for _ in space.low] for row in range(n)]
    return np.array(rows, np.float64).astype(np.float32)


@dataclass(frozen=True)
class MadeUp:
    """A policy with random parameters: the family over a game's spaces, with a head and choices."""

    family: Family
    game: Game
    head: str
    choices: Mapping[str, str]
    kind: str

    def __str__(self) -> str:
        names = [self.game.id, f"head {self.head}", *self.choices.values(), f"{self.kind} parameters"]
        return ", ".join(names)

    def file(self, draw: Draw) -> AgentFile:
        return file_of(
            self.family,
            self.game,
            self.head,
            self.choices,
            tensors_of(self.family, self.head, self.game, draw, self.kind),
        )


def made_up_policies(family: Family, games: Sequence[Game]) -> Iterator[MadeUp]:
    """Each head that the family may have over the spaces of these games, with all choices and all kinds of
    parameters."""
    spec = family.spec
    choices = [dict(zip(spec.choices, names, strict=True)) for names in product(*spec.choices.values())]
    kinds = ("ordinary", "wild", "tied") if spec.tensors else ("ordinary",)
    for game in games:
        if _serves(family, game):
            for head, chosen, kind in product(heads(family, game.action), choices, kinds):
                yield MadeUp(family, game, head, chosen, kind)


def file_of(
    family: Family, game: Game, head: str, choices: Mapping[str, str], tensors: Mapping[str, Array]
) -> AgentFile:
    """A policy that no file has."""
    about = {"family": family.stem, "layer": "algorithm", "head": head, "version": FORMAT_VERSION}
    return AgentFile("made up", game, {**about, **choices}, tensors)


class PolicyScenarios:
    """The scenarios of a policy family."""

    def __init__(self, family: Family, games: Sequence[Game], seed: int) -> None:
        self._family = family
        self._games = games
        self._seed = seed

    def __iter__(self) -> Iterator[Scenario]:
        for key, made_up in enumerate(made_up_policies(self._family, self._games), start=1):
            yield self._actions(made_up, key)

    def _actions(self, made_up: MadeUp, key: int) -> Scenario:
        draw = Draw(self._seed, 8, key)
        file, space = made_up.file(draw), made_up.game.observation
        first = key % len(BATCH_SIZES)
        sizes = [BATCH_SIZES[first], BATCH_SIZES[first - 1], 17]
        batches = [observations_of(space, draw, n) for n in sizes]
        single = observations_of(space, draw, 5)

        def play(level: Level) -> Trace:
            trace = Trace()
            agent = Agent(file, level.name, level.isa, self._seed)
            rows = [agent(observations) for observations in batches]
            rows.append(np.stack([agent(observation) for observation in single]))
            action, seen = np.concatenate(rows), np.concatenate([*batches, single])
            # `before` of a mismatch shows the moment before: the observation that was acted upon.
            trace.add("observation", observation=seen, action=np.zeros_like(action))
            trace.add(f"action (batches of {sizes}, then one by one)", observation=seen, action=action)
            return trace.finish()

        return Scenario("actions", str(made_up), play)


@cache
def digest_policies(family: Family) -> list[tuple[AgentFile, Array]]:
    """The policies of a family's digests, over all made-up spaces that it serves, and what they are shown."""
    found = []
    spaces = made_up_spaces(registry.game(registry.games()[0]))
    for key, made_up in enumerate(made_up_policies(family, spaces)):
        draw = Draw(0, 9, key)
        file = made_up.file(draw)
        found.append((file, observations_of(made_up.game.observation, draw, FULL_ROWS)))
    return found


def policy_digest(family: Family, level: Level, rows: int) -> str:
    """SHA-256 over the actions of fixed policies on their first `rows` observations, together and then one by
    one: little-endian, one bit pattern for all NaNs."""
    total = hashlib.sha256()
    for file, observations in digest_policies(family):
        agent = Agent(file, level.name, level.isa, 0)
        seen = observations[:rows]
        for action in (agent(seen), np.stack([agent(observation) for observation in seen])):
            total.update(np.ascontiguousarray(canonical(action), action.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


# ---- planners ----

# States, actions and most outcomes of an action: below, at and above a group of lanes, rows of one length and of
# several. The digests of planners hang on these tables.
TABLES = ((1, 1, 1), (7, 2, 3), (8, 4, 1), (9, 3, 2), (17, 1, 5), (40, 6, 3))


def made_up_rows(states: int, actions: int, most: int, draw: Draw) -> Rows:
    """The outcomes of a table made up: some of them equal, huge or denormal, for a sweep asks no table to be fair."""

    def number() -> float:
        kind = draw.below(8)
        if kind > 2:
            return draw.real()
        return float(draw.below(3) - 1) if kind else draw.choice((0.0, -0.0, 5e-324, -1e-310, 1e150, -1e150))

    def outcome() -> Outcome:
        return Outcome(draw.real(0.0), draw.below(states), number(), draw.below(4) == 0)

    return [[[outcome() for _ in range(1 + draw.below(most))] for _ in range(actions)] for _ in range(states)]


def planner_scenarios(planner: Planner, seed: int) -> Iterator[Scenario]:
    """Sweeps over tables made up, from values made up."""
    for key, (table, gamma) in enumerate(product(TABLES, (0.0, 1 / 3, 1.0))):
        draw = Draw(seed, 12, key)
        rows = made_up_rows(*table, draw)
        values = np.array([4.0 * draw.real() for _ in rows])
        yield _sweeps(planner, "{} states, {} actions, up to {} outcomes".format(*table), rows, gamma, values)


def _sweeps(planner: Planner, title: str, rows: Rows, gamma: float, values: Array) -> Scenario:
    def play(level: Level) -> Trace:
        trace = Trace()
        for most in (1, 2, 9):
            found, best, change = Sweeper(level.name, level.isa, planner.stem).run(
                rows, gamma, values, 0.0, most
            )
            trace.add(f"{most} sweeps", values=found, best=best, change=np.full(len(rows), change))
        return trace.finish()

    return Scenario("sweeps", f"{title}, gamma {gamma}", play)


def planner_digest(planner: Planner, level: Level, sweeps: int) -> str:
    """SHA-256 over the values, the actions that they are of, and the change after so many sweeps, little-endian."""
    total = hashlib.sha256()
    for key, table in enumerate(TABLES):
        draw = Draw(0, 13, key)
        rows = made_up_rows(*table, draw)
        found, best, change = Sweeper(level.name, level.isa, planner.stem).run(
            rows, 0.9, np.zeros(len(rows)), 0.0, sweeps
        )
        for array in (found, best, np.array([change])):
            total.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


# ---- learners ----

# Rules of every kind, numbered by the game or by us. The digests of learners hang on these games.
LEARNT = ("FrozenLake-v1", "CliffWalkingSlippery-v1", "Taxi-v4", "Blackjack-v1")


def learner_scenarios(learner: Learner, seed: int) -> Iterator[Scenario]:
    """Tables that are learned, with a seed and rates made up."""
    for key, (id, _) in enumerate(product(LEARNT, range(3))):
        draw = Draw(seed, 14, key)
        rates = {name: draw.real(0.0) for name in ("alpha", "gamma", "epsilon")}
        yield _learning(learner, id, draw.below(2**32), rates)


def _learning(learner: Learner, id: str, seed: int, rates: Mapping[str, float]) -> Scenario:
    def play(level: Level) -> Trace:
        trace = Trace()
        learning = _begin(learner, id, level, 100, seed, rates)
        for steps in (1, 19, 80):
            learning.run(steps)
            trace.add(f"step {learning.done}", values=learning.table())
        return trace.finish()

    said = ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items())
    return Scenario("learning", f"{id}, seed {seed}, {said}", play)


def _begin(
    learner: Learner, id: str, level: Level, rounds: int, seed: int, rates: Mapping[str, float]
) -> Learning:
    method = learner.stem.replace("_", "-")
    return Learning(id, method, seed=seed, steps=rounds * LANES, level=level.name, isa=level.isa, **rates)


def learner_digest(learner: Learner, level: Level, rounds: int) -> str:
    """SHA-256 over the tables after so many steps of each lane, little-endian."""
    total = hashlib.sha256()
    for id in LEARNT:
        learning = _begin(learner, id, level, rounds, 0, {})
        learning.run(rounds)
        total.update(learning.table().astype("<f8").tobytes())
    return total.hexdigest()


# ---- the report ----


@dataclass
class Result:
    """What was found about one subject at one level.

    Attributes:
        subject: a game's id, or the stem of a policy family, planner or learner.
        level: the level.
        checks: scenarios by kind of check.
        failures: a text for each scenario that failed.
        reason: why nothing was checked; empty if it was.
        seconds: how long it took.
    """

    subject: str
    level: Level
    checks: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    reason: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.failures

    @property
    def outcome(self) -> str:
        if self.failures:
            return "FAILED"
        return "unavailable" if self.reason else "ok"


@dataclass
class Report:
    """All results; ``ok`` unless a check failed. What this machine cannot serve is no failure."""

    results: list[Result] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.results)


class _Run:
    """One call of :func:`check`."""

    def __init__(self, seed: int, update: bool, console: Console, progress: Progress) -> None:
        self._seed = seed
        self._update = update
        self._console = console
        self._progress = progress
        self.report = Report()

    def game(self, game: Game, levels: Sequence[Level]) -> None:
        """Check a game at these levels, level python first if it is among them."""
        results = [Result(game.id, level) for level in levels]
        native = [result for result in results if result.level.isa is not None]
        scenarios = GameScenarios(game, self._seed)
        for result in results:
            result.checks["spec"] = 1
        if native:
            self._against_python(game.id, list(scenarios), native, game.id)
        for scenario in scenarios.alone():
            for result in results:
                self._compare(scenario, result, game.id)

        def found(level: Level, short: bool) -> str:
            return digest(game, level, *(SHORT if short else FULL))

        self._finish(game, results, found)

    def policy(self, family: Family, games: Sequence[Game], levels: Sequence[Level], whole: bool) -> None:
        """Check a policy family at these levels: over the spaces of these games, or the `whole` of it, with
        made-up spaces too and the digests."""
        results = [Result(family.stem, level) for level in levels]
        native = [result for result in results if result.level.isa is not None]
        scenarios = list(PolicyScenarios(family, spaces_of(games, whole), self._seed))
        if scenarios:
            self._against_python(family.stem, scenarios, native, None if whole else games[0].id)
        if whole:
            self._finish(
                family,
                results,
                lambda level, short: policy_digest(family, level, SHORT_ROWS if short else FULL_ROWS),
            )
        elif scenarios:
            for result in native:
                self._print(result)

    def planner(self, planner: Planner, levels: Sequence[Level]) -> None:
        """Check a planner at these levels."""
        results = [Result(planner.stem, level) for level in levels]
        native = [result for result in results if result.level.isa is not None]
        self._against_python(planner.stem, list(planner_scenarios(planner, self._seed)), native, None)
        self._finish(
            planner,
            results,
            lambda level, short: planner_digest(planner, level, SHORT_SWEEPS if short else FULL_SWEEPS),
        )

    def learner(self, learner: Learner, levels: Sequence[Level]) -> None:
        """Check a learner at these levels."""
        results = [Result(learner.stem, level) for level in levels]
        native = [result for result in results if result.level.isa is not None]
        self._against_python(learner.stem, list(learner_scenarios(learner, self._seed)), native, None)
        self._finish(
            learner,
            results,
            lambda level, short: learner_digest(learner, level, SHORT_STEPS if short else FULL_STEPS),
        )

    def unavailable(self, subject: str, level: Level, reason: str) -> None:
        """Report what cannot be checked here."""
        self._print(Result(subject, level, reason=reason))

    def _against_python(
        self, subject: str, scenarios: Sequence[Scenario], results: Sequence[Result], replay: str | None
    ) -> None:
        task = self._progress.add_task(subject, total=len(scenarios))
        for scenario in scenarios:
            try:
                expected = scenario.play(PYTHON)
            except Exception as problem:  # noqa: BLE001 - a check reports, whatever broke
                for result in results:
                    result.checks[scenario.check] += 1
                    self._fail(result, scenario, [f"level python raised {_described(problem)}"], replay)
            else:
                for result in results:
                    self._compare(scenario, result, replay, expected)
            self._progress.advance(task)
        self._progress.remove_task(task)

    def _compare(
        self, scenario: Scenario, result: Result, replay: str | None, expected: Trace | None = None
    ) -> None:
        """Play the scenario and compare it with ``expected``, or with its own other half."""
        start = time.perf_counter()
        result.checks[scenario.check] += 1
        names = ("python" if expected else "expected", str(result.level))
        try:
            if expected is None:
                assert scenario.against is not None
                expected = scenario.against(result.level)
            found = scenario.play(result.level)
            difference = first_difference(expected, found)
        except Exception as problem:  # noqa: BLE001 - a check reports, whatever broke
            self._fail(result, scenario, [f"raised {_described(problem)}"], replay)
        else:
            if found.damaged is not None:
                self._fail(result, scenario, [f"wrote outside of the array {found.damaged}"], replay)
            if difference is not None:
                self._fail(result, scenario, difference.lines(names), replay)
        result.seconds += time.perf_counter() - start

    def _finish(
        self, subject: Subject, results: Sequence[Result], found: Callable[[Level, bool], str]
    ) -> None:
        """Compare or write the digests, after everything else, and print the results."""
        wanted = self._digests(subject, results, found)
        for result in results:
            self._print(result)
        if self._update and all(result.ok for result in results):
            self._say(store_digests(subject, wanted["short"], wanted["full"]))
        elif self._update:
            self._say(f"{subject.name}: no digests were written: a check failed")

    def _digests(
        self, subject: Subject, results: Sequence[Result], found: Callable[[Level, bool], str]
    ) -> dict[str, Any]:
        """Compare the digests with the stored ones, or, to write new ones, with those of level python.
        Returns what they were compared with. ``found`` makes the short or the full one."""
        if self._update:
            wanted = {"short": found(PYTHON, True), "full": found(PYTHON, False)}
            stored = "level python has"
        else:
            wanted = stored_digests(subject.stem).get(subject.name, {})
            stored = f"version {wanted.get('version')} is"
        for result in results:
            start = time.perf_counter()
            result.checks["digests"] = 1 if result.level.isa is None else 2
            for name in ("short", "full")[: result.checks["digests"]]:
                if not wanted:
                    result.failures.append(
                        f"digests: none are stored in {DIGESTS}: compute-layers check --update"
                    )
                    break
                try:
                    now = found(result.level, name == "short")
                except Exception as problem:  # noqa: BLE001 - a check reports, whatever broke
                    result.failures.append(f"digests: raised {_described(problem)}")
                    continue
                if now != wanted[name]:
                    result.failures.append(f"digests: the {name} one is {now}, {stored} {wanted[name]}")
            result.seconds += time.perf_counter() - start
        return wanted

    def _fail(self, result: Result, scenario: Scenario, lines: Sequence[str], replay: str | None) -> None:
        level = result.level.name if result.level.isa is None else f"{result.level.name}:{result.level.isa}"
        command = ["compute-layers check", f"--level {level}", f"--seed {self._seed}"]
        if replay is not None:
            command.insert(1, f"--game {replay}")
        text = [f"{result.subject} {result.level}, {scenario.check}: {scenario.title}", *lines]
        result.failures.append("\n    ".join([*text, f"replay: {' '.join(command)}"]))

    def _print(self, result: Result) -> None:
        self.report.results.append(result)
        line = Text(f"{result.subject:<16} {result.level!s:<14} ")
        style = {"ok": "green", "FAILED": "bold red", "unavailable": "yellow"}[result.outcome]
        line.append(f"{result.outcome:<7}", style)
        if result.reason:
            line.append(f" {result.reason}")
        else:
            line.append(" " + ", ".join(f"{name} {count}" for name, count in result.checks.items()))
            line.append(f"  {result.seconds:.2f} s", "dim")
        self._say(line)
        for failure in result.failures[:PRINTED]:
            self._say(f"  {failure}")
        if len(result.failures) > PRINTED:
            self._say(f"  and {len(result.failures) - PRINTED} more")

    def _say(self, text: str | Text) -> None:
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)


def _described(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


def check(
    games: Sequence[str] = (),
    levels: Sequence[str] = (),
    *,
    seed: int = 0,
    update: bool = False,
    console: Console | None = None,
) -> Report:
    """Whether every level gives the bytes of level python, for games, policies, planners and learners, on this machine.

    A line is printed for each of them at each level, and for each mismatch game, step, lane, field,
    both values and the command that replays it.

    Args:
        games: ids; all if empty. Policies are checked over the spaces of these games, and if it is empty
            over made-up spaces too, planners over made-up tables, and learners play.
        levels: ``LEVEL`` or ``LEVEL:ISA``; all if empty.
        seed: of the random part, at least 0.
        update: write the digests of these games, and if none is named those of all else too, instead of
            comparing with them, if all else is in order.
        console: where to print; by default the standard output.

    Raises:
        ValueError: an unknown game or level, or a negative seed.
        LevelUnavailable: a level that is named cannot be served, by this machine or for a named game.
    """
    if seed < 0:
        raise ValueError(f"seed is {seed}; allowed: 0 and more")
    wanted = [registry.game(id) for id in games or registry.games()]
    chosen = registry.choose_levels(levels)
    console = console or Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        run = _Run(seed, update, console, progress)
        for level in chosen:
            if level.reason:
                run.unavailable("this machine", level, level.reason)
        served = [level for level in chosen if level.available]
        for game in wanted:
            found = [level for level in served if _written(level, game)]
            if levels and not found:
                raise LevelUnavailable(f"{', '.join(levels)}: no such kernel is written for {game.id}")
            run.game(game, found)
            for level in _unwritten(served, game):
                run.unavailable(game.id, level, "no such kernel is written")
        for family in registry.families().values():
            run.policy(family, wanted, [level for level in served if _written(level, family)], not games)
            for level in _unwritten(served, family):
                run.unavailable(family.stem, level, "no such kernel is written")
        for planner in () if games else registry.planners().values():
            run.planner(planner, [level for level in served if _written(level, planner)])
            for level in _unwritten(served, planner):
                run.unavailable(planner.stem, level, "no such kernel is written")
        for learner in () if games else registry.learners().values():
            run.learner(learner, [level for level in served if _written(level, learner)])
            for level in _unwritten(served, learner):
                run.unavailable(learner.stem, level, "no such kernel is written")
    return run.report


def _serves(family: Family, game: Game) -> bool:
    """Whether the family takes the game's observations."""
    for head in heads(family, game.action):
        try:
            tensors = tensors_of(family, head, game, Draw(0), "ordinary")
            family.spec.check(seen_by_policies(game.observation), game.action, head, tensors)
        except ValueError:
            return False
    return True


def _unwritten(levels: Sequence[Level], subject: Subject) -> list[Level]:
    """The levels that the subject lacks altogether, each once; a wider isa is nobody's duty."""
    lacking = {level.name: level for level in reversed(levels) if level.isa and not subject.isas[level.name]}
    return [level for level in levels if level in lacking.values()]


def _written(level: Level, subject: Subject) -> bool:
    return level.isa is None or level.isa in subject.isas[level.name]
