# SPDX-License-Identifier: MIT
"""Lowering: a cheaper agent that plays as a given one does.

After VIPER (Bastani, Pu and Solar-Lezama, "Verifiable Reinforcement Learning via Policy Extraction", 2018). In each
round an agent plays, first the teacher, then the student of the round before. The states get the teacher's action as
their label and as their weight what a wrong action costs there: the value of the state less that of its worst action.
scikit-learn fits a student to the states of all rounds. Then the numbers of the best student are changed at random,
and what returns more is kept, until the student returns as much as the teacher or the budget is spent.

Values are the teacher's. Where a table defines the game they are computed for every number of steps that are left, a
state counts as often as an episode sees it, and a student's return is computed too. Other games are played: from
clones of a state each action is taken once and then the teacher followed until the episode ends, all with the same
random numbers.

Seeds from 2³² on are for rounds and search, those from 2³³ on say which student is the best. The evaluation, seeds 0
to 999, comes last and decides nothing.
"""

from __future__ import annotations

import math
import os
import shlex
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import registry
from .agents import FORMAT_VERSION, Agent, AgentFile, agent_file
from .batch import rows_of
from .measure import Contestant, Interleaved, Timing, conditions_line, short
from .planning import exact_return
from .policies.tree import LEAF
from .registry import Game, unknown
from .rollout import DEFAULT_LIMIT, parse_count, rollout, rollout_population
from .spec import Box, Discrete, Tuple, seen_by_policies
from .training.run import (
    EVALUATION,
    LAYER,
    TRAINING_SEED,
    VERIFICATION,
    VERIFICATION_SEED,
    Made,
    Tensors,
    blas,
    cpus,
    stacked,
)
from .trees import CANDIDATES, Moves, balanced, climb, rounded, smallest
from .vector import VectorEnv

SCHEMA = "compute_layers/lower/1"
FAMILIES = ("tree", "linear", "mlp", "table")  # of students
DEPTH = 4
DEEPEST = 32
HIDDEN = (16,)  # rows of the hidden layers of an mlp, unless told otherwise
MOST_ROWS = 2**12
MOST_LEAVES = 2**16
FITS = 500  # iterations in the fit of an mlp
ROUNDS = 4
MOST_ROUNDS = 1000
LANES = 64  # episodes of a round
STATES = 1024  # of a round, that are labelled
SEARCH_SEED = TRAINING_SEED + 2**24  # behind the episodes of the rounds
EVALUATIONS = 20_000  # of candidates, unless told otherwise
MOST_EVALUATIONS = 10**9
EPISODES = 32  # of a candidate in its generation
FLOOR = 0.1  # part of the mean weight that every state has, so that none counts for nothing
TIE = 1e-9  # of return, below which an action is as good as another
TURNS = 25  # of the two agents that are timed
MOST_LINES = 40  # of the readable form on the console


@dataclass(frozen=True, eq=False)
class Labelled:
    """States and what the teacher does there.

    Attributes:
        rows: float32 (states, inputs), as policies see them.
        actions: int64 (states,), or float32 (states, numbers).
        weights: float64 (states,): what the worst action costs.
    """

    rows: NDArray[np.float32]
    actions: NDArray[Any]
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Progress:
    """Where lowering stands after a round or a generation of the search.

    Attributes:
        seconds, steps: spent so far; steps of the environment, verification included.
        rounds, evaluations: rounds played, and candidates of the search.
        best: what the best student so far returns in its verification.
        goal: what the teacher does there.
        tensors: the best student's.
    """

    seconds: float
    steps: int
    rounds: int
    evaluations: int
    best: float
    goal: float
    tensors: Tensors


@dataclass(frozen=True, eq=False, kw_only=True)
class Lowering(Made):
    """The result of :func:`lower`.

    Attributes:
        teacher, file: before and after.
        stopped: why it ended: ``as good as the teacher``, ``evaluations``, ``seconds`` or ``interrupted``.
        returns: of both, float64 (1000,): of the evaluation seeds.
        values: of both the expected return, computed; nan where no table defines the game.
        decisions: of both, nanoseconds of a decision, from one measurement in turns.
        level: at which both were timed.
        progress: an entry for every round and every generation of the search.
    """

    teacher: AgentFile
    returns: tuple[NDArray[np.float64], NDArray[np.float64]]
    values: tuple[float, float]
    decisions: tuple[Timing, Timing]
    levels: tuple[str, str]
    progress: list[Progress]

    def as_dict(self) -> dict[str, Any]:
        """The lowering for a program; see ``schema``."""
        last = self.progress[-1]
        agents = []
        for file, returns, value, decision, level in self._both():
            mean, interval = mean_and_interval(returns)
            agents.append(
                {
                    "agent": file.name,
                    "family": file.family.stem,
                    "episodes": len(returns),
                    "return_mean": mean,
                    "return_interval_95": interval,
                    "return_computed": None if math.isnan(value) else value,
                    "level": level,
                    "ns_per_decision": asdict(decision),
                    "bytes": parameter_bytes(file),
                    "operations": operations(file),
                }
            )
        difference, interval = mean_and_interval(self.returns[1] - self.returns[0])
        return self.described(SCHEMA) | {
            "seconds": last.seconds,
            "steps": last.steps,
            "rounds": last.rounds,
            "evaluations": last.evaluations,
            "before": agents[0],
            "after": agents[1],
            "difference_mean": difference,
            "difference_interval_95": interval,
            "readable": readable(self.file).split("\n"),
        }

    def print(self, console: Console) -> None:
        """Both agents, what they differ by, and the student in a form to read."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        computed = not math.isnan(self.values[0])
        columns = ("agent", "family", "return ± 95 %", *(("computed",) if computed else ()), "level")
        for column in (*columns, "ns/decision", "bytes", "operations"):
            table.add_column(column, justify="left" if column in ("agent", "family", "level") else "right")
        for file, returns, value, decision, level in self._both():
            mean, interval = mean_and_interval(returns)
            table.add_row(
                file.name,
                file.family.stem,
                f"{mean:.2f} ± {interval:.2f}",
                *((f"{value:.4f}",) if computed else ()),
                escape(level),
                f"{decision.median:,.2f}",
                f"{parameter_bytes(file):,}",
                operations(file),
            )
        console.print(f"{self.file.game.id}: {self.teacher.name} to {self.file.name}", markup=False)
        console.print(table)
        difference, interval = mean_and_interval(self.returns[1] - self.returns[0])
        share = self.decisions[1].median / self.decisions[0].median
        last, said = self.progress[-1], self.file.metadata
        lines = readable(self.file).split("\n")
        if len(lines) > MOST_LINES:
            lines = [*lines[:MOST_LINES], f"… and {len(lines) - MOST_LINES} more lines, which --json has"]
        for line in (
            f"{difference:+.2f} ± {interval:.2f} of return on the same {len(self.returns[0])} seeds, "
            f"{100 * share:.3g} % of the time",
            "",
            *lines,
            "",
            f"{said['preparation']}, {last.seconds:.1f} s; stopped: {self.stopped}",
            conditions_line(),
            said["command"],
        ):
            console.print(line, soft_wrap=True, markup=False)

    def _both(self) -> Iterator[tuple[AgentFile, NDArray[np.float64], float, Timing, str]]:
        files = (self.teacher, self.file)
        yield from zip(files, self.returns, self.values, self.decisions, self.levels, strict=True)


def mean_and_interval(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """The mean, and half its 95 % interval from the normal distribution."""
    return float(numbers.mean()), float(1.96 * numbers.std(ddof=1) / math.sqrt(len(numbers)))


# ---- where states, weights and returns come from ----


class _Simulation:
    """A game that is played.

    Attributes:
        steps: of the environment, so far.
        seen: observations, as agents take them, from the teacher's own episodes.
        goal: what the teacher returns in the verification.
    """

    def __init__(self, game: Game, teacher: AgentFile, rng: np.random.Generator) -> None:
        self.steps = 0
        self.seen: NDArray[Any] = np.zeros(0)
        self._game, self._rng = game, rng
        self._teacher = Agent(teacher, "auto", None, seed=0)
        self._limit = game.entry.max_episode_steps or DEFAULT_LIMIT
        self._labelled: list[Labelled] = []
        self.goal = self.value(teacher)

    def value(self, file: AgentFile) -> float:
        """What an agent returns in the verification."""
        agent = Agent(file, "auto", None, seed=0)
        played = rollout(self._game, agent, episodes=VERIFICATION, seed=VERIFICATION_SEED, threads=cpus())
        self.steps += played.steps
        return float(played.returns.mean())

    def values(self, files: Sequence[AgentFile], generation: int) -> NDArray[np.float64]:
        """What agents of the same shapes return in the same episodes, which are others in each generation."""
        played = rollout_population(
            self._game,
            Agent(files[0], "auto", None, seed=0),
            stacked([file.tensors for file in files]),
            episodes=EPISODES,
            seed=SEARCH_SEED + generation * EPISODES,
            threads=cpus(),
        )
        self.steps += played.steps
        means: NDArray[np.float64] = played.returns.mean(axis=1)
        return means

    def computed(self, file: AgentFile) -> float:
        """The expected return, which is not known."""
        return nan

    def label(self, player: AgentFile, number: int) -> Labelled:
        """The states of this round and those before."""
        agent = Agent(player, "auto", None, seed=0)
        envs = VectorEnv(LANES, game=self._game, max_episode_steps=self._limit)
        observation, _ = envs.reset(seed=TRAINING_SEED + number * LANES)
        playing = np.ones(LANES, np.bool_)
        seen, states, there = [], [], []
        while playing.any():
            seen.append(rows_of(observation).copy())
            states.append(envs.get_state())
            there.append(playing)
            self.steps += int(playing.sum())
            observation, _, terminated, truncated, _ = envs.step(agent(observation))
            playing = playing & ~(terminated | truncated)
        visited = np.flatnonzero(np.concatenate(there))
        chosen = np.sort(self._rng.choice(visited, min(STATES, len(visited)), replace=False))
        observations = np.concatenate(seen)[chosen]
        if number == 0:
            self.seen = observations
        actions = self._teacher(observations)
        weights = self._costs(_picked(states, chosen), actions)
        self._labelled.append(Labelled(self._rows(observations), actions, weights))
        return Labelled(
            np.concatenate([part.rows for part in self._labelled]),
            np.concatenate([part.actions for part in self._labelled]),
            np.concatenate([part.weights for part in self._labelled]),
        )

    def _rows(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """Observations as policies see them."""
        space = self._game.observation
        if isinstance(space, Tuple):
            observations = np.ravel_multi_index(tuple(observations.T), tuple(part.n for part in space.spaces))
        return observations.reshape(len(observations), -1).astype(np.float32)

    def _costs(self, states: dict[str, Any], actions: NDArray[Any]) -> NDArray[np.float64]:
        """What the worst action costs in each state, if the teacher goes on; the whole time limit lies ahead."""
        space = self._game.action
        others = np.arange(space.n) if isinstance(space, Discrete) else np.array([space.low, space.high])
        if not np.isfinite(others).all():
            return np.zeros(len(actions))
        tried = np.stack([actions, *(np.broadcast_to(other, actions.shape) for other in others)], axis=1)
        branches = tried.shape[1]
        envs = VectorEnv(len(actions) * branches, game=self._game, max_episode_steps=self._limit)
        envs.reset(seed=0)
        envs.set_state(_repeated(states, branches))
        values = np.zeros(envs.num_envs)
        playing = np.ones(envs.num_envs, np.bool_)
        taken = tried.reshape(envs.num_envs, *actions.shape[1:]).astype(actions.dtype)
        while True:
            self.steps += int(playing.sum())
            observation, rewards, terminated, truncated, _ = envs.step(taken)
            values += np.where(playing, rewards, 0.0)
            playing &= ~(terminated | truncated)
            if not playing.any():
                break
            taken = self._teacher(observation)
        by_branch = values.reshape(-1, branches)
        costs: NDArray[np.float64] = by_branch[:, 0] - by_branch.min(axis=1)
        return costs


def _picked(states: Sequence[Mapping[str, Any]], chosen: NDArray[np.int64]) -> dict[str, Any]:
    """Of the lanes of several snapshots, counted through, these; at the beginning of their time limit."""
    fields = {
        name: np.concatenate([state["state"][name] for state in states])[chosen]
        for name in states[0]["state"]
    }
    return {
        "game": states[0]["game"],
        "state": fields,
        "elapsed": np.zeros(len(chosen), np.int64),
        "ahead": np.zeros(len(chosen), np.bool_),
        "rng": np.concatenate([state["rng"] for state in states], axis=1)[:, chosen],
        "rng_ahead": np.concatenate([state["rng_ahead"] for state in states], axis=1)[:, chosen],
        "seeds": [0] * len(chosen),
    }


def _repeated(states: dict[str, Any], times: int) -> dict[str, Any]:
    """A snapshot with every lane so many times."""
    return {
        **states,
        "state": {name: values.repeat(times) for name, values in states["state"].items()},
        "seeds": states["seeds"] * times,
        **{name: states[name].repeat(times, axis=-1) for name in ("elapsed", "ahead", "rng", "rng_ahead")},
    }


class _Tabular:
    """A game that a table defines: what :class:`_Simulation` plays is computed here, of the same attributes."""

    def __init__(self, game: Game, teacher: AgentFile) -> None:
        table = game.default.table
        assert table is not None
        self.steps = 0
        self.seen = np.arange(table.states)
        self._game, self._states, self._actions = game, table.states, table.actions
        self._limit = game.entry.max_episode_steps or DEFAULT_LIMIT
        self._starts = np.array(table.initial_state_distrib, np.float64)
        flat = [
            (state, action, outcome.probability, outcome.state, outcome.reward, not outcome.terminated)
            for state, rows in enumerate(table.rows)
            for action, row in enumerate(rows)
            for outcome in row.outcomes[:-1]
        ]
        columns = [np.array(column) for column in zip(*flat, strict=True)]
        self._from, self._by, self._probability, self._to, self._reward, self._goes_on = columns
        self._teacher = self._choices(teacher)
        # By steps left: the value of each state.
        self._left = [np.zeros(self._states)]
        for _ in range(self._limit):
            self._left.append(self._ahead(self._left[-1])[np.arange(self._states), self._teacher])
        self._costs = np.zeros((self._states, self._actions))
        self._visited = np.zeros(self._states, np.bool_)
        self.goal = self.value(teacher)

    def _choices(self, file: AgentFile) -> NDArray[np.int64]:
        chosen: NDArray[np.int64] = Agent(file, "auto", None, seed=0)(np.arange(self._states))
        return chosen

    def _ahead(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value of each action, (states, actions), if the next states have these."""
        gains = self._probability * (self._reward + self._goes_on * values[self._to])
        pairs = self._from * self._actions + self._by
        return _summed(pairs, gains, self._states * self._actions).reshape(self._states, -1)

    def _visits(self, choices: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
        """By steps taken: the probability of each state."""
        taken = self._by == choices[self._from]
        start, end = self._from[taken], self._to[taken]
        share = (self._probability * self._goes_on)[taken]
        there = self._starts
        for _ in range(self._limit):
            yield there
            there = _summed(end, share * there[start], self._states)

    def value(self, file: AgentFile) -> float:
        """What an agent returns, on average."""
        return exact_return(self._game, self._choices(file))

    computed = value

    def values(self, files: Sequence[AgentFile], generation: int) -> NDArray[np.float64]:
        """What agents return, on average."""
        return np.array([self.value(file) for file in files])

    def label(self, player: AgentFile, number: int) -> Labelled:
        """The states that the players of this round and those before may see."""
        for taken, there in enumerate(self._visits(self._choices(player))):
            self._visited |= there > 0.0
            left = self._limit - taken
            self._costs += there[:, None] * (self._left[left][:, None] - self._ahead(self._left[left - 1]))
        weights = np.maximum(self._costs, 0.0).max(axis=1)
        seen = np.flatnonzero(self._visited)
        rows = seen[:, None].astype(np.float32)
        return Labelled(rows, _in_runs(self._costs[seen] <= TIE), weights[seen])


def _summed(places: NDArray[np.int64], numbers: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """The sums of the numbers that have the same place, in their order."""
    sums: NDArray[Any] = np.bincount(places, numbers, length)
    return sums


def _in_runs(allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each state's allowed actions, (states, actions), one, so that it changes as seldom as can be on the way
    through the states."""
    actions = np.zeros(len(allowed), np.int64)
    first, common = 0, np.ones(allowed.shape[1], np.bool_)
    for state, here in enumerate(allowed):
        if not (common & here).any():
            first, common = state, here
        common = common & here
        actions[first : state + 1] = common.argmax()
    return actions


# ---- students ----


class _Tree:
    """Students of the family ``tree``.

    Args:
        depth: comparisons of a decision, at most.
        leaves: at most; None is no limit.
    """

    def __init__(self, game: Game, depth: int, leaves: int | None, seed: int) -> None:
        self._game, self._depth, self._leaves, self._seed = game, depth, leaves, seed
        self.head = "vote" if isinstance(game.action, Discrete) else "box"
        self._states = isinstance(seen_by_policies(game.observation), Discrete)

    def fit(self, states: Labelled) -> Tensors:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        kind = DecisionTreeClassifier if self.head == "vote" else DecisionTreeRegressor
        most = {"max_depth": self._depth, "max_leaf_nodes": self._leaves}
        if self._states:  # it will be balanced: so many leaves have room
            room = 2**self._depth
            most = {"max_leaf_nodes": min(self._leaves or room, room)}
        fitted = kind(**most, random_state=self._seed)
        fitted.fit(states.rows, states.actions, _weights(states))
        tree = fitted.tree_
        # Down to float32: every float32 stays on its side.
        threshold = tree.threshold.astype(np.float32)
        threshold = np.where(
            threshold > tree.threshold, np.nextafter(threshold, np.float32(-np.inf)), threshold
        )
        if self.head == "vote":
            leaf = fitted.classes_[tree.value[:, 0].argmax(axis=1)]
        else:
            leaf = rounded(tree.value[:, :, 0])
        found = {
            "feature": tree.feature.astype(np.int64),
            "threshold": threshold if self._states else rounded(threshold),
            "left": tree.children_left.astype(np.int64),
            "right": tree.children_right.astype(np.int64),
            "leaf": leaf,
        }
        return balanced(found) if self._states else found

    def changing(self, states: Labelled, rng: np.random.Generator) -> Callable[[Tensors], Tensors]:
        """What makes a candidate of the search."""
        moves = Moves(self._game, states.rows)
        return lambda tensors: moves.changed(tensors, rng)

    def finished(self, tensors: Tensors) -> Tensors:
        """The same decisions from fewer nodes."""
        found = smallest(tensors)
        return balanced(found) if self._states else found


class _Linear:
    """Students of the family ``linear``: logistic regression, or least squares."""

    def __init__(self, game: Game) -> None:
        self._action = game.action
        self.head = "box" if isinstance(game.action, Box) else "threshold" if game.action.n == 2 else "argmax"

    def fit(self, states: Labelled) -> Tensors:
        from sklearn.linear_model import LinearRegression, LogisticRegression

        rows, counts, middle, spans = _of_like_size(states)
        if isinstance(self._action, Box):
            fitted = LinearRegression().fit(rows, states.actions, counts)
            weights, biases = fitted.coef_, fitted.intercept_
        else:
            _require_two(states, "linear")
            fitted = LogisticRegression(C=1e3, max_iter=10_000).fit(rows, states.actions, counts)
            weights, biases = _placed(self._action.n, fitted.classes_, fitted.coef_, fitted.intercept_)
        weights = weights / spans
        return {"W": weights.astype(np.float32), "b": (biases - weights @ middle).astype(np.float32)}

    def changing(self, states: Labelled, rng: np.random.Generator) -> Callable[[Tensors], Tensors]:
        return lambda tensors: _moved(tensors, rng)

    def finished(self, tensors: Tensors) -> Tensors:
        return tensors


class _Mlp(_Linear):
    """Students of the family ``mlp`` with the activation tanh.

    Args:
        layers: rows of the hidden ones.
        seed: of the first weights and the order of the states.
    """

    def __init__(self, game: Game, layers: Sequence[int], seed: int) -> None:
        super().__init__(game)
        self._layers, self._seed = layers, seed

    def fit(self, states: Labelled) -> Tensors:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        rows, counts, middle, spans = _of_like_size(states)
        kind = MLPRegressor if isinstance(self._action, Box) else MLPClassifier
        if kind is MLPClassifier:
            _require_two(states, "mlp")
        actions = states.actions[:, 0] if states.actions.shape[1:] == (1,) else states.actions
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the search goes on from here
            fitted = kind(
                hidden_layer_sizes=self._layers,
                activation="tanh",
                solver="lbfgs",
                max_iter=FITS,
                random_state=self._seed,
            ).fit(rows, actions, counts / counts.mean())
        weights, biases = [part.T for part in fitted.coefs_], list(fitted.intercepts_)
        if not isinstance(self._action, Box):
            weights[-1], biases[-1] = _placed(self._action.n, fitted.classes_, weights[-1], biases[-1])
        weights[0] = weights[0] / spans
        biases[0] = biases[0] - weights[0] @ middle
        return {
            f"{name}{layer}": tensor.astype(np.float32)
            for layer, pair in enumerate(zip(weights, biases, strict=True))
            for name, tensor in zip("Wb", pair, strict=True)
        }


def _of_like_size(
    states: Labelled,
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """The states with numbers of like size, so that solvers converge, their weights, and what was taken off and divided
    by."""
    middle, spans = states.rows.mean(axis=0), np.ptp(states.rows, axis=0)
    spans[spans == 0.0] = 1.0
    return (states.rows - middle) / spans, _weights(states), middle, spans


def _require_two(states: Labelled, family: str) -> None:
    """Refuse what no classifier can be fitted to."""
    if len(np.unique(states.actions)) == 1:
        raise ValueError(
            f"the teacher takes action {states.actions[0]} in every state; allowed for {family}: two and more"
        )


def _moved(tensors: Tensors, rng: np.random.Generator) -> Tensors:
    """Weights, each moved by a share of itself."""
    step = 2.0 ** -rng.integers(1, 9)
    return {
        name: (tensor * (1.0 + step * rng.standard_normal(tensor.shape))).astype(np.float32)
        for name, tensor in tensors.items()
    }


def _placed(
    actions: int, known: NDArray[Any], scores: NDArray[Any], constants: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights and biases of all actions, for two of them those of the threshold, from scikit-learn's of the actions
    that it knows, which for two are one row."""
    weights, biases = np.zeros((actions, scores.shape[1])), np.full(actions, -1e9)
    if len(known) == 2:
        weights[known[1]], biases[known] = scores[0], (0.0, constants[0])
    else:
        weights[known], biases[known] = scores, constants
    return (weights[1:] - weights[:1], biases[1:] - biases[:1]) if actions == 2 else (weights, biases)


class _Table:
    """The one student of the family ``table``: the teacher's actions."""

    def __init__(self, game: Game, teacher: AgentFile) -> None:
        self._game, self._teacher = game, Agent(teacher, "auto", None, seed=0)
        self.head = "vote" if isinstance(game.action, Discrete) else "box"

    def fit(self, states: Labelled) -> Tensors:
        space = self._game.observation
        assert not isinstance(space, Box)
        numbers = np.arange(space.n)
        if isinstance(space, Tuple):
            numbers = np.stack(np.unravel_index(numbers, [part.n for part in space.spaces]), axis=1)
        return {"actions": self._teacher(numbers)}

    def changing(self, states: Labelled, rng: np.random.Generator) -> Callable[[Tensors], Tensors]:
        return lambda tensors: tensors

    def finished(self, tensors: Tensors) -> Tensors:
        return tensors


_Student = _Tree | _Linear | _Table
_Source = _Simulation | _Tabular


def _weights(states: Labelled) -> NDArray[np.float64]:
    """Of the states in a fit; the sum is rounded once, whatever adds it up."""
    mean = math.fsum(states.weights) / len(states.weights)
    return states.weights + FLOOR * mean if mean > 0.0 else np.ones(len(states.weights))


# ---- lowering ----


def lower(
    agent: str | os.PathLike[str],
    game: str | Game,
    to: str = "tree",
    *,
    depth: int | None = None,
    leaves: int | None = None,
    layers: Sequence[int] | None = None,
    seed: int = 0,
    rounds: int = ROUNDS,
    evaluations: int = EVALUATIONS,
    seconds: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Lowering:
    """Make a cheaper agent that plays as a given one does.

    It stops when a student returns as much as the teacher in the verification, when the budget is spent, and at
    Ctrl-C.

    Args:
        agent: the teacher: the name of a shipped agent, or the path of a ``.safetensors`` file.
        game: the id.
        to: ``tree``, ``linear``, ``mlp``, or ``table`` for games of numbered states.
        depth: comparisons of a decision of the tree at most, 1 to 32; None is 4.
        leaves: of the tree at most, 2 to 2¹⁶; None is no limit.
        layers: rows of the hidden layers of an mlp; None is 16.
        seed: of all that is drawn, 0 to 2³² - 1.
        rounds: of teacher or student at play, at least one.
        evaluations: of candidates in the search, at most.
        seconds: at most, by a round or generation more; None is no limit.
        report: called after every round, and after every generation of the search.

    Raises:
        ValueError, TypeError: an unknown name, an argument out of range, a teacher that draws its actions, or a game
            whose observations the family does not take.
        gymnasium.error.DependencyNotInstalled: the extra ``lower`` is not installed.
        KeyboardInterrupt: Ctrl-C in the first round; later it ends lowering with the best student so far.
    """
    found = registry.game(game)
    teacher = agent_file(found, agent)
    if to not in FAMILIES:
        raise unknown("to", to, FAMILIES)
    if teacher.family.spec.draws:
        raise ValueError(
            f"agent is {teacher.name!r}, which draws its actions; allowed: one that decides alone"
        )
    if teacher.family.spec.sees_time:
        raise ValueError(
            f"agent is {teacher.name!r}, which sees the time; allowed: one that sees observations alone"
        )
    if to != "tree" and (depth, leaves) != (None, None):
        raise ValueError(f"depth is {depth}, leaves is {leaves}; allowed: None, family {to} is no tree")
    depth = parse_count("depth", DEPTH if depth is None else depth, DEEPEST)
    leaves = None if leaves is None else parse_count("leaves", leaves, MOST_LEAVES, least=2)
    if to != "mlp" and layers is not None:
        raise ValueError(f"layers is {list(layers)}; allowed: None, family {to} has no layers")
    rows = [
        parse_count("a number in layers", row, MOST_ROWS) for row in (HIDDEN if layers is None else layers)
    ]
    seed = parse_count("seed", seed, 2**32 - 1, least=0)
    rounds = parse_count("rounds", rounds, MOST_ROUNDS)
    evaluations = parse_count("evaluations", evaluations, MOST_EVALUATIONS, least=0)
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds is {seconds}; allowed: more than 0")
    states = isinstance(seen_by_policies(found.observation), Discrete)
    if states != (to == "table") and to != "tree":
        seen = "the numbers of states" if states else "vectors of numbers"
        raise ValueError(
            f"to is {to!r}; the observations of {found.id} are {seen}, which the family does not take"
        )
    try:
        import sklearn  # noqa: F401
    except ImportError as problem:
        raise DependencyNotInstalled(
            f"lowering needs scikit-learn ({problem}): pip install 'compute_layers[lower]'"
        ) from None

    rng = np.random.default_rng(seed)
    student: _Student
    if to == "tree":
        student = _Tree(found, depth, leaves, seed)
    elif to == "mlp":
        student = _Mlp(found, rows, seed)
    else:
        student = _Linear(found) if to == "linear" else _Table(found, teacher)
    controller, kernels = blas(scipy=True)
    metadata = {
        "family": to,
        "layer": LAYER.get(to, "subsymbolic"),
        "head": student.head,
        "version": FORMAT_VERSION,
        **({"activation": "tanh"} if to == "mlp" else {}),
    }
    progress: list[Progress] = []
    stopped = ""
    # On one thread: the order of BLAS's sums must not depend on the number of cores.
    limits = controller.limit(limits=1)
    try:
        source: _Source = (
            _Tabular(found, teacher) if found.default.table else _Simulation(found, teacher, rng)
        )
        for at in _improvements(teacher, student, metadata, source, rounds, rng):
            progress.append(at)
            if at.best >= at.goal - TIE:
                stopped = "as good as the teacher"
            elif at.rounds == rounds and at.evaluations + CANDIDATES - 1 > evaluations:
                stopped = "evaluations"
            elif seconds is not None and at.seconds >= seconds:
                stopped = "seconds"
            report(at)
            if stopped:
                break
    except KeyboardInterrupt:
        if not progress:
            raise
        stopped = "interrupted"
    finally:
        limits.restore_original_limits()

    last = progress[-1]
    if stopped in ("seconds", "interrupted"):  # in the command counts stand for the clock
        rounds, evaluations = last.rounds, last.evaluations
    command = ["compute-layers", "lower", Path(agent).name, "--game", found.id, "--to", to]
    if to == "tree":
        command += ["--depth", str(depth)]
        command += [] if leaves is None else ["--leaves", str(leaves)]
    command += ["--layers", ",".join(map(str, rows))] if to == "mlp" else []
    command += ["--seed", str(seed)]
    command += [] if rounds == ROUNDS else ["--rounds", str(rounds)]
    command += [] if evaluations == EVALUATIONS else ["--evaluations", str(evaluations)]
    metadata |= {
        "command": shlex.join(command),
        "teacher": teacher.name,
        "steps": str(last.steps),
        "preparation": _preparation(last, teacher),
        "packages": ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "numpy")),
        **({"blas": kernels} if to in ("linear", "mlp") else {}),
    }
    file = AgentFile("lowered", found, metadata, student.finished(last.tensors))
    players = [Agent(each, "auto", None, seed=0) for each in (teacher, file)]
    before, after = (
        rollout(found, player, episodes=EVALUATION, threads=cpus()).returns for player in players
    )
    file.note_returns(after)
    timings = Interleaved({player: _decisions(player, source.seen) for player in players}).run(TURNS)
    return Lowering(
        teacher=teacher,
        file=file,
        returns=(before, after),
        values=(source.computed(teacher), source.computed(file)),
        decisions=(timings[players[0]], timings[players[1]]),
        levels=(_level(players[0]), _level(players[1])),
        progress=progress,
        stopped=stopped,
    )


def _improvements(
    teacher: AgentFile,
    student: _Student,
    metadata: Mapping[str, str],
    source: _Source,
    rounds: int,
    rng: np.random.Generator,
) -> Iterator[Progress]:
    """The rounds, and then generations of the search without an end."""
    start = time.perf_counter()
    player = best = teacher
    value = -inf

    def now(rounds: int, evaluations: int) -> Progress:
        seconds = time.perf_counter() - start
        return Progress(seconds, source.steps, rounds, evaluations, value, source.goal, best.tensors)

    def made(tensors: Tensors) -> AgentFile:
        return AgentFile("student", teacher.game, metadata, tensors)

    for number in range(rounds):
        states = source.label(player, number)
        player = made(student.fit(states))
        found = source.value(player)
        if found > value:
            value, best = found, player
        yield now(number + 1, 0)
    changing = student.changing(states, rng)
    search = climb(
        best.tensors,
        value,
        changing,
        lambda candidates, generation: source.values([made(each) for each in candidates], generation),
        lambda candidate: source.value(made(candidate)),
    )
    for generation, (tensors, reached, _) in enumerate(search):
        best, value = made(tensors), reached
        yield now(rounds, (generation + 1) * (CANDIDATES - 1))


def _preparation(last: Progress, teacher: AgentFile) -> str:
    spent = [_counted(last.rounds, "round")]
    spent += [_counted(last.evaluations, "evaluation")] if last.evaluations else []
    spent += [f"{short(last.steps)} steps"] if last.steps else []
    return f"VIPER from {teacher.name}, {', '.join(spent)}"


def _decisions(player: Agent, seen: NDArray[Any]) -> Contestant:
    return lambda times: (player.repeat(seen, times), float(times * len(seen)))


def _level(player: Agent) -> str:
    return player.level if player.isa is None else f"{player.level}[{player.isa}]"


# ---- what a report says of an agent ----


def parameter_bytes(file: AgentFile) -> int:
    """Of its tensors."""
    return sum(tensor.nbytes for tensor in file.tensors.values())


def operations(file: AgentFile) -> str:
    """What a decision does at most, counted in the family's own terms."""
    family, tensors = file.family.stem, file.tensors
    if family in ("tree", "forest"):
        roots = tensors["root"].tolist() if family == "forest" else [0]
        ends = [*roots[1:], len(tensors["left"])]
        return _counted(sum(_depth(tensors, *tree) for tree in zip(roots, ends, strict=True)), "comparison")
    if family in ("linear", "mlp"):
        return _counted(sum(tensor.size for tensor in tensors.values() if tensor.ndim == 2), "multiply-add")
    return {"table": "1 look-up", "constant": "none"}.get(family, "not counted")


def _depth(tensors: Mapping[str, NDArray[Any]], root: int, end: int) -> int:
    """Of the tree from one node to before another."""
    left, right = (tensors[name][root:end].tolist() for name in ("left", "right"))
    depths = [0] * len(left)
    for node, depth in enumerate(depths):  # children stand behind their parent
        if left[node] != LEAF:
            depths[left[node]] = depths[right[node]] = depth + 1
    return max(depths)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def readable(file: AgentFile) -> str:
    """The rule that an agent is, in lines to read: Python's words, the action in ``action``."""
    tensors = file.tensors
    names = observation_names(file.game)
    if file.family.stem == "tree" and file.head in ("vote", "box"):
        return "\n".join(_branches(file, names, 0, ""))
    if file.family.stem == "linear":
        sums = [
            " + ".join([*(f"{w!s} * {name}" for w, name in zip(row, names, strict=True)), str(bias)])
            for row, bias in zip(tensors["W"], tensors["b"], strict=True)
        ]
        if file.head == "threshold":
            return f"action = 1 if {sums[0]} > 0 else 0"
        if file.head == "argmax":
            return "\n".join(["action = argmax(", *(f"    {each}," for each in sums), ")"])
        return f"action = clip({', '.join(sums)})"
    if file.family.stem == "table" and file.head == "vote":
        actions = tensors["actions"]
        ends = [*(np.flatnonzero(np.diff(actions)) + 1).tolist(), len(actions)]
        starts = [0, *ends[:-1]]
        return "\n".join(
            f"state {first}{'' if end == first + 1 else f' to {end - 1}'}: action = {actions[first]}"
            for first, end in zip(starts, ends, strict=True)
        )
    shapes = ", ".join(f"{name} {tensor.shape}" for name, tensor in tensors.items()) or "no numbers"
    return f"family {file.family.stem}, head {file.head}: {shapes}"


def observation_names(game: Game) -> tuple[str, ...]:
    """What the numbers of an observation are called, as policies see them."""
    space = seen_by_policies(game.observation)
    if isinstance(space, Discrete):
        return ("state",)
    return game.spec.observation_names or tuple(f"obs[{k}]" for k in range(space.size))


def _branches(file: AgentFile, names: Sequence[str], node: int, indent: str) -> Iterator[str]:
    feature, threshold, left, right, leaf = (tensor[node] for tensor in file.tensors.values())
    if left == LEAF:
        numbers = np.atleast_1d(leaf)
        yield f"{indent}action = {', '.join(map(str, numbers))}"
        return
    yield f"{indent}if {names[feature]} > {threshold!s}:"
    yield from _branches(file, names, right, indent + "    ")
    below = list(_branches(file, names, left, indent))
    if below[0].startswith(f"{indent}if "):
        yield f"{indent}el{below[0].removeprefix(indent)}"
        yield from below[1:]
    else:
        yield f"{indent}else:"
        yield from (f"    {line}" for line in below)
