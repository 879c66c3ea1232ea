# SPDX-License-Identifier: MIT
"""Q-learning and SARSA for tables of actions: the greedy policy of the action values that ``learning.py`` learns.

Training is cut into SLICES equal parts. After each the greedy policy plays the verification, which is shown and decides
nothing, and whose steps and time do not count: what comes out is the policy of the table as it stands. To go on from a checkpoint a run learns once more what it
had learned up to there, a second for some ten million steps; so there is no state to keep.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from ..agents import Agent
from ..learning import ALPHA, EPSILON, GAMMA, LANES, MOST_STEPS, STEPS, Learning, refusal, share
from ..registry import Family, Game
from ..rollout import Rollout, rollout
from .run import VERIFICATION, VERIFICATION_SEED, Method, Option, Progress, State, Task, cpus, whole

SLICES = 20


class TemporalDifference:
    """A run of one of them."""

    def __init__(self, task: Task, label: str, learner: str) -> None:
        self.label = label
        self.made_with: dict[str, str] = {}  # the result depends on nothing but the command
        self._task = task
        rates = {name: task.options[name] for name in ("alpha", "gamma", "epsilon", "steps")}
        self._learning = Learning(task.game, learner, seed=task.seed, **rates)
        self._rounds = -(-task.options["steps"] // LANES)
        self._seconds = 0.0

    def go(self, last: Progress | None) -> Generator[Progress, None, None]:
        learning, slices = self._learning, self._task.options["evaluations"]
        seconds, steps, first = (last.seconds, last.steps, last.evaluations) if last else (0.0, 0, 0)
        if first:
            learning.run(self._rounds * first // SLICES)
        for done in range(first + 1, slices + 1):
            before, episodes, total = learning.done, learning.episodes, learning.total
            seconds += learning.run(self._rounds * done // SLICES - before)
            ended = learning.episodes - episodes
            actions = learning.table().argmax(axis=1)
            played = self._verify(actions)
            reached = float(played.returns.mean())
            steps += (learning.done - before) * LANES
            yield Progress(
                seconds=seconds,
                evaluations=done,
                steps=steps,
                recent=(learning.total - total) / ended if ended else reached,
                best=reached,
                tensors={"actions": actions},
                share=done / slices,
                over="steps" if done == SLICES else "evaluations" if done == slices else "",
            )

    def _verify(self, actions: NDArray[np.int64]) -> Rollout:
        agent = Agent(self._task.file({"actions": actions}), "auto", None, seed=0)
        return rollout(self._task.game, agent, episodes=VERIFICATION, seed=VERIFICATION_SEED, threads=cpus())

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        pass


def _refusal(family: Family, game: Game | None) -> str:
    if family.stem != "table":
        return "learns tables"
    return "" if game is None else refusal(game)


def _method(label: str, learner: str) -> Method:
    options = {
        "steps": whole(STEPS, MOST_STEPS, least=SLICES * LANES),
        "alpha": Option(ALPHA, share),
        "gamma": Option(GAMMA, share),
        "epsilon": Option(EPSILON, share),
        "evaluations": whole(SLICES, SLICES),
    }
    return Method(lambda task: TemporalDifference(task, label, learner), _refusal, options, "evaluations")


Q_LEARNING = _method("Q-learning", "q-learning")
SARSA = _method("SARSA", "sarsa")
