# SPDX-License-Identifier: MIT
"""Gymnasium's interface: the one ``gymnasium.vector.VectorEnv`` and the one ``gymnasium.Env``, for all games
and levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import error, logger, spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from . import registry
from .batch import Batch, Snapshot, parse_seed
from .registry import Game, unknown
from .render import Renderer
from .spec import Box, Discrete, Space, Tuple

_ONLY = np.zeros(1, np.int64)  # the lane of a single environment
RENDER_MODES = ("human", "rgb_array", "ansi")


def gymnasium_space(space: Space) -> spaces.Space[Any]:
    """The space as Gymnasium has it."""
    if isinstance(space, Discrete):
        return spaces.Discrete(space.n)
    if isinstance(space, Tuple):
        return spaces.Tuple([gymnasium_space(part) for part in space.spaces])
    return spaces.Box(np.array(space.low, np.float32), np.array(space.high, np.float32), dtype=np.float32)


class _ClosedAttributeError(error.ClosedEnvironmentError, AttributeError):
    """An attribute of a closed environment: gone, and so ``hasattr`` finds."""


class _Closed:
    """Stands where the batch was after ``close``."""

    def __getattr__(self, name: str) -> Any:
        raise error.ClosedEnvironmentError("the environment was closed; make a new one")


class _Simulation:
    """What the two environments share: params as attributes, level and isa, snapshots, drawing."""

    _batch: Batch
    _renderers: dict[int, Renderer] = {}  # by lane; Gymnasium closes what a constructor left half made
    render_mode: str | None

    def _open(self, game: Game, batch: Batch, render_mode: str | None) -> None:
        if render_mode is not None and render_mode not in game.spec.render_modes:
            raise unknown("render_mode", render_mode, game.spec.render_modes)
        self.render_mode = render_mode
        self._renderers = {}
        self._batch = batch

    @property
    def level(self) -> str:
        """The level that runs: ``asm``, ``cpp`` or ``python``."""
        return self._batch.level

    @property
    def isa(self) -> str | None:
        """The isa that serves the level; None for level python."""
        return self._batch.isa

    def __getattr__(self, name: str) -> Any:
        # Only names that are no ordinary attribute come here: the game's params.
        batch = self.__dict__.get("_batch")
        if isinstance(batch, Batch) and batch.has_param(name):
            return batch.get_param(name)
        if isinstance(batch, Batch) and name in batch.attributes:
            return batch.attributes[name]
        if isinstance(batch, _Closed) and not name.startswith("_"):
            raise _ClosedAttributeError(f"{name}: the environment was closed; make a new one")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        batch = self.__dict__.get("_batch")
        if isinstance(batch, Batch) and batch.has_param(name):
            batch.set_param(name, value)
        else:
            super().__setattr__(name, value)

    def get_state(self, include_rng: bool = True) -> Snapshot:
        """Everything that the next steps depend on, params aside: a dict of copies.

        ``state`` has a float64 or int64 array of shape (num_envs,) for each field, ``elapsed`` the steps
        since the reset (-1: the episode has ended), and with ``include_rng`` come the random streams. In
        NEXT_STEP mode a lane whose episode has just ended shows the initial state of its next one.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset.
        """
        return self._batch.snapshot(include_rng)

    def set_state(self, state: Snapshot) -> Any:
        """Go on from a snapshot, taken at any level and of as many environments; returns the observation.

        Without streams in the snapshot (``include_rng=False``) the present ones go on.

        Raises:
            TypeError, ValueError: not a snapshot, of another game or shape, or damaged; nothing has changed.
        """
        self._batch.restore(state)
        return self._observation()

    def _observation(self) -> Any:
        return self._batch.observations()

    def _state_of(self, lane: int) -> NDArray[Any] | None:
        """A lane's state fields without the assumed ones, a copy: float64, or int64 if all of them are; None before a
        reset."""
        if not self._batch.started:
            return None
        assumed = self._batch.game.spec.assumed
        return np.array([view[lane] for name, view in self._batch._views().items() if name not in assumed])

    def _frame(self, lane: int) -> Any:
        renderer = self._renderers.get(lane)
        if renderer is None:
            assert self.render_mode is not None
            renderer = self._renderers[lane] = Renderer(self._batch.setting, self.render_mode)
        state = {name: view[lane].item() for name, view in self._batch._views().items()}
        return renderer.draw(self._batch.named_params(), state)

    def _shut(self) -> None:
        for renderer in self._renderers.values():
            renderer.close()
        self.__dict__.update(_renderers={}, _batch=_Closed())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_renderers": {}}

    def _infos(self, lanes: NDArray[np.int64]) -> dict[str, Any]:
        """What a reset of these lanes reports, in Gymnasium's form: by name an entry for each environment, and
        under ``_name`` who reported it."""
        batch = self._batch
        infos: dict[str, Any] = {}
        reset = np.zeros(batch.num_envs, np.bool_)
        reset[lanes] = True
        for name, value in batch.game.spec.info.items():
            infos |= {name: np.where(reset, float(value), 0.0), f"_{name}": reset.copy()}
        return infos | (self._masks(batch.observations(), reset) if batch.masks else {})

    def _masks(self, states: NDArray[np.int64], who: NDArray[np.bool_]) -> dict[str, Any]:
        """What follows from the states, for those environments ``who`` reports."""
        infos: dict[str, Any] = {}
        for name, rows in self._batch.masks.items():
            infos |= {name: np.where(who[:, None], rows[states], np.int8(0)), f"_{name}": who.copy()}
        return infos

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class Env(_Simulation, gym.Env[Any, Any]):
    """One game as ``gymnasium.Env``, made by ``gym.make("compute_layers/<id>", level=…, isa=…)``.

    Steps, seeds, spaces and attributes are those of Gymnasium's environment of the same id; it has no time
    limit of its own (``gym.make`` adds ``TimeLimit``), and may be stepped on after termination as
    Gymnasium's may.

    Args:
        render_mode: one of the game's render modes, or None.
        game: the id.
        level: ``auto`` (the fastest there is), ``asm``, ``cpp`` or ``python``.
        isa: ``baseline``, ``avx2``, ``avx512``, ``neon``, or None for the widest.
        arguments: the game's own.

    Raises:
        LevelUnavailable: the level or isa cannot be served here.
        ValueError, TypeError: an unknown game, level, isa, render mode or argument.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 50}

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        game: str | Game,
        level: str = "auto",
        isa: str | None = None,
        **arguments: Any,
    ) -> None:
        found = registry.game(game)
        batch = Batch(found, 1, level, isa, None, AutoresetMode.DISABLED, True, arguments)
        self._open(found, batch, render_mode)
        self._beyond = False  # the episode terminated and was stepped on
        self._informs = bool(found.spec.info or found.spec.masks)
        self._slow = render_mode == "human"
        self.metadata = {"render_modes": list(found.spec.render_modes), "render_fps": found.spec.render_fps}
        self.observation_space = gymnasium_space(batch.setting.observation)
        self.action_space = gymnasium_space(batch.setting.action)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; with a seed the stream starts anew, else it goes on.

        Returns:
            observation (float32 array, int, or tuple of ints) and info.

        Raises:
            gymnasium.error.Error: seed is not an int ≥ 0.
            TypeError, ValueError: bad options. Nothing has changed then.
        """
        batch = self._batch
        if seed is None and options is None and batch.started and not batch.watched:
            batch.restart()
        else:
            wanted = batch.parse_options(options)
            batch.start(_ONLY, None if seed is None else [parse_seed(seed)], wanted)
        self._slow = self.render_mode == "human" or (batch.watched and batch.game.spec.step_draws)
        self._beyond = False
        if self.render_mode == "human":
            self.render()
        return batch.observation(), self._info(dict(batch.game.spec.info))

    def _info(self, said: dict[str, Any]) -> dict[str, Any]:
        """What the game said, and what follows from the state."""
        masks = self._batch.masks
        return said | {name: rows[self._batch.observation()].copy() for name, rows in masks.items()}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step: observation, reward, terminated, truncated (always False), info.

        Raises:
            TypeError, ValueError: the action is not in the action space.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if self._slow:
            result = self._step_slowly(action)
        else:
            result = self._batch.step_one(action)
            result = self._step_beyond(action, None) if result is None else result
        if self._informs:
            names = self._batch.game.spec.info
            said = dict(zip(names, self._batch.info[:, 0].tolist(), strict=True))
            result[4].update(self._info(said))
        return result  # type: ignore[no-any-return]

    def _step_slowly(self, action: Any) -> Any:
        """A step that shows itself, keeps a generator in step, or goes on after termination."""
        batch = self._batch
        result = batch.watched_step(batch.step_one, action) if batch.watched else batch.step_one(action)
        if result is None or self._beyond:
            result = self._step_beyond(action, result)
        if self.render_mode == "human":
            self.render()
        return result

    def _step_beyond(self, action: Any, result: Any) -> Any:
        """A step of an episode that has terminated before, scored as Gymnasium's environment does."""
        rules = self._batch.game.spec.reward_beyond
        if result is None:
            self._batch.resume()
            try:
                result = self._batch.step_one(action)
            except Exception:
                self._batch.elapsed[0] = -1
                self._batch.restored()
                raise
        if rules is not None:
            if not self._beyond:
                logger.warn("step() was called after the episode had terminated; call reset() first.")
            observation, reward, terminated, truncated, info = result
            params = SimpleNamespace(**dict(zip(self._batch.names, self._batch.params, strict=True)))
            result = (
                observation,
                rules(params, reward) if terminated else reward,
                terminated,
                truncated,
                info,
            )
        self._beyond = self._slow = True
        return result

    def render(self) -> Any:
        """A frame of the present state in ``render_mode``."""
        if self.render_mode is None:
            logger.warn("render() was called without a render_mode; pass render_mode=… to gym.make.")
            return None
        if not self._batch.started:
            raise error.ResetNeeded("render was called before reset")
        return self._frame(0)

    def close(self) -> None:
        """Free the state and the renderer's window; may be called twice."""
        self._shut()

    def set_state(self, state: Snapshot) -> Any:
        observation = super().set_state(state)
        self._beyond = False
        return observation

    def _observation(self) -> Any:
        return self._batch.observation()

    @property
    def state(self) -> NDArray[Any] | None:
        """The state fields as float64 (k,), or int64 if all of them are; a copy; None before the first reset.
        Setting it moves the game. Fields that Gymnasium's attribute ``state`` lacks are missing here too, and become
        what the game assumes of a state that is set.

        Raises:
            ValueError, TypeError: when set to anything but k finite numbers, or before the first reset.
        """
        return self._state_of(0)

    @state.setter
    def state(self, values: Any) -> None:
        snapshot = self._batch.snapshot(include_rng=False)
        assumed = self._batch.game.spec.assumed
        fields = {name: field for name, field in snapshot["state"].items() if name not in assumed}
        numbers = np.asarray(values, np.float64)
        if numbers.shape != (len(fields),):
            raise ValueError(f"state has shape {numbers.shape}; allowed: ({len(fields)},)")
        for (name, field), number in zip(fields.items(), numbers, strict=True):
            if field.dtype == np.int64 and not number.is_integer():
                raise ValueError(f"state has {number} for {name}; allowed: an integer")
            field[0] = number
        for name, value in assumed.items():
            snapshot["state"][name][0] = value
        snapshot["elapsed"][0] = max(snapshot["elapsed"][0], 0)
        self._batch.restore(snapshot)

    @property
    def np_random(self) -> np.random.Generator:
        """The generator that the game draws from; yours to draw from too."""
        self._slow = self._slow or self._batch.game.spec.step_draws
        return self._batch.generators()[0]

    @np_random.setter
    def np_random(self, generator: np.random.Generator) -> None:
        self._slow = self._slow or self._batch.game.spec.step_draws
        self._batch.set_generators([generator])

    # check_env and some wrappers read the private name.
    _np_random = np_random

    @property
    def np_random_seed(self) -> int:
        """The seed of the stream; -1 if ``np_random`` was set."""
        return self._batch.known_seeds()[0]

    @property
    def _np_random_seed(self) -> int | None:  # type: ignore[override]
        return self._batch.seeds[0]


class VectorEnv(_Simulation, gym.vector.VectorEnv[Any, Any, Any]):
    """num_envs copies of a game as ``gymnasium.vector.VectorEnv``.

    Made by ``gym.make_vec("compute_layers/<id>", num_envs=…, level=…)``. Episodes are those of
    ``gym.make_vec(<id>, vectorization_mode="sync")``: one stream per environment, environment i seeded with
    seed + i; rewards are float64. All environments share their params.

    Args:
        num_envs: 1 to 2³¹ - 1.
        game: the id.
        level: ``auto`` (the fastest there is), ``asm``, ``cpp`` or ``python``.
        isa: ``baseline``, ``avx2``, ``avx512``, ``neon``, or None for the widest.
        max_episode_steps: steps after which an episode is truncated; None or -1 for never.
        autoreset_mode: a ``gymnasium.vector.AutoresetMode``.
        copy: whether observations are copies; if not, every call returns the same array.
        render_mode: one of the game's render modes, or None.
        arguments: the game's own.

    Raises:
        LevelUnavailable: the level or isa cannot be served here.
        ValueError, TypeError: an unknown name or an argument out of range.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        game: str | Game,
        level: str = "auto",
        isa: str | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        found = registry.game(game)
        try:
            mode = AutoresetMode(autoreset_mode)
        except ValueError:
            raise unknown("autoreset_mode", autoreset_mode, [str(mode) for mode in AutoresetMode]) from None
        batch = Batch(found, num_envs, level, isa, max_episode_steps, mode, copy, arguments)
        self._open(found, batch, render_mode)
        self.num_envs = batch.num_envs
        self.metadata = {
            "render_modes": list(found.spec.render_modes),
            "render_fps": found.spec.render_fps,
            "autoreset_mode": mode,
        }
        self.single_observation_space = gymnasium_space(batch.setting.observation)
        self.single_action_space = gymnasium_space(batch.setting.action)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._same_step = mode is AutoresetMode.SAME_STEP
        self._informs = bool(found.spec.info or found.spec.masks)
        self._plain = not self._same_step and not self._informs and render_mode != "human"

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all environments, or in those of ``options["reset_mask"]`` (bool (num_envs,)).

        Args:
            seed: an int (environment i gets seed + i), one int or None for each environment, or None:
                streams go on.
            options: the game's own, and ``reset_mask``.

        Returns:
            observations of all environments, infos.

        Raises:
            gymnasium.error.Error: a seed, or an entry of a list of seeds, that is not an int ≥ 0.
            TypeError, ValueError: a bad mask or option, or not num_envs seeds.
            gymnasium.error.ResetNeeded: a mask in the first reset. Nothing has changed in any of these cases.
        """
        seeds: Sequence[int | None] | None
        if seed is None:
            seeds = None
        elif isinstance(seed, (Sequence, np.ndarray)) and not isinstance(seed, (str, bytes)):
            if len(seed) != self.num_envs:
                raise ValueError(f"seed has length {len(seed)}; allowed: {self.num_envs}, or an int")
            seeds = [None if entry is None else parse_seed(entry) for entry in seed]
        else:
            first = parse_seed(seed)
            seeds = range(first, first + self.num_envs)
        mask = (options or {}).get("reset_mask") if isinstance(options, (Mapping, type(None))) else None
        lanes = np.arange(self.num_envs) if mask is None else self._masked(mask)
        wanted = self._batch.parse_options(options)
        if mask is not None and not self._batch.started:
            raise error.ResetNeeded("the first reset must reset every environment")
        if seeds is not None and mask is not None:
            seeds = [seeds[lane] for lane in lanes]
        self._batch.start(lanes, seeds, wanted)
        if self.render_mode == "human":
            self.render()
        return self._batch.observations(), self._infos(lanes) if self._informs else {}

    def _masked(self, mask: Any) -> NDArray[np.int64]:
        name = "options['reset_mask']"
        if not isinstance(mask, np.ndarray):
            raise TypeError(
                f"{name} is a {type(mask).__name__}; allowed: a bool array of shape ({self.num_envs},)"
            )
        if mask.dtype != np.bool_:
            raise TypeError(f"{name} has dtype {mask.dtype}; allowed: bool")
        if mask.shape != (self.num_envs,):
            raise ValueError(f"{name} has shape {mask.shape}; allowed: ({self.num_envs},)")
        if not mask.any():
            raise ValueError(f"{name} is all False; at least one environment must be reset")
        return np.flatnonzero(mask)

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One step of all environments.

        Args:
            actions: (num_envs,) integers, or (num_envs, k) floats.

        Returns:
            observations (num_envs, …), rewards float64, terminated, truncated bool, each (num_envs,), infos.

        Raises:
            TypeError, ValueError: an action outside the action space; no environment has moved then. In
                NEXT_STEP mode the action of an environment that resets is not looked at.
            gymnasium.error.ResetNeeded: before the first reset; or autoreset is disabled and an episode
                has ended.
        """
        batch = self._batch
        result = batch.watched_step(batch.step, actions) if batch.watched else batch.step(actions)
        if self._plain:
            return result
        if self._same_step:
            self._add_final(result[4])
        if self._informs:
            self._add_infos(result[4], result[0])
        if self.render_mode == "human":
            self.render()
        return result

    def _add_final(self, infos: dict[str, Any]) -> None:
        """Bring the rows of the episodes that ended into the form of Gymnasium's SAME_STEP infos."""
        if not infos:
            return
        ended, seen = infos["_final_obs"], infos["final_obs"]
        mask = np.zeros(self.num_envs, np.bool_)
        mask[ended] = True
        final = np.full(self.num_envs, None, dtype=object)
        space = self._batch.setting.observation
        for lane, row in zip(ended, seen if isinstance(space, Box) else seen.tolist(), strict=True):
            final[lane] = tuple(row) if isinstance(space, Tuple) else row
        info: dict[str, Any] = {}
        for name, said in zip(self._batch.game.spec.info, self._batch.info, strict=True):
            info |= {name: np.where(mask, said, 0.0), f"_{name}": mask.copy()}
        if self._batch.masks:
            states = np.zeros(self.num_envs, np.int64)
            states[ended] = seen
            info |= self._masks(states, mask)
        infos |= {"final_obs": final, "_final_obs": mask, "final_info": info, "_final_info": mask.copy()}

    def _add_infos(self, infos: dict[str, Any], observations: Any) -> None:
        """What the step of each environment reports; after a reset in SAME_STEP, what that does. The batch is not
        called again: another thread might have it, and the step would seem refused."""
        everyone = np.ones(self.num_envs, np.bool_)
        spec = self._batch.game.spec
        for (name, after_reset), said in zip(spec.info.items(), self._batch.info, strict=True):
            values = (
                np.where(infos["_final_obs"], after_reset, said) if "_final_obs" in infos else said.copy()
            )
            infos |= {name: values, f"_{name}": everyone.copy()}
        if self._batch.masks:
            infos |= self._masks(observations, everyone)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """The attribute of each environment, as :meth:`call` without arguments."""
        return self.call(name)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The attribute of each environment, or what its method returns.

        ``state`` and the random streams are each environment's own, the spaces those of one environment; all
        else they share: params, ``level``, ``isa``, ``render_mode`` … The only method is ``render``: to reset
        or step one environment alone there are ``options["reset_mask"]`` and ``set_state``.

        Raises:
            AttributeError: there is none of this name.
            TypeError: a method of the batch that no environment has alone, or arguments that none takes.
        """
        if args or kwargs:
            raise TypeError(f"call({name!r}) has arguments; allowed: none")
        if name == "render":
            return self.render() or (None,) * self.num_envs
        if name == "state":
            return tuple(self._state_of(lane) for lane in range(self.num_envs))
        if name in ("np_random", "np_random_seed"):
            return tuple(getattr(self, name))
        value = getattr(self, f"single_{name}" if name in ("action_space", "observation_space") else name)
        if callable(value):
            raise TypeError(f"{name} is a method of the whole batch; allowed: attributes and render")
        return (value,) * self.num_envs

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of the environments.

        Args:
            name: a param of the game.
            values: one value, or a list or tuple of one for each environment, all equal: the environments
                of a batch share their params.

        Raises:
            AttributeError: the game has no such param.
            TypeError: a value that is not a number.
            ValueError: values that differ, or too few, or not allowed.
        """
        if not self._batch.has_param(name):
            raise AttributeError(
                f"{self._batch.game.id} has no param {name!r}: {', '.join(self._batch.named_params())}"
            )
        if isinstance(values, (list, tuple)):
            if len(values) != self.num_envs:
                raise ValueError(f"values has length {len(values)}; allowed: {self.num_envs}, or one value")
            if any(value != values[0] for value in values[1:]):
                raise ValueError(
                    f"values of {name} differ; allowed: one value for all environments of a batch"
                )
            values = values[0]
        self._batch.set_param(name, values)

    def render(self) -> tuple[Any, ...] | None:
        """A frame of each environment."""
        if self.render_mode is None:
            logger.warn("render() was called without a render_mode; pass render_mode=… to gym.make_vec.")
            return None
        if not self._batch.started:
            raise error.ResetNeeded("render was called before reset")
        return tuple(self._frame(lane) for lane in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Free the state and the renderer."""
        self._shut()

    @property  # type: ignore[override]
    def np_random(self) -> tuple[np.random.Generator, ...]:
        """The environments' generators. Once touched they are kept in step, which makes steps slower."""
        return self._batch.generators()

    @np_random.setter  # type: ignore[override]
    def np_random(self, generators: Sequence[np.random.Generator]) -> None:
        self._batch.set_generators(generators)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seeds of the environments' streams; -1 where ``np_random`` was set."""
        return tuple(self._batch.known_seeds())
