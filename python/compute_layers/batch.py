# SPDX-License-Identifier: MIT
"""The batch behind both environments: the native arrays with Python's names, seeds and snapshots."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import error
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from . import _core
from .interpreter import GameInterpreter
from .registry import Game, Setting, resolve, unknown
from .spec import Box, Discrete, Spec, Tuple

NO_LIMIT = 2**63 - 1
MAX_ENVS = 2**31 - 1
WORD = 2**64 - 1
TAKEN = 3  # row of `parked` that says whether the draw was taken; before it high, low and half of the stream

Snapshot = dict[str, Any]


def shape_of(setting: Setting) -> _core.Shape:
    """The sizes of a game's arrays."""
    game, observation, action = setting.game, setting.observation, setting.action
    return _core.Shape(
        params=len(setting.params),
        options=len(game.spec.options),
        fields=len(game.spec.state),
        observations=0 if isinstance(observation, Box) else observation.n,
        observation=observation.size,
        radix=[space.n for space in observation.spaces] if isinstance(observation, Tuple) else [],
        actions=action.n if isinstance(action, Discrete) else 0,
        action=action.size,
        info=len(game.spec.info),
        cache=game.cache,
    )


def rows_of(observations: Any) -> NDArray[Any]:
    """The observations of a batch as one array, a row for each environment: those of a ``Tuple`` are columns."""
    return np.stack(observations, axis=-1) if isinstance(observations, tuple) else observations


def encode(spec: Spec, name: str, value: Any) -> float:
    """A param as float64: numbers as they are, names as their position in ``spec.choices``.

    Raises:
        ValueError: not finite, or not one of the choices.
        TypeError: not a number; text is none, whatever it spells.
    """
    if name in spec.choices:
        if value not in spec.choices[name]:
            raise unknown(name, value, spec.choices[name])
        return float(spec.choices[name].index(value))
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"{name} is {value!r}; allowed: a finite number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is {_huge(value)}; allowed: a finite number") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; allowed: a finite number") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} is {value!r}; allowed: a finite number")
    return number


def _huge(value: Any) -> str:
    """A number that float64 cannot hold, in few words; ``repr`` refuses ints of more than 4300 digits."""
    return f"an int of {value.bit_length()} bits" if isinstance(value, int) else repr(value)


def encode_params(setting: Setting) -> list[float]:
    """The params as numbers."""
    return [encode(setting.game.spec, name, value) for name, value in setting.params.items()]


def parse_seed(seed: Any) -> int:
    """A seed as Gymnasium takes it: an int ≥ 0 of any size.

    Raises:
        gymnasium.error.Error: anything else.
    """
    try:
        value = operator.index(seed)
    except TypeError:
        raise error.Error(f"seed is {seed!r}; allowed: an int >= 0") from None
    if value < 0:
        raise error.Error(f"seed is {value}; allowed: an int >= 0")
    return value


class Batch(_core.Batch):
    """n copies of a game at one level.

    Attributes:
        names: the params, in the order of ``params``.
        setting: the game with its arguments.
        masks: of ``SPEC.masks``, an array with a row for each state.
        attributes: what the game's table shows, by name.
        watched: whether somebody holds the generators, so that they must be kept in step.
        seeds: the seed of each lane's stream: what it was seeded with, -1 after its generator was replaced,
            None before the first reset.
    """

    def __init__(
        self,
        game: Game,
        num_envs: int,
        level: str,
        isa: str | None,
        max_episode_steps: int | None,
        autoreset_mode: AutoresetMode,
        copy: bool,
        arguments: Mapping[str, Any],
    ) -> None:
        if isinstance(num_envs, bool) or not isinstance(num_envs, (int, np.integer)):
            raise TypeError(f"num_envs is {num_envs!r}; allowed: an int, 1 to {MAX_ENVS}")
        if not 1 <= num_envs <= MAX_ENVS:
            raise ValueError(f"num_envs is {num_envs}; allowed: 1 to {MAX_ENVS}")
        self.game = game
        self.num_envs = int(num_envs)
        self.level, self.isa = resolve(level, isa, game.isas, game.id)
        self.limit = parse_limit(max_episode_steps)
        self.autoreset_mode = autoreset_mode
        self.copy = bool(copy)
        self.setting = game.setting(arguments)
        self.arguments = dict(self.setting.arguments)
        self.names = list(self.setting.params)
        table = self.setting.table
        self.masks = {} if table is None else {name: rows(table) for name, rows in game.spec.masks.items()}
        self.attributes: dict[str, Any] = {}
        if table is not None:
            self.attributes = {
                "P": table.P,
                "initial_state_distrib": table.initial_state_distrib,
                **table.attributes,
            }
        self._generators: tuple[np.random.Generator, ...] | None = None
        self.watched = False
        super().__init__(
            stem=game.stem,
            level=self.level,
            isa=self.isa,
            shape=shape_of(self.setting),
            table=None if table is None else table.native,
            num_envs=self.num_envs,
            limit=self.limit,
            autoreset=autoreset_mode.value,
            params=encode_params(self.setting),
            options=list(game.spec.options.values()),
            rules=GameInterpreter(self.setting) if self.level == "python" else None,
            copy=self.copy,
        )
        self.seeds: list[int | None] = [None] * self.num_envs

    # ---- params ----

    def has_param(self, name: str) -> bool:
        return name in self.names or name in self.game.spec.lists

    def get_param(self, name: str) -> Any:
        """A number, the name of a choice, or a list of several params."""
        if name in self.game.spec.lists:
            return [self.get_param(part) for part in self.game.spec.lists[name]]
        value = self.params[self.names.index(name)]
        choices = self.game.spec.choices.get(name)
        return choices[int(value)] if choices else value

    def set_param(self, name: str, value: Any) -> None:
        """Set a param, or all params of a list.

        Raises:
            ValueError: not finite, not one of the choices, or too few or too many for the list.
            TypeError: not a number; not a list.
        """
        parts: Sequence[str] = self.game.spec.lists.get(name, ())
        if not parts:
            parts, value = [name], [value]
        elif not isinstance(value, (list, tuple, np.ndarray)):
            raise TypeError(f"{name} is {value!r}; allowed: a list of {len(parts)} numbers")
        elif len(value) != len(parts):
            raise ValueError(f"{name} has length {len(value)}; allowed: {len(parts)}")
        params = self.params
        for part, number in zip(parts, value, strict=True):
            params[self.names.index(part)] = encode(self.game.spec, part, number)
        self.params = params

    def named_params(self) -> dict[str, float | str]:
        return {name: self.get_param(name) for name in self.names}

    # ---- seeds and streams ----

    def parse_options(self, options: Mapping[str, Any] | None) -> list[float]:
        """The options of reset as numbers; keys that the game does not know are ignored, as in Gymnasium.

        Raises:
            TypeError: not a mapping.
            ValueError: a value that is not a finite number or that the game refuses.
        """
        if options is None:
            options = {}
        if not isinstance(options, Mapping):
            raise TypeError(f"options is {options!r}; allowed: a dict or None")
        values = dict(self.game.spec.options)
        for name in values:
            if name in options:
                try:
                    values[name] = float(options[name])
                except OverflowError:
                    raise ValueError(
                        f"options[{name!r}] is {_huge(options[name])}; allowed: a finite number"
                    ) from None
                except (TypeError, ValueError):
                    raise ValueError(f"options[{name!r}] is {options[name]!r}; allowed: a number") from None
                if not math.isfinite(values[name]):
                    raise ValueError(f"options[{name!r}] is {options[name]!r}; allowed: a finite number")
        self.game.spec.check_options(values)
        return list(values.values())

    def start(
        self, lanes: NDArray[np.int64], seeds: Sequence[int | None] | None, options: list[float]
    ) -> None:
        """Reset these lanes, with their seed or (None) going on in their stream; a stream that was never
        seeded starts from the operating system's entropy."""
        seeded: Sequence[tuple[int, Any]] = ()
        if seeds is not None or None in self.seeds:
            seeded = [
                (lane, np.random.SeedSequence().entropy if seed is None else seed)
                for lane, seed in zip(lanes.tolist(), seeds or [None] * len(lanes), strict=True)
                if seed is not None or self.seeds[lane] is None
            ]
        self._pull()
        self._seed(seeded)
        self.reset(lanes, options)
        if self._generators is not None:
            renewed = {lane for lane, _ in seeded}
            self._generators = tuple(
                self._generator(lane) if lane in renewed else generator
                for lane, generator in enumerate(self._generators)
            )
            self._push()

    def known_seeds(self) -> list[int]:
        """The seeds; streams that have none are seeded from the operating system's entropy."""
        self._seed(
            [(lane, np.random.SeedSequence().entropy) for lane, seed in enumerate(self.seeds) if seed is None]
        )
        return [seed for seed in self.seeds if seed is not None]

    def _seed(self, seeded: Sequence[tuple[int, Any]]) -> None:
        words = [[lane, seed & WORD, seed >> 64 & WORD] for lane, seed in seeded]
        lanes, low, high = np.array(words, np.uint64).reshape(-1, 3).T
        self.seed(lanes.astype(np.int64), low, high)
        for lane, seed in seeded:
            if seed >= 2**128:
                self._write_stream(lane, np.random.PCG64(seed).state)
            self.seeds[lane] = seed

    def _read_stream(self, lane: int) -> Any:
        high, low, inc_high, inc_low, half = (int(word) for word in self.stream[:, lane])
        return {
            "bit_generator": "PCG64",
            "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
            "has_uint32": half >> 32,
            "uinteger": half & 0xFFFFFFFF,
        }

    def _write_stream(self, lane: int, state: Mapping[str, Any]) -> None:
        number, inc = state["state"]["state"], state["state"]["inc"]
        half = state["has_uint32"] << 32 | state["uinteger"]
        self.stream[:, lane] = [number >> 64, number & WORD, inc >> 64, inc & WORD, half]

    def _generator(self, lane: int) -> np.random.Generator:
        bits = np.random.PCG64(0)
        bits.state = self._read_stream(lane)
        return np.random.Generator(bits)

    def generators(self) -> tuple[np.random.Generator, ...]:
        """NumPy generators in step with the lanes' streams: what is drawn from them the game will not see,
        and the other way round. From here on nothing is drawn in advance."""
        if self._generators is None:
            self.known_seeds()
            self.set_parking(False)
            self._generators = tuple(self._generator(lane) for lane in range(self.num_envs))
            self.watched = True
        return self._generators

    def set_generators(self, generators: Sequence[np.random.Generator]) -> None:
        """Put the lanes' streams where these generators are, and keep them in step.

        Raises:
            TypeError: not a Generator over PCG64.
        """
        for generator in generators:
            if not isinstance(generator, np.random.Generator) or not isinstance(
                generator.bit_generator, np.random.PCG64
            ):
                raise TypeError(f"np_random is {generator!r}; allowed: a numpy Generator over PCG64")
        if len(generators) != self.num_envs:
            raise ValueError(f"np_random has {len(generators)} generators; allowed: {self.num_envs}")
        self.set_parking(False)
        self._generators = tuple(generators)
        self.watched = True
        self.seeds = [-1] * self.num_envs
        self._pull()

    def _pull(self) -> None:
        for lane, generator in enumerate(self._generators or ()):
            self._write_stream(lane, generator.bit_generator.state)

    def _push(self) -> None:
        for lane, generator in enumerate(self._generators or ()):
            generator.bit_generator.state = self._read_stream(lane)

    def watched_step(self, step: Callable[[Any], Any], actions: Any) -> Any:
        """``step`` or ``step_one`` with the generators in step before and after."""
        self._pull()
        result = step(actions)
        self._push()
        return result

    # ---- snapshots ----

    def _views(self) -> dict[str, NDArray[Any]]:
        """The state fields by name, as writable views."""
        types = self.game.spec.state
        return {
            name: column if types[name] is float else column.view(np.int64)
            for name, column in zip(types, self.state, strict=True)
        }

    def snapshot(self, include_rng: bool = True) -> Snapshot:
        """Everything that the next step depends on, params aside; see :meth:`Env.get_state`.

        Raises:
            gymnasium.error.ResetNeeded: there is no state yet.
        """
        if not self.started:
            raise error.ResetNeeded("get_state was called before reset")
        self._pull()
        found: Snapshot = {
            "game": self.game.id,
            "state": {name: view.copy() for name, view in self._views().items()},
            "elapsed": self.elapsed.copy(),
            "ahead": self.parked[TAKEN].astype(bool) & (self.elapsed < 0),
        }
        if include_rng:
            found |= {
                "rng": self.stream.copy(),
                "rng_ahead": self.parked[:TAKEN].copy(),
                "seeds": list(self.seeds),
            }
        return found

    def restore(self, snapshot: Snapshot) -> None:
        """Continue where the snapshot was taken, at any level; streams only if it has them.

        Raises:
            TypeError: not a snapshot.
            ValueError: of another game or number of environments, or damaged; nothing has changed then.
        """
        parts = self._checked(snapshot)
        for name, values in parts["state"].items():
            if not np.isfinite(values).all():
                wrong = values[~np.isfinite(values)][0]
                raise ValueError(f"state[{name!r}] has {wrong}; allowed: finite numbers")
        for name, (low, high) in self.setting.bounds.items():
            values = parts["state"][name]
            outside = (values < low) | (values > high)
            if outside.any():
                raise ValueError(
                    f"state[{name!r}] has {values[outside][0]}; allowed: integers {low} to {high}"
                )
        self._apply(parts)

    def _apply(self, parts: Mapping[str, Any]) -> None:
        """Write a checked snapshot. A batch's own copy may hold numbers that are not finite: rules with odd
        params (a total mass of 0) make them."""
        self.known_seeds()
        self._pull()
        for name, view in self._views().items():
            view[:] = parts["state"][name]
        self.elapsed[:] = parts["elapsed"]
        if "rng" in parts:
            self.stream[:] = parts["rng"]
            self.parked[:TAKEN] = parts["rng_ahead"]
            self.seeds = parts["seeds"]
        else:
            # What was drawn ahead stays drawn: there is no stream to give it back to.
            self.parked[:TAKEN] = self.stream[[0, 1, 4]]
        self.parked[TAKEN] = parts["ahead"]
        if self._generators is not None and "rng" in parts:
            self.set_parking(True)
            self.set_parking(False)
        self.restored()
        self._push()

    def _checked(self, snapshot: Any) -> dict[str, Any]:
        if not isinstance(snapshot, Mapping):
            raise TypeError(f"state is a {type(snapshot).__name__}; allowed: what get_state returned")
        keys = {"game", "state", "elapsed", "ahead"}
        if set(snapshot) not in (keys, keys | {"rng", "rng_ahead", "seeds"}):
            raise ValueError(
                f"state has the keys {sorted(map(str, snapshot))}; allowed: what get_state returned"
            )
        if snapshot["game"] != self.game.id:
            raise ValueError(f"state is of game {snapshot['game']!r}; allowed: {self.game.id!r}")

        def array(name: str, value: Any, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
            if not isinstance(value, np.ndarray) or value.dtype != dtype or value.shape != shape:
                had = (
                    f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
                )
                raise ValueError(f"state[{name!r}] is {had}; allowed: {np.dtype(dtype)} of shape {shape}")
            return value

        n = self.num_envs
        types = self.game.spec.state
        if not isinstance(snapshot["state"], Mapping) or list(snapshot["state"]) != list(types):
            raise ValueError(f"state['state'] has not the fields {', '.join(types)}")
        parts: dict[str, Any] = {"state": {}}
        for name, kind in types.items():
            dtype = np.float64 if kind is float else np.int64
            parts["state"][name] = array(name, snapshot["state"][name], dtype, (n,))
        parts["elapsed"] = array("elapsed", snapshot["elapsed"], np.int64, (n,))
        if (parts["elapsed"] < -1).any() or (parts["elapsed"] == NO_LIMIT).any():
            raise ValueError("state['elapsed'] is out of range; allowed: -1 (the episode ended) and more")
        parts["ahead"] = array("ahead", snapshot["ahead"], np.bool_, (n,))
        if "rng" in snapshot:
            parts["rng"] = array("rng", snapshot["rng"], np.uint64, self.stream.shape)
            parts["rng_ahead"] = array("rng_ahead", snapshot["rng_ahead"], np.uint64, (TAKEN, n))
            if not (parts["rng"][3] & np.uint64(1)).all():
                raise ValueError("state['rng'] holds no PCG64 stream: an increment must be odd")
            for name, half in (("rng", parts["rng"][4]), ("rng_ahead", parts["rng_ahead"][2])):
                if (half >> np.uint64(33)).any():
                    raise ValueError(f"state[{name!r}] has a buffered half of more than 33 bits")
            seeds = snapshot["seeds"]
            if not isinstance(seeds, list) or len(seeds) != n:
                raise ValueError(f"state['seeds'] must be a list of {n}")
            if not all(isinstance(seed, int) and seed >= -1 for seed in seeds):
                raise ValueError("state['seeds'] has an entry that is no seed; allowed: ints >= -1")
            parts["seeds"] = list(seeds)
        return parts

    # ---- pickle, deepcopy ----

    def __reduce__(self) -> tuple[Any, ...]:
        self._pull()
        state = self.snapshot() if self.started else None
        settings = (
            self.game,
            self.num_envs,
            self.level,
            self.isa,
            None if self.limit == NO_LIMIT else self.limit,
            self.autoreset_mode,
            self.copy,
            self.arguments,
        )
        return _rebuild, (settings, self.params, state, self.stream.copy(), self.seeds, self.watched)


def parse_limit(max_episode_steps: Any) -> int:
    """A time limit in steps; None and -1 are none.

    Raises:
        TypeError: not an int.
        ValueError: less than 1.
    """
    if max_episode_steps is None or max_episode_steps == -1:
        return NO_LIMIT
    if isinstance(max_episode_steps, bool) or not isinstance(max_episode_steps, (int, np.integer)):
        raise TypeError(f"max_episode_steps is {max_episode_steps!r}; allowed: an int >= 1, or -1 for none")
    if not 1 <= max_episode_steps < NO_LIMIT:
        raise ValueError(f"max_episode_steps is {max_episode_steps}; allowed: an int >= 1, or -1 for none")
    return int(max_episode_steps)


def _rebuild(
    settings: tuple[Any, ...],
    params: list[float],
    state: Snapshot | None,
    stream: NDArray[np.uint64],
    seeds: list[int | None],
    watched: bool,
) -> Batch:
    batch = Batch(*settings)
    batch.params = params
    batch.stream[:] = stream
    batch.seeds = list(seeds)
    if state is not None:
        batch._apply(batch._checked(state))
    if watched:
        batch.generators()
    return batch
