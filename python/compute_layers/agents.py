# SPDX-License-Identifier: MIT
"""Agents: a policy family with parameters, for one game, on one layer; kept as safetensors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _core, registry
from .batch import encode_params, parse_seed, shape_of
from .interpreter import PolicyInterpreter, SearchInterpreter
from .registry import Family, Game, Setting, borrowers, families, family, game, resolve, unknown
from .spec import Box, Discrete, Space, seen_by_policies

LAYERS = ("algorithm", "search", "symbolic", "subsymbolic", "agi")
FORMAT_VERSION = "1"
REQUIRED = ("family", "layer", "head", "version")


class AgentFile:
    """The contents of a policy file, checked against its game.

    Attributes:
        name: of the agent; the file's stem.
        game, family, layer, head: as the metadata has them.
        choices: the family's choices, by name.
        tensors: the parameters by name, in the order of the family.
        metadata: everything the file says about itself, such as ``return``, ``source`` or ``command``.
    """

    def __init__(
        self, name: str, game: Game, metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]
    ) -> None:
        """A file that need not exist yet.

        Raises:
            ValueError: not a policy for this game; the message names the entry.
        """
        self.name = name
        self.game = game
        self.metadata = dict(metadata)
        for required in REQUIRED:
            if required not in metadata:
                raise ValueError(f"{name}: the metadata has no {required!r}; required: {', '.join(REQUIRED)}")
        if metadata["version"] != FORMAT_VERSION:
            raise ValueError(f"{name}: version is {metadata['version']!r}; allowed: {FORMAT_VERSION}")
        self.layer = metadata["layer"]
        if self.layer not in LAYERS:
            raise unknown(f"{name}: layer", self.layer, LAYERS)
        known = families() | borrowers()
        if metadata["family"] not in known:
            raise unknown(f"{name}: family", metadata["family"], known)
        self.family = family(metadata["family"])
        self.head = metadata["head"]
        self.choices = {}
        for choice, allowed in self.family.spec.choices.items():
            self.choices[choice] = metadata.get(choice, "")
            if self.choices[choice] not in allowed:
                raise unknown(f"{name}: {choice}", self.choices[choice], allowed)
        self.tensors = check_tensors(name, game, self.family, self.head, tensors)

    @classmethod
    def read(cls, path: Path, game: Game) -> AgentFile:
        """Read and check a file.

        Raises:
            FileNotFoundError: there is none.
            ValueError: damaged, or not a policy for this game; the message names the entry.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                metadata: dict[str, str] = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError:
            raise
        except (SafetensorError, OSError, TypeError, ValueError, AttributeError) as problem:
            raise ValueError(f"{path}: not a safetensors file: {problem}") from None
        found = cls(str(path), game, metadata, tensors)
        found.name = path.stem
        return found

    @property
    def isas(self) -> Mapping[str, tuple[str, ...]]:
        """The isas for which there are kernels, by native level: the family's, or of one that plans the game's."""
        return self.game.isas if self.family.spec.searches else self.family.isas

    def save(self, path: Path) -> None:
        """Write the file."""
        from safetensors.numpy import save_file

        save_file(self.tensors, path, self.metadata)
        path.chmod(0o644)  # safetensors leaves it to its owner alone

    def note_returns(self, returns: NDArray[np.float64]) -> None:
        """Say in the metadata what the episodes of seeds 0, 1, … returned."""
        self.metadata["return"] = (
            f"{returns.mean():.4f} over seeds 0 to {len(returns) - 1}, minimum {returns.min():.4f}"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "family": self.family.stem}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, family=family(state["family"]))


def heads(family: Family, action: Space) -> list[str]:
    """The heads that a family may have over an action space."""
    if isinstance(action, Box):
        fitting = {"box"}
    else:
        fitting = {"argmax", "vote"} | ({"threshold"} if action.n == 2 else set())
    return [head for head in family.spec.heads if head in fitting]


def sizes_of(game: Game, head: str) -> dict[str, int]:
    """The sizes that a game gives to the words in the shapes of tensors."""
    action, observation = game.action, seen_by_policies(game.observation)
    outputs = action.n if isinstance(action, Discrete) else action.size
    sizes = {
        "inputs": observation.size,
        "outputs": outputs,
        "rows": 1 if head == "threshold" else outputs,
        "action": action.size,
    }
    return sizes if isinstance(observation, Box) else sizes | {"states": observation.n}


def layers_of(family: Family, names: Iterable[str]) -> int:
    """How many layers a layered family's tensors with these names make: 1 and more."""
    first, known = next(iter(family.spec.tensors)), set(names)
    layers = 1
    while f"{first}{layers}" in known:
        layers += 1
    return layers


def tensor_forms(
    game: Game, family: Family, head: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtype and shape that each tensor of a family must have for a game.

    Args:
        shapes: what they have; sizes that a file may choose are taken from here, and are 1 where it says
            nothing.
    """
    sizes = sizes_of(game, head)
    forms = family.spec.forms(head)
    of_action = "int64" if isinstance(game.action, Discrete) else "float32"
    found = {}
    layers = layers_of(family, shapes) if family.spec.layered else 1
    for layer in range(layers):
        number = str(layer) if family.spec.layered else ""
        known = dict(sizes)
        if layer < layers - 1:
            del known["rows"]
        for name, (dtype, shape) in forms.items():
            given = shapes.get(name + number, ())
            for axis, word in enumerate(shape):
                if isinstance(word, str):
                    known.setdefault(word, max(1, given[axis]) if len(given) == len(shape) else 1)
            form = tuple(known[size] if isinstance(size, str) else size for size in shape)
            found[name + number] = (of_action if dtype == "action" else dtype, form)
        sizes["inputs"] = known.get("rows", 1)
    return found


def check_tensors(
    what: str,
    game: Game,
    family: Family,
    head: str,
    tensors: Mapping[str, NDArray[Any]],
    candidates: int | None = None,
) -> dict[str, NDArray[Any]]:
    """The tensors of a policy in the family's order, contiguous, native byte order.

    Args:
        candidates: the tensors are those of so many policies, stacked along a first axis.

    Raises:
        ValueError: a wrong head, name, dtype or shape, or a number that is not finite or not an action.
    """
    if head not in heads(family, game.action):
        raise unknown(f"{what}: head", head, heads(family, game.action))
    stack = () if candidates is None else (candidates,)
    forms = tensor_forms(
        game, family, head, {name: tensor.shape[len(stack) :] for name, tensor in tensors.items()}
    )
    if set(tensors) != set(forms):
        names = ", ".join(forms) or "none"
        raise ValueError(f"{what}: the tensors are {sorted(tensors)}; family {family.stem} has {names}")
    checked = {}
    for name, (dtype, shape) in forms.items():
        tensor = tensors[name]
        if tensor.dtype != dtype or tensor.shape != stack + shape:
            raise ValueError(
                f"{what}: {name} is {tensor.dtype} {tensor.shape}; allowed: {dtype} {stack + shape}"
            )
        if not np.isfinite(tensor).all():
            raise ValueError(f"{what}: {name} has a number that is not finite")
        checked[name] = np.ascontiguousarray(tensor)
    try:
        for c in range(candidates or 1):
            own = checked if candidates is None else {name: tensor[c] for name, tensor in checked.items()}
            family.spec.check(seen_by_policies(game.observation), game.action, head, own)
    except ValueError as problem:
        raise ValueError(f"{what}: {problem}") from None
    return checked


def interpreter_of(file: AgentFile, tensors: Mapping[str, NDArray[Any]]) -> PolicyInterpreter:
    """Level python of a file's policy, with these tensors."""
    game = file.game
    inputs = seen_by_policies(game.observation).size
    return PolicyInterpreter(file.family, file.head, inputs, game.action, tensors, file.choices)


def kernel_arguments(file: AgentFile) -> dict[str, Any]:
    """What the native core is told of a policy beside its level and tensors."""
    action, family = file.game.action, file.family.spec
    bounds = action if isinstance(action, Box) else None
    return {
        "head": file.head,
        "shape": shape_of(file.game.default),
        "choices": [allowed.index(file.choices[name]) for name, allowed in family.choices.items()],
        "low": list(bounds.low) if bounds else [],
        "high": list(bounds.high) if bounds else [],
        "draws": family.draws,
    }


_LARGEST = float(np.finfo(np.float64).max)
_RANGES = {
    float: (-_LARGEST, _LARGEST),
    int: (-(2**53), 2**53),
}  # of a field of a state, where the game says nothing


def search_rule(file: AgentFile, setting: Setting, level: str) -> SearchInterpreter | None:
    """Level python of a file's policy that plans, in a game with these arguments; None for a native level, and for a
    policy that sees observations."""
    if level != "python" or not file.family.spec.searches:
        return None
    return SearchInterpreter(file.family, setting, encode_params(setting), file.tensors)


class Agent(_core.Player):
    """A policy at one level: ``agent(observation)`` is its action.

    One observation of shape (k,) gives a Python int (Discrete) or a float32 array (Box); n of them, shape
    (n, k), give int64 (n,) or float32 (n, m). Other real dtypes are cast. Observations of a ``Tuple`` may also
    come as environments return them, a tuple of k ints or of k arrays (n,). Row i of a stochastic policy draws
    from ``SeedSequence(seed + i, spawn_key=(1,))``.

    A policy of family ``shooting`` or ``cem`` is called with states instead, float64 (k,) or (n, k): the fields of
    ``get_state()["state"]``. It plans anew in each call and returns the plan's first action. One of family
    ``timed_table`` sees the time: ``agent(observation, elapsed=…)``, the steps since the reset, one int or n.

    Attributes:
        name, layer, head, metadata: as in the file. game: the id. family: its stem.
        level, isa: what runs.

    Raises:
        TypeError, ValueError: when called with something that is no observation of the game.
    """

    def __init__(self, file: AgentFile, level: str, isa: str | None, seed: int) -> None:
        self.file = file
        self.name, self.layer, self.head, self.metadata = file.name, file.layer, file.head, file.metadata
        self.game, self.family = file.game.id, file.family.stem
        self.level, self.isa = resolve(level, isa, file.isas, f"policy {self.family}")
        if file.family.spec.searches:
            self._search(file)
            self.seed(seed)
            return
        spec, tensors = file.family.spec, list(file.tensors.values())
        super().__init__(
            stem=spec.kernels or self.family,
            level=self.level,
            isa=self.isa,
            tensors=tensors,
            steps=len(tensors[0]) if spec.sees_time else 0,
            rule=interpreter_of(file, file.tensors) if self.level == "python" else None,
            **kernel_arguments(file),
        )
        self.seed(seed)

    def _search(self, file: AgentFile) -> None:
        setting = file.game.default
        bounds, kinds = setting.bounds, setting.game.spec.state
        ranges = [bounds.get(field, _RANGES[kind]) for field, kind in kinds.items()]
        super().__init__(
            game=file.game.stem,
            level=self.level,
            isa=self.isa,
            shape=shape_of(setting),
            table=None if setting.table is None else setting.table.native,
            params=encode_params(setting),
            settings=[int(tensor[0]) for tensor in file.tensors.values()],
            low=list(setting.action.low) if isinstance(setting.action, Box) else [],
            high=list(setting.action.high) if isinstance(setting.action, Box) else [],
            rule=search_rule(file, setting, self.level),
            fields=list(kinds),
            integers=[kind is int for kind in kinds.values()],
            least=[float(least) for least, _ in ranges],
            most=[float(most) for _, most in ranges],
        )

    if TYPE_CHECKING:  # a slot of the C++ type

        def __call__(self, observation: Any, *, elapsed: Any = None) -> Any: ...

    def seed(self, seed: int) -> None:
        """Restart the random streams of a stochastic policy.

        Raises:
            gymnasium.error.Error: seed is not an int ≥ 0.
            ValueError: it has more than 128 bits.
        """
        value = parse_seed(seed)
        if value >= 2**128:
            raise ValueError(f"seed is {value}; allowed: less than 2**128")
        self._seeded = value
        self._seed(value & (2**64 - 1), value >> 64)

    def __repr__(self) -> str:
        level = self.level if self.isa is None else f"{self.level}[{self.isa}]"
        return f"<Agent {self.game}/{self.name}: {self.family}, {self.layer}, {level}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.file, self.level, self.isa, self._seeded, self._streams)


def _rebuild(file: AgentFile, level: str, isa: str | None, seed: int, streams: NDArray[np.uint64]) -> Agent:
    agent = Agent(file, level, isa, seed)
    agent._streams = streams
    return agent


@cache
def _shipped(found: Game) -> dict[str, AgentFile]:
    folder = Path(__file__).parent / "agents" / found.stem / found.id
    agents = [AgentFile.read(path, found) for path in sorted(folder.glob("*.safetensors"))]
    agents.sort(key=lambda agent: (LAYERS.index(agent.layer), agent.metadata.get("order", ""), agent.name))
    return {agent.name: agent for agent in agents}


def agents(game: str) -> tuple[str, ...]:
    """The names of the agents shipped for a game, ordered by layer.

    Raises:
        ValueError: there is no such game.
    """
    return tuple(_shipped(registry.game(game)))


def agent_file(game_id: str | Game, agent: str | os.PathLike[str]) -> AgentFile:
    """The shipped agent of this name, or the policy in this ``.safetensors`` file.

    Raises:
        ValueError: no such game or agent, or a damaged file.
        FileNotFoundError: no such file.
    """
    found = game(game_id)
    if isinstance(agent, os.PathLike) or str(agent).endswith(".safetensors"):
        return AgentFile.read(Path(agent), found)
    shipped = _shipped(found)
    if agent not in shipped:
        raise unknown(f"agent of {found.id}", agent, shipped)
    return shipped[agent]


def load_agent(
    game: str | Game,
    agent: str | os.PathLike[str],
    *,
    level: str = "auto",
    isa: str | None = None,
    seed: int = 0,
) -> Agent:
    """An agent to call.

    Args:
        game: the id.
        agent: the name of a shipped agent, or the path of a ``.safetensors`` file.
        level, isa: as for the environments.
        seed: of the streams of a stochastic policy.

    Raises:
        ValueError: no such game, agent, level or isa, or a damaged file.
        LevelUnavailable: the level or isa cannot be served here.
    """
    return Agent(agent_file(game, agent), level, isa, seed)
