# SPDX-License-Identifier: MIT
"""The vocabulary in which a game or a policy family describes itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .table import Table


@dataclass(frozen=True)
class Discrete:
    """The integers 0 … n - 1; int64 wherever they are stored. ``size``: numbers in a member."""

    n: int

    @property
    def size(self) -> int:
        return 1


@dataclass(frozen=True)
class Tuple:
    """One member of each of these spaces, in this order. ``size``: numbers in a member; ``n``: how many members
    there are. Member (a, b, c) has the number (a * n_b + b) * n_c + c."""

    spaces: tuple[Discrete, ...]

    @property
    def size(self) -> int:
        return len(self.spaces)

    @property
    def n(self) -> int:
        return math.prod(space.n for space in self.spaces)


@dataclass(frozen=True)
class Box:
    """A vector of float32 between the bounds ``low`` and ``high``, which are rounded to float32. ``size``:
    numbers in a member."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def size(self) -> int:
        return len(self.low)


ActionSpace = Discrete | Box
Space = Discrete | Tuple | Box


def seen_by_policies(observation: Space) -> Discrete | Box:
    """The observation space that a policy family is made for: of a Tuple the numbers of its members."""
    return Discrete(observation.n) if isinstance(observation, Tuple) else observation


@dataclass(frozen=True)
class Id:
    """What Gymnasium's registry says of an id: its time limit (None if it has none), reward threshold,
    and constructor arguments that differ from the defaults."""

    max_episode_steps: int | None = None
    reward_threshold: float | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """A game's data; its rules are the functions beside it.

    Attributes:
        ids: Gymnasium's ids that these rules serve.
        state: name and type (``float`` or ``int``, 8 bytes either way) of each state field.
        observation: the observation space; None for a tabular game, whose table says how many states there are.
        action: the action space, likewise.
        observation_names: what the numbers of a ``Box`` observation are called; empty if they have no names.
        params: takes the constructor's arguments with their defaults and returns the numbers of the
            rules, derived ones computed in Gymnasium's order. Names and order are those of the C++
            ``Params``.
        choices: for params that are names in Python, the names in the order of their float64 codes 0, 1, …
        lists: attributes that are lists of params, with the names of these.
        options: the numeric options of ``reset`` and their defaults, as the C++ ``Options`` has them.
        check_options: raises ValueError for options that Gymnasium refuses.
        render_modes: of Gymnasium's renderer for this game.
        render_fps: frames a second of the same.
        table: makes a tabular game's transitions of the constructor's arguments; level python finds them in
            ``p.table``.
        bounds: for each integer of the state the lowest and highest value that a snapshot may have; ``"states"`` and
            ``"actions"`` stand for the last one of the table.
        info: the names of what ``step`` returns behind ``terminated``, float64 each, and what a reset says instead:
            Gymnasium's 1, an int or a float.
        masks: what follows from the observation alone and is reported beside it, by name: of the table an int8
            array with a row for each state.
        pose: the attributes that Gymnasium's renderer reads, by name, of the params and the state, whose fields are
            ints and floats.
        assumed: for fields that Gymnasium's attribute ``state`` lacks, what they become when it is set.
        step_draws: whether ``step`` uses the random stream; if not it is called without one.
        reward_beyond: what the single environment pays for a step that ends outside the bounds after the
            episode has terminated, where that differs from an ordinary step: (params, reward) -> reward.
    """

    ids: Mapping[str, Id]
    state: Mapping[str, type[float] | type[int]]
    observation: Space | None
    action: ActionSpace | None
    params: Callable[..., dict[str, float | str]]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    observation_names: tuple[str, ...] = ()
    check_options: Callable[[Mapping[str, float]], None] = lambda options: None
    render_modes: tuple[str, ...] = ("human", "rgb_array")
    render_fps: int = 50
    table: Callable[..., Table] | None = None
    bounds: Mapping[str, tuple[int, int | str]] = field(default_factory=dict)
    info: Mapping[str, float | int] = field(default_factory=dict)
    masks: Mapping[str, Callable[[Table], NDArray[np.int8]]] = field(default_factory=dict)
    pose: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]] = lambda params, state: {
        "state": tuple(state.values())
    }
    assumed: Mapping[str, float | int] = field(default_factory=dict)
    step_draws: bool = False
    reward_beyond: Callable[[Any, float], float] | None = None


Form = tuple[str, tuple[str | int, ...]]  # dtype and shape of a tensor, as PolicySpec writes them


@dataclass(frozen=True)
class PolicySpec:
    """A policy family's data; its rule is the function ``act`` beside it.

    Attributes:
        tensors: name, dtype and shape of each parameter tensor, in the order of the C++ names. A shape is made
            of integers and words: ``inputs`` (numbers in an observation), ``states`` (of a ``Discrete``
            or ``Tuple`` observation space), ``outputs`` (number of actions, or length of a ``Box`` action), ``rows`` (1 for
            the head ``threshold``, else ``outputs``) and ``action`` (numbers in an action: 1, or length of a
            ``Box`` action). Any other word is a size of at least 1 that the file chooses, the same wherever
            the word stands. The dtype ``action`` is int64 for ``Discrete`` and float32 for ``Box``.
        heads: how the numbers may become an action: ``argmax``, ``threshold``, ``box``, or ``vote`` for
            numbers that are actions already.
        by_head: tensors that look different for a head.
        layered: the tensors stand in the file once for each layer, with its number behind the name: W0, b0,
            W1 … ``inputs`` are the rows of the layer before, ``rows`` the layer's own, chosen by the file but
            for the last layer.
        choices: entries of the metadata with the names that they may have, in the order of their codes 0, 1, …
        draws: whether ``act`` uses its random stream.
        kernels: the stem of the family whose native kernels serve this one, if it has none of its own.
        sees_time: whether the observation that ``act`` gets is min(elapsed, steps - 1) * states + observation, where
            ``steps`` is the first size of the first tensor and elapsed counts the steps since the reset.
        searches: whether the family plans: it has ``plan``, of states, instead of ``act``, and the kernels of the game.
        check: raises ValueError for an observation space, action space, head and tensors that the family
            cannot serve; called after names, dtypes, shapes and finiteness have been checked.
        example: random parameters, where independent random numbers would be refused: of the sizes by their
            words, the head, a ``check.Draw`` and the kind of numbers, ``ordinary``, ``wild`` or ``tied``.
    """

    tensors: Mapping[str, Form]
    heads: tuple[str, ...]
    by_head: Mapping[str, Mapping[str, Form]] = field(default_factory=dict)
    layered: bool = False
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    draws: bool = False
    kernels: str = ""
    sees_time: bool = False
    searches: bool = False
    check: Callable[[Space, ActionSpace, str, Mapping[str, Any]], None] = (
        lambda observation, action, head, tensors: None
    )
    example: Callable[[Mapping[str, int], str, Any, str], dict[str, Any]] | None = None

    def forms(self, head: str) -> dict[str, Form]:
        """The tensors for a head; of a layered family those of one layer, names without its number."""
        return {**self.tensors, **self.by_head.get(head, {})}
