# SPDX-License-Identifier: MIT
"""What the tests share: every game at every level, exact comparison, Gymnasium beside ours."""

from __future__ import annotations

import os
import signal
import threading

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
for variable in ("COMPUTE_LAYERS_LEVEL", "COMPUTE_LAYERS_ISA"):
    os.environ.pop(variable, None)

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import agent_file
from compute_layers.spec import Box

hypothesis_settings.register_profile(
    "compute_layers",
    deadline=None,  # nothing here asserts a time
    derandomize=True,  # the same examples in every run
    database=None,
    # Fixtures used under @given are factories or constants: sharing them among examples is meant.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# pytest --hypothesis-profile=long: new examples every time, for hours rather than seconds.
hypothesis_settings.register_profile(
    "long", hypothesis_settings.get_profile("compute_layers"), max_examples=20_000, derandomize=False
)
hypothesis_settings.load_profile("compute_layers")

Array = npt.NDArray[Any]
# The others are skipped, with their reasons, by test_registry.py::test_every_level_is_served.
LEVELS = [level for level in cl.levels() if level.available]
NEAR_KERNELS = (1, 2, 3, 5, 8, 63, 64, 1023)  # batch sizes around the lane counts of kernels

# Gymnasium's own remark about CartPole's space, which is also ours; nothing else is filtered.
infinite_bounds = pytest.mark.filterwarnings(
    "ignore:.*A Box observation space m(in|ax)imum value is -?infinity:UserWarning"
)


# ---- exact comparison ----


def frozen(value: Any) -> Any:
    """The value with arrays as dtype, shape and bytes: equal only if every bit is. NaNs are made alike."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return ("object", value.shape, tuple(frozen(entry) for entry in value.ravel()))
        if value.dtype.kind == "f":
            value = np.where(np.isnan(value), value.dtype.type(np.nan), value)
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, Mapping):
        return {key: frozen(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(frozen(entry) for entry in value))
    if isinstance(value, float):
        return ("float", frozen(np.array(value)))
    return (type(value).__name__, value)


def first_difference(ours: Any, theirs: Any) -> str:
    """Where two values part, for people."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        if set(ours) != set(theirs):
            return f"keys {sorted(ours)} and {sorted(theirs)}"
        pairs = [(f"[{key!r}]", ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)) and len(ours) == len(theirs):
        pairs = [(f"[{i}]", a, b) for i, (a, b) in enumerate(zip(ours, theirs, strict=True))]
    else:
        both = isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray)
        if both and (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape):
            entries = [
                frozen(np.asarray(a)) != frozen(np.asarray(b))
                for a, b in zip(ours.flat, theirs.flat, strict=True)
            ]
            at = np.unravel_index(entries.index(True), ours.shape)
            a, b = ours[at], theirs[at]
            shown = (
                f"{a.hex()} and {b.hex()}"
                if ours.dtype.kind == "f" and ours.dtype.itemsize == 8
                else f"{a!r} and {b!r}"
            )
            return f"{sum(entries)} of {ours.size} entries, first at {tuple(map(int, at))}: {shown}"
        return f"{ours!r} and {theirs!r}"
    for place, a, b in pairs:
        if frozen(a) != frozen(b):
            return place + first_difference(a, b)
    return f"{ours!r} and {theirs!r}"


def assert_same(ours: Any, theirs: Any, *where: object) -> None:
    """Equal types, dtypes, shapes and bytes."""
    if frozen(ours) != frozen(theirs):
        pytest.fail(f"{' '.join(map(str, where))} differ: {first_difference(ours, theirs)}", pytrace=True)


# ---- every game at every level ----


def paced(id: str, name: str, many: int, few: int) -> int:
    """How much level python does in a test: less with an agent of so many parameters that a decision takes it
    milliseconds."""
    return few if sum(tensor.size for tensor in agent_file(id, name).tensors.values()) > 1000 else many


def unserved(id: str, level: cl.Level) -> str:
    """Why this level cannot play the game; empty if it can."""
    written = level.isa is None or level.isa in registry.game(id).isas[level.name]
    return "" if written else f"{id} has no kernel {level}"


def served(id: str) -> list[cl.Level]:
    """The levels at which this game can be played here, level python first."""
    return [level for level in LEVELS if not unserved(id, level)]


# Ids with the same stem and arguments differ in their time limit alone: the first of each.
_RULES = {
    (game.stem, repr(game.entry.kwargs)): game.id for game in map(registry.game, reversed(registry.games()))
}
RULES = [id for id in registry.games() if id in _RULES.values()]


def kind(id: str) -> tuple[Any, ...]:
    """What a game's interface is like: games of one kind go through the same code beside their kernels."""
    spec, found = registry.game(id).spec, registry.game(id)
    limited = found.entry.max_episode_steps is not None
    return type(found.observation), type(found.action), bool(spec.info), bool(spec.masks), limited


# The first game of each kind. The tests of the interface play these, in modules that say EVERY_KIND = True; other modules
# are about vectors of numbers, and play those that have them. What a game's rules and kernels do themselves is tested of
# every game, in modules that say EVERY_GAME = True and in those that do not use the fixture `game`.
REPRESENTATIVES = {kind(id): id for id in reversed(registry.games())}


def _agent_kind(id: str, name: str) -> tuple[Any, ...]:
    file, found = agent_file(id, name), registry.game(id)
    return file.family.stem, file.head, len(file.tensors), type(found.observation), type(found.action)


# All that is shipped, and for tests of the interface the first game's and the first of every other kind.
def observers(id: str) -> list[str]:
    """The shipped agents that see observations alone; test_search.py and test_planning.py have the others."""
    return [name for name in cl.agents(id) if agent_file(id, name).family.stem in registry.families()]


AGENTS = [(id, name) for id in registry.games() for name in observers(id)]
_FIRST = {_agent_kind(*agent): agent for agent in reversed(AGENTS)}
KINDS_OF_AGENTS = [agent for agent in AGENTS if agent[0] == registry.games()[0] or agent in _FIRST.values()]


def slowest_and_fastest(id: str) -> tuple[cl.Level, cl.Level]:
    levels = served(id)
    return levels[0], levels[-1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The first game is played at every level. Of the others two suffice where the interface is tested: that the
    levels between them do the same is what `check` proves, of all games at all levels."""
    kept, left = [], []
    for item in items:
        params = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        id, level = params.get("game"), params.get("level")
        module = getattr(item, "module", None)
        wanted = id is None or getattr(module, "EVERY_GAME", False)
        if not wanted and id in REPRESENTATIVES.values():
            vectors = isinstance(registry.game(id).observation, Box)
            wanted = vectors or getattr(module, "EVERY_KIND", False)
        if wanted and id is not None and id != registry.games()[0] and isinstance(level, cl.Level):
            wanted = level in slowest_and_fastest(id)
        (kept if wanted else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


@pytest.fixture(params=registry.games())
def game(request: pytest.FixtureRequest) -> str:
    """The id of each game."""
    id: str = request.param
    return id


GAME_LEVELS = [level for level in LEVELS if any(not unserved(id, level) for id in registry.games())]


@pytest.fixture(params=GAME_LEVELS, ids=str)
def level(request: pytest.FixtureRequest, game: str) -> cl.Level:
    """Each level with each isa, for the fixture ``game``."""
    found: cl.Level = request.param
    if reason := unserved(game, found):
        pytest.skip(reason)
    return found


@pytest.fixture(params=list(AutoresetMode), ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> AutoresetMode:
    found: AutoresetMode = request.param
    return found


class Maker:
    """Makes environments of one game; at the end of the test their canaries must be alive."""

    def __init__(self, id: str, level: cl.Level) -> None:
        self.id = id
        self.level = level
        self._watched: list[Any] = []

    def _at(self, level: cl.Level | None) -> dict[str, Any]:
        chosen = level or self.level
        return {"level": chosen.name, "isa": chosen.isa}

    def vec(self, num_envs: int = 1, level: cl.Level | None = None, **kwargs: Any) -> cl.VectorEnv:
        """``gym.make_vec`` of ours."""
        env: Any = gym.make_vec(registry.NAMESPACE + self.id, num_envs=num_envs, **self._at(level), **kwargs)
        return self.watch(env)

    def wrapped(self, level: cl.Level | None = None, **kwargs: Any) -> gym.Env[Any, Any]:
        """``gym.make`` of ours, with the wrappers that it adds."""
        return self.watch(gym.make(registry.NAMESPACE + self.id, **self._at(level), **kwargs))

    def one(self, level: cl.Level | None = None, **kwargs: Any) -> cl.Env:
        """The single environment, bare."""
        env: Any = self.wrapped(level, **kwargs).unwrapped
        return env

    @staticmethod
    def sync(num_envs: int = 1, *, id: str, **kwargs: Any) -> gym.vector.VectorEnv:
        """Gymnasium's reference; keyword arguments of SyncVectorEnv go to it."""
        settings = {name: kwargs.pop(name) for name in ("autoreset_mode", "copy") if name in kwargs}
        return gym.make_vec(id, num_envs, vectorization_mode="sync", vector_kwargs=settings, **kwargs)

    def watch(self, env: Any) -> Any:
        self._watched.append(env.unwrapped._batch)
        return env

    def check(self) -> None:
        for batch in self._watched:
            assert batch.damaged() == -1, f"{batch.level}: array {batch.damaged()} was written past its end"
        self._watched.clear()


@pytest.fixture
def make(game: str, level: cl.Level) -> Iterator[Maker]:
    maker = Maker(game, level)
    yield maker
    maker.check()


@pytest.fixture
def make_all(game: str) -> Iterator[Maker]:
    """A maker for tests that compare the levels with each other; ``vec`` and ``one`` need ``level=`` then."""
    maker = Maker(game, served(game)[0])
    yield maker
    maker.check()


# ---- observations and infos of every kind ----


def arrays(observation: Any) -> tuple[Array, ...]:
    """The arrays of a batch's observation: one, or those of a tuple."""
    return observation if isinstance(observation, tuple) else (observation,)


def rows(observation: Any, which: Any) -> Any:
    """The observations of these environments of a batch."""
    if isinstance(observation, tuple):
        return tuple(part[which] for part in observation)
    return observation[which]


# Of these Gymnasium computes the first observation of an episode with NumPy's float32 sine and cosine, which are off by
# an ulp now and then, and differ from CPU to CPU.
ROUGH_STARTS = ("Acrobot-v1",)


def assert_same_start(id: str, ours: Any, theirs: Any, *where: object) -> None:
    """Equal observations of a reset; where Gymnasium's are rough, at most an ulp apart."""
    if id not in ROUGH_STARTS:
        assert_same(ours, theirs, *where)
        return
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    apart = ours.view(np.int32).astype(np.int64) - theirs.view(np.int32)
    assert np.abs(apart).max(initial=0) <= 1, f"{where}: {np.abs(apart).max()} ulp apart"


def as_gymnasium_cuts_them(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Our infos, where Gymnasium has integers cut to these: it takes the type of an entry from the first environment
    that reports one, and a reset's probability is the int 1."""
    return {
        name: value.astype(theirs[name].dtype)
        if isinstance(value, np.ndarray)
        and isinstance(theirs.get(name), np.ndarray)
        and value.dtype != theirs[name].dtype
        and theirs[name].dtype.kind == "i"
        else value
        for name, value in ours.items()
    }


def assert_same_infos(ours: Mapping[str, Any], theirs: Mapping[str, Any], *where: object) -> None:
    assert_same(as_gymnasium_cuts_them(ours, theirs), dict(theirs), *where)


# ---- playing ----


def random_actions(space: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Valid actions of a single space."""
    if isinstance(space, gym.spaces.Discrete):
        return rng.integers(0, space.n, shape)
    low, high = np.maximum(space.low, -10), np.minimum(space.high, 10)
    return rng.uniform(low, high, (*shape, *space.shape)).astype(np.float32)


def play(envs: Any, actions: Array) -> list[Any]:
    """The results of these steps, one row of actions each."""
    return [envs.step(row) for row in actions]


@contextmanager
def ctrl_c_soon() -> Iterator[None]:
    """Interrupts this thread, also where a shell started the tests in the background, with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.get_ident()
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, before)


def inside(envs: Any) -> dict[str, Any]:
    """Everything a batch keeps between steps."""
    return dict(envs.unwrapped.get_state(), params=list(envs.unwrapped._batch.params))


class unchanged_by:  # noqa: N801 (reads as pytest.raises does)
    """``pytest.raises``, and the environments are afterwards as they were before."""

    def __init__(self, envs: Any, error: Any, match: str) -> None:
        self._envs = envs
        self._raises = pytest.raises(error, match=match)

    def __enter__(self) -> Any:
        self._before = inside(self._envs)
        return self._raises.__enter__()

    def __exit__(self, *failure: Any) -> Any:
        expected = self._raises.__exit__(*failure)
        assert_same(inside(self._envs), self._before, "states before and after the refusal")
        return expected
