# SPDX-License-Identifier: MIT
"""What there is: games, levels, isas. The list itself is ``cpp/registry.def``, read through ``_core``."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType
from typing import Any, TypeVar

from . import _core
from .spec import ActionSpace, Discrete, Id, PolicySpec, Space, Spec
from .table import Table

# Now, not when the first game is loaded: importing a subpackage binds its name in the package, where `games`
# must remain the function.
for _package in ("games", "policies", "planners", "learners", "searches"):
    importlib.import_module(f".{_package}", __package__)

NAMESPACE = "compute_layers/"
LEVELS = ("python", "cpp", "asm")  # slow to fast
# Families without kernels of their own, and the packages of their modules: they use those of another family, or the
# game's.
BORROWERS = {"timed_table": "policies", "shooting": "searches", "cem": "searches"}


class LevelUnavailable(RuntimeError):
    """A level or isa that was asked for cannot be served: by this CPU, by this build, or because the kernel
    is not written. The message says which. Nothing falls back silently."""


@dataclass(frozen=True)
class Level:
    """A level, with its isa if it is native, and why this machine cannot serve it (empty if it can)."""

    name: str
    isa: str | None
    reason: str = ""

    @property
    def available(self) -> bool:
        return not self.reason

    def __str__(self) -> str:
        return self.name if self.isa is None else f"{self.name}[{self.isa}]"


@dataclass(frozen=True, eq=False)
class Game:
    """A game id with its rules: the module ``rules`` is level python, ``isas`` names the native kernels."""

    id: str
    stem: str
    spec: Spec
    rules: ModuleType
    isas: Mapping[str, tuple[str, ...]]
    cache: int = 0  # fields that native kernels keep beside the state

    @property
    def entry(self) -> Id:
        return self.spec.ids[self.id]

    @property
    def name(self) -> str:
        """What reports and files call it: the id."""
        return self.id

    def __reduce__(self) -> Any:
        return game, (self.id,)

    def setting(self, arguments: Mapping[str, Any]) -> Setting:
        """The game with these constructor arguments on top of the id's own.

        Raises:
            TypeError: an argument that the game does not have.
            ValueError: one that the game refuses.
        """
        return self._setting(arguments) if arguments else self.default

    def _setting(self, arguments: Mapping[str, Any]) -> Setting:
        spec, signature = self.spec, inspect.signature(self.spec.params)
        try:
            bound = signature.bind(**{**self.entry.kwargs, **arguments})
        except TypeError as problem:
            allowed = ", ".join(signature.parameters) or "none"
            raise TypeError(f"{self.id}: {problem}; arguments of the game: {allowed}") from None
        params = spec.params(*bound.args, **bound.kwargs)
        table = None if spec.table is None else spec.table(*bound.args, **bound.kwargs)
        observation, action = spec.observation, spec.action
        if table is not None:
            observation, action = Discrete(table.states), Discrete(table.actions)
            # What the table chose itself: a map drawn at random.
            chosen = {name: value for name, value in table.attributes.items() if name in signature.parameters}
            arguments = {**arguments, **chosen} if arguments else arguments
        assert observation is not None, f"{self.stem} has neither an observation space nor a table"
        assert action is not None, f"{self.stem} has neither an action space nor a table"
        return Setting(self, arguments, params, table, observation, action)

    @cached_property
    def default(self) -> Setting:
        """The game as the id has it."""
        return self._setting({})

    @property
    def observation(self) -> Space:
        """The observation space of the game as the id has it."""
        return self.default.observation

    @property
    def action(self) -> ActionSpace:
        """The action space of the game as the id has it."""
        return self.default.action


@dataclass(frozen=True, eq=False)
class Setting:
    """A game with its constructor's arguments, which make the same setting again: params by name, the transitions
    of a tabular game, the spaces."""

    game: Game
    arguments: Mapping[str, Any]
    params: Mapping[str, float | str]
    table: Table | None
    observation: Space
    action: ActionSpace

    @property
    def bounds(self) -> dict[str, tuple[int, int]]:
        """The lowest and highest value of each integer of the state."""
        counts = {} if self.table is None else {"states": self.table.states, "actions": self.table.actions}
        return {
            name: (low, counts[high] - 1 if isinstance(high, str) else high)
            for name, (low, high) in self.game.spec.bounds.items()
        }


@dataclass(frozen=True, eq=False)
class Family:
    """A policy family; fields as in :class:`Game`."""

    stem: str
    spec: PolicySpec
    rules: ModuleType
    isas: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """What reports and files call it: the stem."""
        return self.stem


@dataclass(frozen=True, eq=False)
class _Kernel:
    """What planners and learners have."""

    stem: str
    rules: ModuleType
    isas: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """What reports and files call it: the stem."""
        return self.stem


@dataclass(frozen=True, eq=False)
class Planner(_Kernel):
    """A planner, whose module ``rules`` is level python; fields as in :class:`Game`."""


@dataclass(frozen=True, eq=False)
class Learner(_Kernel):
    """A learner, likewise."""


def unknown(what: str, value: object, allowed: Iterable[str]) -> ValueError:
    """The error for a name that does not exist, with the nearest one that does."""
    names = list(allowed)
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ValueError(f"{what} is {value!r}; allowed: {', '.join(names)}{hint}")


def _same(what: str, native: list[str], python: Iterable[str]) -> None:
    if native != list(python):
        raise ImportError(f"{what}: C++ has {native}, Python has {list(python)}")


def _apart(
    games: Iterable[Mapping[str, Any]],
    policies: Iterable[Mapping[str, Any]],
    planners: Iterable[Mapping[str, Any]] = (),
    learners: Iterable[Mapping[str, Any]] = (),
) -> None:
    """Refuse a name of a family, planner or learner that something before it has too, games first: digests, golden files
    and benchmark rows are kept under these names."""
    taken = {name: f"game {entry['stem']!r}" for entry in games for name in (entry["stem"], *entry["ids"])}
    for what, entries in (("policy family", policies), ("planner", planners), ("learner", learners)):
        for entry in entries:
            stem = entry["stem"]
            if stem in taken:
                raise ImportError(f"the {what} {stem!r} has a name of the {taken[stem]}: cpp/registry.def")
            taken[stem] = f"{what} {stem!r}"


_apart(_core.games(), _core.policies(), _core.planners(), _core.learners())


@cache
def _games() -> dict[str, Game]:
    found = {}
    for entry in _core.games():
        stem = entry["stem"]
        rules = importlib.import_module(f".games.{stem}", __package__)
        spec: Spec = rules.SPEC
        _same(f"params of {stem}", entry["params"], spec.params())
        _same(f"state of {stem}", entry["state"], spec.state)
        _same(f"options of {stem}", entry["options"], spec.options)
        _same(f"ids of {stem}", entry["ids"], spec.ids)
        if (entry["info"], entry["tabular"]) != (len(spec.info), spec.table is not None):
            raise ImportError(f"info and table of {stem}: C++ and Python disagree")
        found.update({id: Game(id, stem, spec, rules, isas_of(stem), entry["cache"]) for id in spec.ids})
    return found


@cache
def families() -> dict[str, Family]:
    """The policy families by stem."""
    found = {}
    for entry in _core.policies():
        stem = entry["stem"]
        rules = importlib.import_module(f".policies.{stem}", __package__)
        spec: PolicySpec = rules.SPEC
        _same(f"tensors of {stem}", entry["tensors"], spec.tensors)
        _same(f"choices of {stem}", entry["choices"], spec.choices)
        isas = {"cpp": tuple(entry["cpp"]), "asm": tuple(entry["asm"])}
        found[stem] = Family(stem, spec, rules, isas)
    return found


Kind = TypeVar("Kind", bound=_Kernel)


def _kernels(kind: type[Kind], folder: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, Kind]:
    return {
        entry["stem"]: kind(
            entry["stem"],
            importlib.import_module(f".{folder}.{entry['stem']}", __package__),
            {"cpp": tuple(entry["cpp"]), "asm": tuple(entry["asm"])},
        )
        for entry in entries
    }


@cache
def borrowers() -> dict[str, Family]:
    """The policy families without kernels of their own, by stem. One that plans has no isas: it is served for a game
    where the game is."""
    found = {}
    for stem, package in BORROWERS.items():
        rules = importlib.import_module(f".{package}.{stem}", __package__)
        spec: PolicySpec = rules.SPEC
        found[stem] = Family(stem, spec, rules, families()[spec.kernels].isas if spec.kernels else {})
    return found


@cache
def planners() -> dict[str, Planner]:
    """The planners by stem."""
    return _kernels(Planner, "planners", _core.planners())


@cache
def learners() -> dict[str, Learner]:
    """The learners by stem."""
    return _kernels(Learner, "learners", _core.learners())


def kernel_of(stem: str) -> str:
    """The stem whose native sources play this game: its own, or that of rules which several games share."""
    return next((str(entry["kernel"]) for entry in _core.games() if entry["stem"] == stem), stem)


def isas_of(stem: str) -> dict[str, tuple[str, ...]]:
    """The isas for which a game's stem has kernels, by native level."""
    entry = next(entry for entry in _core.games() if entry["stem"] == stem)
    return {"cpp": tuple(entry["cpp"]), "asm": tuple(entry["asm"])}


def games() -> tuple[str, ...]:
    """The ids of all games, as Gymnasium names them; ours stand in the namespace ``compute_layers/``."""
    return tuple(_games())


def game(id: str | Game) -> Game:
    """The game with this id, with or without the namespace; a game is itself.

    Raises:
        ValueError: there is none.
    """
    if isinstance(id, Game):
        return id
    known = _games()
    name = id.removeprefix(NAMESPACE) if isinstance(id, str) else ""
    if name not in known:
        raise unknown("game", id, known)
    return known[name]


def family(stem: str) -> Family:
    """The policy family with this stem.

    Raises:
        ValueError: there is none.
    """
    known = families() | borrowers()
    if stem not in known:
        raise unknown("family", stem, known)
    return known[stem]


def planner(stem: str) -> Planner:
    """The planner with this stem.

    Raises:
        ValueError: there is none.
    """
    known = planners()
    if stem not in known:
        raise unknown("planner", stem, known)
    return known[stem]


def learner(stem: str) -> Learner:
    """The learner with this stem.

    Raises:
        ValueError: there is none.
    """
    known = learners()
    if stem not in known:
        raise unknown("learner", stem, known)
    return known[stem]


def levels() -> tuple[Level, ...]:
    """Every level and isa, slow to fast, and for each what keeps this machine from serving it."""
    found = [Level("python", None)]
    for name in LEVELS[1:]:
        written = {isa for entry in [*_core.games(), *_core.policies()] for isa in entry[name]}
        for isa in _core.isas:
            if name == "asm" and isa == "baseline":
                continue
            reason = _core.missing(isa)
            if not reason and isa not in written:
                reason = f"no kernel of level {name} is written for isa {isa}"
            if name == "cpp" and isa == "neon":
                continue  # every AArch64 CPU has NEON: there it is cpp[baseline]
            found.append(Level(name, isa, reason))
    return tuple(found)


def choose_levels(names: Sequence[str]) -> list[Level]:
    """The levels for ``LEVEL`` (every isa of it that is served here) and ``LEVEL:ISA``; all if none is named,
    those included that this machine cannot serve.

    Raises:
        ValueError: an unknown name.
        LevelUnavailable: a level that is named cannot be served here.
    """
    known = levels()
    if not names:
        return list(known)
    found: list[Level] = []
    for name in names:
        matching = [level for level in known if name in (level.name, f"{level.name}:{level.isa}")]
        if not matching:
            allowed = [*LEVELS, *(f"{level.name}:{level.isa}" for level in known if level.isa)]
            raise unknown("level", name, allowed)
        served = [level for level in matching if level.available]
        if not served:
            raise LevelUnavailable(f"{name}: {'; '.join(level.reason for level in matching)}")
        found += served
    return [level for level in known if level in found]


def resolve(
    level: str, isa: str | None, isas: Mapping[str, tuple[str, ...]], what: str
) -> tuple[str, str | None]:
    """The level and isa that serve a request.

    ``auto`` is the fastest level there is, None the widest isa; the variables ``COMPUTE_LAYERS_LEVEL`` and
    ``COMPUTE_LAYERS_ISA`` set what these two resolve to.

    Args:
        level: ``auto``, ``asm``, ``cpp`` or ``python``.
        isa: ``baseline``, ``avx2``, ``avx512``, ``neon`` or None.
        isas: the isas for which ``what`` has kernels, by native level.
        what: whose kernel it is, for the message.

    Raises:
        ValueError: an unknown name, or an isa for level python.
        LevelUnavailable: this machine, this build or the project has no such kernel.
    """
    if level not in ("auto", *LEVELS):
        raise unknown("level", level, ("auto", *LEVELS))
    if isa is not None and isa not in _core.isas:
        raise unknown("isa", isa, _core.isas)
    if level == "python" and isa is not None:
        raise ValueError(f"isa is {isa!r}; level python has none: leave it None")
    if level == "auto":
        said = os.environ.get("COMPUTE_LAYERS_LEVEL", "auto")
        if said not in ("auto", *LEVELS):
            raise unknown("the variable COMPUTE_LAYERS_LEVEL", said, ("auto", *LEVELS))
        if said != "python" or isa is None:  # an isa that was asked for wins
            level = said
    if isa is None and level != "python":
        isa = os.environ.get("COMPUTE_LAYERS_ISA")
        if isa is not None and isa not in _core.isas:
            raise unknown("the variable COMPUTE_LAYERS_ISA", isa, _core.isas)
    if level == "python":
        return level, None
    if level != "auto":
        return level, _widest(level, isa, isas, what)
    for candidate in reversed(LEVELS[1:]):
        try:
            return candidate, _widest(candidate, isa, isas, what)
        except LevelUnavailable:
            continue
    if isa is not None:
        reason = _core.missing(isa) or "no such kernel is written"
        raise LevelUnavailable(f"isa {isa} is not available for {what}: {reason}")
    return "python", None


def _widest(level: str, isa: str | None, isas: Mapping[str, tuple[str, ...]], what: str) -> str:
    written = isas.get(level, ())
    reasons = []
    for candidate in _core.isas[::-1] if isa is None else (isa,):
        reason = _core.missing(candidate)
        if not reason and candidate in written:
            return candidate
        if candidate in written or isa is not None:
            reasons.append(reason or f"no such kernel is written for {what}")
    wanted = level if isa is None else f"{level}[{isa}]"
    raise LevelUnavailable(
        f"{wanted} is not available for {what}: {'; '.join(reasons) or 'it is not written'}"
    )
