# SPDX-License-Identifier: MIT
"""The family `table`: the action is the row of the state, and nothing but a state reaches a kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute_layers import registry
from compute_layers.agents import FORMAT_VERSION, Agent, AgentFile
from compute_layers.registry import Game, Level
from compute_layers.spec import Box, Discrete, Space
from conftest import LEVELS, Array, assert_same

FAMILY = registry.family("table")
TABLE_LEVELS = [level for level in LEVELS if level.isa is None or level.isa in FAMILY.isas[level.name]]
SIZES = (1, 2, 3, 7, 8, 9, 16, 131, 1024)  # of batches
LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33)  # of Box actions, around the pieces that kernels copy

every_level = pytest.mark.parametrize("level", TABLE_LEVELS, ids=str)


def tabular(states: int, action: Space) -> Game:
    """A game with these spaces; nobody plays it."""
    known = registry.game(registry.games()[0])
    return replace(known, spec=replace(known.spec, observation=Discrete(states), action=action))


def box(length: int) -> Box:
    return Box(tuple(-1.5 - k for k in range(length)), tuple(0.5 + k for k in range(length)))


def table(game: Game, seed: int = 0) -> Array:
    """Random actions, one for each state."""
    rng = np.random.default_rng(seed)
    states, action = game.observation, game.action
    assert isinstance(states, Discrete)
    if isinstance(action, Discrete):
        return rng.integers(0, action.n, states.n)
    return rng.uniform(action.low, action.high, (states.n, action.size)).astype(np.float32)


def file_of(game: Game, actions: Array) -> AgentFile:
    head = "vote" if isinstance(game.action, Discrete) else "box"
    about = {"family": "table", "layer": "algorithm", "head": head, "version": FORMAT_VERSION}
    return AgentFile("made up", game, about, {"actions": actions})


def agent_of(game: Game, actions: Array, level: Level) -> Agent:
    return Agent(file_of(game, actions), level.name, level.isa, 0)


# ---- the rule ----


@every_level
@pytest.mark.parametrize("states", [1, 2, 16, 500, 40_000])
def test_a_state_has_the_action_of_its_row(states: int, level: Level) -> None:
    game = tabular(states, Discrete(6))
    actions = table(game)
    agent = agent_of(game, actions, level)
    for n in SIZES:
        seen = np.random.default_rng(n).integers(0, states, n)
        assert_same(agent(seen), actions[seen], n, "states")
    for state in {0, states // 2, states - 1}:
        assert type(agent(state)) is int
        assert agent(state) == agent(np.int64(state)) == actions[state]


@every_level
@pytest.mark.parametrize("length", LENGTHS)
def test_a_row_of_numbers_is_copied_bit_by_bit(length: int, level: Level) -> None:
    game = tabular(20, box(length))
    actions = table(game)
    actions.ravel()[::7] = -0.0
    actions.ravel()[3::11] = 1e-45
    agent = agent_of(game, actions, level)
    for n in SIZES:
        seen = np.random.default_rng(n).integers(0, 20, n)
        assert_same(agent(seen), actions[seen], n, "states")
    assert_same(agent(7), actions[7], "one state")


@every_level
def test_every_state_is_read_where_it_stands(level: Level) -> None:
    game = tabular(1000, Discrete(1000))
    actions = np.random.default_rng(0).permutation(1000)
    agent = agent_of(game, actions, level)
    assert_same(agent(np.arange(1000)), actions, "all states")
    assert_same(agent(actions), actions[actions], "all states in another order")


# ---- what it takes ----


FORMS: dict[str, Callable[[Array], Any]] = {
    "a list": lambda a: a.tolist(),
    "a tuple": lambda a: tuple(a.tolist()),
    "int8": lambda a: a.astype(np.int8),
    "uint64": lambda a: a.astype(np.uint64),
    "big-endian": lambda a: a.astype(">i4"),
    "every other number": lambda a: np.repeat(a, 2)[::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype),
    "misaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1),
}


@every_level
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_states_of_every_form_are_read_rightly(form: Callable[[Array], Any], level: Level) -> None:
    game = tabular(100, Discrete(5))
    actions = table(game)
    for n in (1, 16, 67):
        seen = np.random.default_rng(n).integers(0, 100, n)
        assert_same(agent_of(game, actions, level)(form(seen)), actions[seen], n, "states")


def test_booleans_are_states() -> None:
    agent = agent_of(tabular(2, Discrete(3)), np.array([2, 1]), TABLE_LEVELS[0])
    assert (agent(False), agent(np.True_)) == (2, 1)
    assert agent([True, False]).tolist() == [1, 2]


@every_level
@pytest.mark.parametrize("action", [Discrete(4), box(3)], ids=["vote", "box"])
@pytest.mark.parametrize("wrong", [-1, 16, 17, 2**31, 2**40, -(2**40), 2**63 - 1, -(2**63), 2**63, 2**64 - 1])
def test_a_number_that_is_no_state_is_refused(wrong: int, action: Space, level: Level) -> None:
    game = tabular(16, action)
    actions = table(game)
    agent = agent_of(game, actions, level)
    said = rf"^observation is {wrong}; allowed: integers from 0 to 15$"
    with pytest.raises(ValueError, match=said):
        agent(wrong)
    dtype = np.int64 if wrong < 2**63 else np.uint64
    for n, at in ((1, 0), (9, 8), (200, 0), (200, 131)):
        seen = np.zeros(n, dtype)
        seen[at] = wrong
        with pytest.raises(ValueError, match=said):
            agent(seen)
        if dtype == np.int64:
            with pytest.raises(ValueError, match=said):
                agent.repeat(seen, 1)
    assert_same(agent([3, 5]), actions[[3, 5]], "afterwards")


@every_level
@pytest.mark.parametrize(
    "wrong", [1.0, np.float32(1), "1", None, [1.0, 2.0], 10**30, [[1], [2]], np.zeros((2, 1), np.int64), 1j]
)
def test_what_is_no_integer_is_refused(wrong: Any, level: Level) -> None:
    agent = agent_of(tabular(16, Discrete(4)), np.zeros(16, np.int64), level)
    with pytest.raises((TypeError, ValueError), match="^observation .*; allowed: integers from 0 to 15$"):
        agent(wrong)


@pytest.mark.parametrize("level", [level for level in TABLE_LEVELS if level.isa], ids=str)
def test_a_thread_that_overwrites_the_states_reads_nothing_from_elsewhere(level: Level) -> None:
    """The kernel runs without Python's lock: what was checked must be what it indexes with."""
    agent = agent_of(tabular(16, Discrete(2)), np.ones(16, np.int64), level)
    seen = np.zeros(300_000, np.int64)
    done = threading.Event()

    def overwrite() -> None:
        while not done.is_set():
            seen[-1] = 2**50
            seen[-1] = 0

    thread = threading.Thread(target=overwrite)
    thread.start()
    try:
        answered = 0
        for _ in range(100):
            try:
                assert (agent(seen) == 1).all()
                answered += 1
            except ValueError as refusal:
                assert str(refusal).endswith("; allowed: integers from 0 to 15")
    finally:
        done.set()
        thread.join()
    assert answered


# ---- files ----


def test_a_file_of_an_agent(tmp_path: Path) -> None:
    game = tabular(48, Discrete(4))
    path = tmp_path / "walk.safetensors"
    file_of(game, table(game)).save(path)
    read = AgentFile.read(path, game)
    assert (read.name, read.head) == ("walk", "vote")
    assert_same(read.tensors["actions"], table(game), "the table")


@pytest.mark.parametrize(("state", "action"), [(0, -1), (47, 4), (20, 2**40)])
def test_an_action_out_of_range_is_refused(state: int, action: int) -> None:
    game = tabular(48, Discrete(4))
    actions = table(game)
    actions[state] = action
    with pytest.raises(ValueError, match=rf"actions\[{state}\] is {action}; allowed: 0 to 3"):
        file_of(game, actions)


@pytest.mark.parametrize("number", [2.6, -3.6, np.inf, np.nan])
def test_a_number_out_of_bounds_is_refused(number: float) -> None:
    game = tabular(5, box(3))
    actions = table(game)
    actions[4, 2] = number
    with pytest.raises(ValueError, match=r"actions\[4\] has .*; allowed: -3.5 to 2.5|not finite"):
        file_of(game, actions)


@pytest.mark.parametrize(
    "actions",
    [np.zeros(47, np.int64), np.zeros(49, np.int64), np.zeros((48, 1), np.int64), np.zeros(48, np.int32)],
)
def test_a_table_of_another_size_is_refused(actions: Array) -> None:
    with pytest.raises(ValueError, match=r"actions is .*; allowed: int64 \(48,\)"):
        file_of(tabular(48, Discrete(4)), actions)


def test_a_vector_of_numbers_is_no_state() -> None:
    game = next(
        registry.game(id) for id in registry.games() if isinstance(registry.game(id).observation, Box)
    )
    about = {"family": "table", "layer": "algorithm", "head": "vote", "version": FORMAT_VERSION}
    with pytest.raises(ValueError, match="a vector of numbers; allowed: the number of a state"):
        AgentFile("made up", game, about, {"actions": np.zeros(3, np.int64)})
