# SPDX-License-Identifier: MIT
"""Temporal-difference learning: tables of action values from playing, by Q-learning or SARSA.

LANES environments, which are those that Gymnasium's vector environment resets with seed 2³² and resets again at the step
after an episode's end, share one table, 0 at first. The actions are random with probability epsilon and else greedy;
alpha and epsilon fall linearly towards 0, which they reach when all steps are taken. What is drawn for it comes from
``numpy.random.default_rng(seed)``, a number for each lane and step. Game and learner are native loops; levels, isas and
machines give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from . import _core, registry
from .batch import Batch
from .interpreter import ROW, LearnerInterpreter
from .registry import Game, resolve
from .rollout import DEFAULT_LIMIT, parse_count
from .spec import Box, Discrete

LANES = 32
STEPS = 1_000_000
MOST_STEPS = 10**15
ALPHA = 0.1
GAMMA = 0.999
EPSILON = 1.0
TRAINING_SEED = 2**32


@dataclass(frozen=True, eq=False)
class Learned:
    """The result of :func:`learn`.

    Attributes:
        game, arguments: what was played, and the constructor arguments.
        values: float64 (observations, actions): of each observation what the actions are worth.
        actions: int64 (observations,): the greedy ones; of equal ones the first.
        steps: of all lanes together, those that only begin an episode included.
        episodes: that have ended.
        seconds: wall time of the steps.
        level, isa: of the learner that ran.
    """

    game: Game
    arguments: Mapping[str, Any]
    values: NDArray[np.float64]
    actions: NDArray[np.int64]
    steps: int
    episodes: int
    seconds: float
    level: str
    isa: str | None


def share(name: str, value: Any) -> float:
    """A number from 0 to 1.

    Raises:
        TypeError, ValueError: something else.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; allowed: a number from 0 to 1") from None
    except OverflowError:
        number = inf
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} is {number}; allowed: from 0 to 1")
    return number


def refusal(game: Game, arguments: Mapping[str, Any] | None = None) -> str:
    """Why there is no table of action values for a game; empty if there is one.

    Raises:
        ValueError, TypeError: as the game's constructor.
    """
    setting = game.setting(arguments or {})
    if isinstance(setting.observation, Box):
        return f"{game.id} has observations that cannot be numbered"
    if isinstance(setting.action, Discrete) and setting.action.n <= ROW:
        return ""
    found = setting.action.n if isinstance(setting.action, Discrete) else "continuous"
    return f"{game.id} has {found} actions and a table at most {ROW}"


class Learning(_core.Learning):
    """Learning in progress; arguments and errors are those of :func:`learn`.

    Attributes:
        batch: what is played.
        level, isa: of the learner.
    """

    def __init__(
        self,
        game: str | Game,
        method: str,
        *,
        seed: int,
        steps: int = STEPS,
        alpha: float = ALPHA,
        gamma: float = GAMMA,
        epsilon: float = EPSILON,
        level: str = "auto",
        isa: str | None = None,
        **arguments: Any,
    ) -> None:
        found = registry.game(game)
        stem = method.replace("-", "_") if isinstance(method, str) else method
        if stem not in registry.learners():
            raise registry.unknown("method", method, [name.replace("_", "-") for name in registry.learners()])
        learner = registry.learner(stem)
        if reason := refusal(found, arguments):
            known = [id for id in registry.games() if not refusal(registry.game(id))]
            raise ValueError(f"game is {found.id!r}; allowed: {', '.join(known)}, or a TabularGame; {reason}")
        seed = parse_count("seed", seed, 2**32 - 1, least=0)
        rounds = -(-parse_count("steps", steps, MOST_STEPS) // LANES)
        alpha, gamma, epsilon = share("alpha", alpha), share("gamma", gamma), share("epsilon", epsilon)
        self.level, self.isa = resolve(level, isa, learner.isas, f"learner {learner.stem}")

        limit = found.entry.max_episode_steps or DEFAULT_LIMIT
        self.batch = batch = Batch(found, LANES, level, isa, limit, AutoresetMode.NEXT_STEP, False, arguments)
        seeds = [TRAINING_SEED + lane for lane in range(LANES)]
        batch.start(np.arange(LANES), seeds, list(found.spec.options.values()))
        action = batch.setting.action
        assert isinstance(action, Discrete)
        self._actions = action.n
        super().__init__(
            batch=batch,
            learner=learner.stem,
            level=self.level,
            isa=self.isa,
            rule=LearnerInterpreter(learner) if self.level == "python" else None,
            alpha=alpha,
            gamma=gamma,
            epsilon=epsilon,
            steps=rounds,
            seed=seed,
        )

    def table(self) -> NDArray[np.float64]:
        """The table as it stands, (observations, actions).

        Raises:
            ValueError: the values have left the range of float64.
        """
        values: NDArray[np.float64] = self.values()[:, : self._actions].copy()
        if not np.isfinite(values).all():
            raise ValueError("the game has rewards so large that the values overflow; allowed: smaller ones")
        return values


def learn(
    game: str | Game,
    method: str,
    *,
    seed: int,
    steps: int = STEPS,
    alpha: float = ALPHA,
    gamma: float = GAMMA,
    epsilon: float = EPSILON,
    level: str = "auto",
    isa: str | None = None,
    **arguments: Any,
) -> Learned:
    """Learn a table of action values.

    Args:
        game: the id of a game whose observations are numbers, and which has at most 8 actions; or a
            :class:`TabularGame`. Episodes end at the id's time limit, after 1000 steps where it has none.
        method: ``q-learning`` or ``sarsa``.
        seed: of the exploration, 0 to 2³² - 1. The seeds of the lanes are always 2³² and those that follow.
        steps: of all lanes together, rounded up to a multiple of LANES.
        alpha: the step size at first, 0 to 1.
        gamma: the discount, 0 to 1.
        epsilon: the probability of a random action at first, 0 to 1.
        level, isa: of game and learner, as for the environments.
        arguments: the game's constructor arguments.

    Raises:
        ValueError, TypeError: an unknown name, an argument out of range, or a game that has no such table.
        LevelUnavailable: a level or isa cannot be served here.
        KeyboardInterrupt: Ctrl-C.
    """
    learning = Learning(
        game,
        method,
        seed=seed,
        steps=steps,
        alpha=alpha,
        gamma=gamma,
        epsilon=epsilon,
        level=level,
        isa=isa,
        **arguments,
    )
    seconds = learning.run(MOST_STEPS)
    values = learning.table()
    return Learned(
        game=registry.game(game),
        arguments=arguments,
        values=values,
        actions=values.argmax(axis=1),
        steps=learning.done * LANES,
        episodes=learning.episodes,
        seconds=seconds,
        level=learning.level,
        isa=learning.isa,
    )
