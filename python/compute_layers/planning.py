# SPDX-License-Identifier: MIT
"""Planning: dynamic programming on the table of a game, and the exact value of what it finds.

All of it is one kernel, the Bellman backup (``planners/backup.py``), swept over the states until the values stand
still. Value iteration backs up the best action of each state. Policy iteration backs up the policy's own action, which
is the best one of a table that has no other, and then improves the policy by one backup of the whole table. Backward
induction is n sweeps for a time limit of n steps; its policy sees the time. Levels, isas and machines give equal bytes.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core, registry
from .agents import FORMAT_VERSION, Agent, AgentFile
from .batch import NO_LIMIT, parse_limit
from .models import Model, model_of
from .planners.backup import Rows
from .registry import Game, resolve
from .rollout import DEFAULT_LIMIT, rollout

GAMMA = 0.999
TOLERANCE = 1e-10
MOST_SWEEPS = 1_000_000
STEM = "backup"
BACKWARD_INDUCTION = "backward-induction"
MOST_STEPS = 100_000  # of backward induction
EPISODES = 1000  # evaluation seeds 0, 1, …

Values = NDArray[np.float64]
Actions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """The result of :func:`value_iteration`, :func:`policy_iteration` and :func:`backward_induction`.

    Attributes:
        game, arguments: what was planned for, and the constructor arguments.
        method, gamma, tolerance: as they were asked for.
        values: float64 (states,): of the model's states, which are the observations where the game is tabular.
        actions: int64 (observations,): for each observation the action to take; of :func:`backward_induction`
            (steps, observations).
        sweeps: backups of all states, evaluations of policies included.
        improvements: policies that were evaluated; 0 for value iteration.
        seconds: wall time of the sweeps.
        level, isa: what ran.
    """

    game: Game
    arguments: Mapping[str, Any]
    method: str
    gamma: float
    tolerance: float
    values: Values
    actions: Actions
    sweeps: int
    improvements: int
    seconds: float
    level: str
    isa: str | None


class Sweeper:
    """Sweeps of a planner at one level, counted and timed.

    Raises:
        LevelUnavailable: the level or isa cannot be served here.
    """

    def __init__(self, level: str, isa: str | None, stem: str = STEM) -> None:
        self._planner = registry.planner(stem)
        self.level, self.isa = resolve(level, isa, self._planner.isas, f"planner {stem}")
        self.sweeps = 0
        self.seconds = 0.0

    def run(
        self, rows: Rows, gamma: float, values: Values, tolerance: float, most: int
    ) -> tuple[Values, Actions, float]:
        """Sweep until no value moves by more than ``tolerance``, or ``most`` times, at least once.

        Returns:
            The values, the action that each is of, and how far a value moved in the last sweep.

        Raises:
            ValueError: the values have left the range of float64.
        """
        work = self._python if self.level == "python" else self._native
        values, actions, sweeps, change, seconds = work(rows, gamma, values, tolerance, most)
        self.sweeps += sweeps
        self.seconds += seconds
        if not np.isfinite(values).all():
            raise ValueError("P has rewards so large that the values overflow; allowed: smaller ones")
        return values, actions, change

    def settle(self, rows: Rows, gamma: float, values: Values, tolerance: float) -> tuple[Values, Actions]:
        """The same without a number of sweeps.

        Raises:
            ValueError: they do not come to rest.
        """
        values, actions, change = self.run(rows, gamma, values, tolerance, MOST_SWEEPS)
        if change > tolerance:
            raise ValueError(
                f"gamma is {gamma}, tolerance {tolerance}: after {MOST_SWEEPS} sweeps values still move by {change:.3g}; "
                "allowed: a smaller gamma or a larger tolerance"
            )
        return values, actions

    def _native(
        self, rows: Rows, gamma: float, values: Values, tolerance: float, most: int
    ) -> tuple[Values, Actions, int, float, float]:
        outcomes = [outcome for actions in rows for row in actions for outcome in row]
        probabilities, states, rewards, terminated = zip(*outcomes, strict=True)
        return _core.sweep(
            planner=self._planner.stem,
            level=self.level,
            isa=str(self.isa),
            counts=np.array([[len(row) for row in actions] for actions in rows], np.int64),
            probabilities=np.array(probabilities, np.float64),
            rewards=np.array(rewards, np.float64),
            states=np.array(states, np.int64),
            terminated=np.array(terminated, np.int64),
            gamma=gamma,
            values=values,
            tolerance=tolerance,
            most=most,
        )

    def _python(
        self, rows: Rows, gamma: float, values: Values, tolerance: float, most: int
    ) -> tuple[Values, Actions, int, float, float]:
        start = time.perf_counter()
        found, sweeps = values.tolist(), 0
        while True:
            found, best, change = self._planner.rules.sweep(rows, gamma, found)
            sweeps += 1
            if change <= tolerance or sweeps == most:
                break
        seconds = time.perf_counter() - start
        return np.array(found), np.array(best, np.int64), sweeps, change, seconds


def _parse(gamma: Any, tolerance: Any) -> tuple[float, float]:
    found = []
    for name, value, least, most in (("gamma", gamma, 0.0, 1.0), ("tolerance", tolerance, 0.0, math.inf)):
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{name} is {value!r}; allowed: a number from {least} to {most}") from None
        if not least <= number <= most:
            raise ValueError(f"{name} is {value!r}; allowed: from {least} to {most}")
        found.append(number)
    return found[0], found[1]


def value_iteration(
    game: str | Game,
    *,
    gamma: float = GAMMA,
    tolerance: float = TOLERANCE,
    level: str = "auto",
    isa: str | None = None,
    **arguments: Any,
) -> Plan:
    """Back up every state until no value moves by more than ``tolerance``.

    Values begin at 0. Of equally good actions the first is taken.

    Args:
        game: the id of a game with a table, ``Blackjack-v1``, or a :class:`TabularGame`.
        gamma: the discount, 0 to 1. Below 1 the values are within ``tolerance * gamma / (1 - gamma)`` of those of an
            optimal policy, but for rounding. With 1 they settle only where playing on does not pay for ever.
        tolerance: 0 for a fixed point of the arithmetic.
        level, isa: as for the environments.
        arguments: the game's constructor arguments.

    Raises:
        ValueError, TypeError: an unknown name, an argument out of range, a game without a table, or values that do
            not settle.
        LevelUnavailable: a level or isa cannot be served here.
        KeyboardInterrupt: Ctrl-C.
    """
    gamma, tolerance = _parse(gamma, tolerance)
    sweeper = Sweeper(level, isa)
    model = model_of(game, arguments)
    values, actions = sweeper.settle(model.rows, gamma, np.zeros(len(model.rows)), tolerance)
    return _plan(model, "value-iteration", gamma, tolerance, values, actions, sweeper, 0)


def policy_iteration(
    game: str | Game,
    *,
    gamma: float = GAMMA,
    tolerance: float = TOLERANCE,
    level: str = "auto",
    isa: str | None = None,
    **arguments: Any,
) -> Plan:
    """Evaluate a policy until none of its values moves by more than ``tolerance``, make it greedy, and so on.

    It begins with action 0 in every state, and ends when no action changes, or no value by more than ``tolerance``:
    actions that are equally good but for rounding would else take turns for ever. With ``gamma`` 1 every policy on the
    way must end its episodes, which the first one seldom does.

    Arguments and errors are those of :func:`value_iteration`.
    """
    gamma, tolerance = _parse(gamma, tolerance)
    sweeper = Sweeper(level, isa)
    model = model_of(game, arguments)
    values, actions = np.zeros(len(model.rows)), np.zeros(len(model.rows), np.int64)
    improvements = 0
    while sweeper.sweeps < MOST_SWEEPS:
        values, _ = sweeper.settle(_following(model.rows, actions), gamma, values, tolerance)
        improvements += 1
        greatest, better, change = sweeper.run(model.rows, gamma, values, tolerance, 1)
        if change <= tolerance or (better == actions).all():
            return _plan(model, "policy-iteration", gamma, tolerance, greatest, better, sweeper, improvements)
        actions = better
    raise ValueError(
        f"gamma is {gamma}, tolerance {tolerance}: after {sweeper.sweeps} sweeps policies still change; "
        "allowed: a larger tolerance"
    )


METHODS: dict[str, Callable[..., Plan]] = {
    "value-iteration": value_iteration,
    "policy-iteration": policy_iteration,
}


def backward_induction(
    game: str | Game,
    *,
    gamma: float = 1.0,
    max_episode_steps: int | None = None,
    level: str = "auto",
    isa: str | None = None,
    **arguments: Any,
) -> Plan:
    """The best policy that knows how many steps are left: back up every state as often as an episode has steps.

    The backup with n steps to go gives the actions of the step after which n - 1 are left. Values are those of the
    first step.

    Args:
        gamma: the discount, 0 to 1.
        max_episode_steps: as for :func:`rollout`: None is the id's limit (1000 if it has none), 100,000 at most.

    The other arguments and errors are those of :func:`value_iteration`.
    """
    gamma, tolerance = _parse(gamma, 0.0)
    sweeper = Sweeper(level, isa)
    model = model_of(game, arguments)
    limit = _limit(model.game, max_episode_steps)
    if limit > MOST_STEPS:
        raise ValueError(f"max_episode_steps is {max_episode_steps}; allowed: 1 to {MOST_STEPS}")
    values = np.zeros(len(model.rows))
    steps = []
    for _ in range(limit):
        values, actions, _ = sweeper.run(model.rows, gamma, values, 0.0, 1)
        steps.append(_observed(model, actions))
    return _plan(model, BACKWARD_INDUCTION, gamma, tolerance, values, np.array(steps[::-1]), sweeper, 0)


def _following(rows: Rows, actions: Sequence[int] | Actions) -> Rows:
    """The table of a policy: each state has one action, the policy's."""
    return [[row[int(action)]] for row, action in zip(rows, actions, strict=True)]


def _plan(
    model: Model,
    method: str,
    gamma: float,
    tolerance: float,
    values: Values,
    actions: Actions,
    sweeper: Sweeper,
    improvements: int,
) -> Plan:
    return Plan(
        game=model.game,
        arguments=model.arguments,
        method=method,
        gamma=gamma,
        tolerance=tolerance,
        values=values,
        actions=actions if actions.ndim == 2 else _observed(model, actions),
        sweeps=sweeper.sweeps,
        improvements=improvements,
        seconds=sweeper.seconds,
        level=sweeper.level,
        isa=sweeper.isa,
    )


def _observed(model: Model, actions: Actions) -> Actions:
    """For each observation the action, of states that look alike the first one's."""
    chosen = np.zeros(max(model.observations) + 1, np.int64)
    chosen[np.array(model.observations)[::-1]] = actions[::-1]
    return chosen


# ---- exact values ----


def _limit(game: Game, max_episode_steps: int | None) -> int:
    """Steps of an episode at most, as for rollouts."""
    if max_episode_steps is None:
        return game.entry.max_episode_steps or DEFAULT_LIMIT
    return parse_limit(max_episode_steps)


def _values(rows: Rows, steps: int, values: Values, level: str, isa: str | None) -> Values:
    """The expected sum of rewards over so many steps before these values. Those that no longer move stay for good."""
    sweeper = Sweeper(level, isa)
    if steps != NO_LIMIT:
        return sweeper.run(rows, 1.0, values, 0.0, steps)[0]
    values, _, change = sweeper.run(rows, 1.0, values, 0.0, MOST_SWEEPS)
    if change > 0.0:
        raise ValueError(
            f"max_episode_steps is -1: after {MOST_SWEEPS} steps episodes still go on and values still move by "
            f"{change:.3g}; allowed: a limit"
        )
    return values


def _at_the_start(model: Model, values: Values) -> float:
    """The expectation over the game's first states."""
    *_, total = accumulate(p * value for p, value in zip(model.starts, values.tolist(), strict=True))
    return float(total)


def _expected(model: Model, rows: Rows, limit: int, level: str, isa: str | None) -> float:
    """The expected sum of rewards over the first ``limit`` steps."""
    return _at_the_start(model, _values(rows, limit, np.zeros(len(rows)), level, isa))


def exact_return(
    game: str | Game,
    actions: Any,
    *,
    max_episode_steps: int | None = None,
    level: str = "auto",
    isa: str | None = None,
    **arguments: Any,
) -> float:
    """The expected return of a policy, without a discount, from the game's first state on.

    Args:
        game: as for :func:`value_iteration`.
        actions: for each observation the action to take; integers (observations,). Of a policy that sees the time
            integers (steps, observations): a row for each step of an episode, the last one for all later steps.
        max_episode_steps: as for :func:`rollout`: None is the id's limit (1000 if it has none), -1 no limit.
        arguments: the game's constructor arguments.

    Raises:
        ValueError, TypeError: as :func:`value_iteration`, and for ``actions`` that are no policy of the game; without a
            limit also if the policy does not end its episodes.
    """
    model = model_of(game, arguments)
    given = np.asarray(actions)
    observations = max(model.observations) + 1
    if given.dtype.kind not in "iu":
        raise TypeError(f"actions has dtype {given.dtype}; allowed: integers")
    if given.ndim not in (1, 2) or given.shape[-1] != observations or not given.size:
        raise ValueError(
            f"actions has shape {given.shape}; allowed: ({observations},) or (steps, {observations})"
        )
    for index, action in np.ndenumerate(given):
        if not 0 <= action < model.actions:
            where = ", ".join(map(str, index))
            raise ValueError(f"actions[{where}] is {action}; allowed: 0 to {model.actions - 1}")
    of_states = given[..., np.array(model.observations)]
    limit = _limit(model.game, max_episode_steps)
    if given.ndim == 1:
        return _expected(model, _following(model.rows, of_states), limit, level, isa)
    values = np.zeros(len(model.rows))
    if limit > len(given):
        left = limit if limit == NO_LIMIT else limit - len(given)
        values = _values(_following(model.rows, of_states[-1]), left, values, level, isa)
    for actions_now in of_states[: min(limit, len(given))][::-1]:
        values = _values(_following(model.rows, actions_now), 1, values, level, isa)
    return _at_the_start(model, values)


def optimal_return(
    game: str | Game,
    *,
    max_episode_steps: int | None = None,
    level: str = "auto",
    isa: str | None = None,
    **arguments: Any,
) -> float:
    """The largest expected return that any policy has: one that may know how many steps are left.

    Arguments and errors are those of :func:`exact_return`.
    """
    model = model_of(game, arguments)
    return _expected(model, model.rows, _limit(model.game, max_episode_steps), level, isa)


# ---- agents ----


def exact_words(game: Game, actions: Actions) -> str:
    """What a file says of the expected return of its policy."""
    limit = game.entry.max_episode_steps or DEFAULT_LIMIT
    exact, optimal = exact_return(game, actions), optimal_return(game)
    return f"{exact:.6f} expected within {limit} steps, {optimal:.6f} at best"


def agent_of(plan: Plan, path: Path | None = None) -> AgentFile:
    """A plan for an id as an agent, which has played the evaluation seeds.

    Args:
        path: where it will be saved; for its name, and the command that makes this file.

    Raises:
        ValueError: the plan is not for one of the registered ids as it stands.
    """
    game = plan.game
    if game.id not in registry.games() or registry.game(game.id) is not game or plan.arguments:
        raise ValueError(
            f"the plan is for {game.id} with {dict(plan.arguments)}; allowed: one of {', '.join(registry.games())} "
            "without arguments"
        )
    timed = plan.actions.ndim == 2
    command = ["compute-layers", "plan", game.id, "--method", plan.method, "--gamma", repr(plan.gamma)]
    if plan.tolerance != TOLERANCE and not timed:
        command += ["--tolerance", repr(plan.tolerance)]
    if path is not None:
        command += ["--save", path.name]
    improved = f"{plan.improvements} improvements, " if plan.improvements else ""
    metadata = {
        "family": "timed_table" if timed else "table",
        "layer": "search",
        "head": "vote",
        "version": FORMAT_VERSION,
        "command": shlex.join(command),
        "exact": exact_words(game, plan.actions),
        "preparation": (
            f"{plan.method.replace('-', ' ')}, {improved}{plan.sweeps} sweeps, {1e3 * plan.seconds:.2g} ms"
        ),
    }
    name = plan.method if path is None else path.stem
    file = AgentFile(name, game, metadata, {"actions": plan.actions})
    played = rollout(game, Agent(file, "auto", None, seed=0), episodes=EPISODES)
    file.note_returns(played.returns)
    return file
