# SPDX-License-Identifier: MIT
"""Python threads at work at once, each with objects of its own: batches, agents and rollouts of all levels give
what they give one after the other. One object in two threads is refused. So too without the global lock, where
this Python has none.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import compute_layers as cl
from compute_layers import check, registry
from compute_layers.agents import FORMAT_VERSION, Agent, AgentFile, heads
from compute_layers.registry import Family
from conftest import LEVELS, assert_same, observers, random_actions, unserved

GAMES = registry.games()
HAS_SAFETENSORS = importlib.util.find_spec("safetensors") is not None
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
# Steps above 128 lanes, decisions and rollouts release the lock: they run at once on any Python.
LANES = 160


def together(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of these jobs, begun at the same moment in a thread each; exceptions count as results."""
    results: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def work(at: int) -> None:
        start.wait()
        try:
            results[at] = jobs[at]()
        except Exception as problem:  # noqa: BLE001 - handed to the test
            results[at] = problem

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def batch_job(id: str, level: cl.Level, seed: int) -> Callable[[], Any]:
    n, steps = (LANES, 40) if level.isa else (5, 15)

    def play() -> Any:
        envs = cl.VectorEnv(n, game=id, level=level.name, isa=level.isa, max_episode_steps=9)
        rows = random_actions(envs.single_action_space, (steps, n), np.random.default_rng(seed))
        results = [envs.reset(seed=seed), *(envs.step(row) for row in rows)]
        assert envs._batch.damaged() == -1
        return results

    return play


def made_up(id: str, family: Family) -> AgentFile:
    game = registry.game(id)
    head = heads(family, game.action)[0]
    about = {"family": family.stem, "layer": "algorithm", "head": head, "version": FORMAT_VERSION}
    about |= {choice: names[0] for choice, names in family.spec.choices.items()}
    tensors = check.tensors_of(family, head, game, check.Draw(5), "ordinary")
    return AgentFile("made up", game, about, tensors)


def agent_job(file: AgentFile, level: cl.Level, seed: int) -> Callable[[], Any]:
    n, times = (LANES, 30) if level.isa else (3, 2)

    def decide() -> Any:
        agent = Agent(file, level.name, level.isa, seed)
        observation = check.observations_of(file.game.observation, check.Draw(seed), n)
        return [(agent(observation), agent(observation[0])) for _ in range(times)]

    return decide


def rollout_job(id: str, name: str, level: cl.Level, seed: int) -> Callable[[], Any]:
    episodes, limit = (150, 60) if level.isa else (3, 20)

    def run() -> Any:
        settings: dict[str, Any] = {
            "episodes": episodes,
            "max_episode_steps": limit,
            "num_envs": 16,
            "threads": 2,
        }
        found = cl.rollout(id, name, level=level.name, isa=level.isa, seed=seed, **settings)
        return found.returns, found.lengths

    return run


def every_job() -> list[Callable[[], Any]]:
    jobs: list[Callable[[], Any]] = []
    for id in GAMES:
        for level in LEVELS:
            if not unserved(id, level):
                jobs += [batch_job(id, level, seed) for seed in (0, 1000)]
            for family in registry.families().values():
                if level.isa is not None and level.isa not in family.isas[level.name]:
                    continue
                if check._serves(family, registry.game(id)):
                    jobs += [agent_job(made_up(id, family), level, seed) for seed in (0, 1)]
            # Without the library that reads them there are no shipped agents.
            for name in observers(id) if HAS_SAFETENSORS else ():
                isas = cl.load_agent(id, name).file.family.isas
                if not unserved(id, level) and (level.isa is None or level.isa in isas[level.name]):
                    jobs.append(rollout_job(id, name, level, 7))
    return jobs


def test_objects_of_their_own_know_nothing_of_each_other() -> None:
    jobs = every_job()
    expected = [job() for job in jobs]
    for first in range(0, len(jobs), 12):
        some = slice(first, first + 12)
        for at, (found, alone) in enumerate(zip(together(jobs[some]), expected[some], strict=True), first):
            assert_same(found, alone, "job", at)


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_one_agent_in_two_threads_is_refused_and_never_wrong(level: cl.Level) -> None:
    """Whoever is not refused gets the actions that one thread would get."""
    id, family = GAMES[0], registry.family("linear")
    if level.isa and level.isa not in family.isas[level.name]:
        pytest.skip(f"linear has no kernel {level}")
    agent = Agent(made_up(id, family), level.name, level.isa, 0)
    n = 20_000 if level.isa else 200
    seen = [cl.VectorEnv(n, game=id).reset(seed=seed * n)[0] for seed in range(3)]
    expected = [agent(observation) for observation in seen]

    def decide(at: int) -> int:
        refusals = 0
        for _ in range(40 if level.isa else 4):
            try:
                assert agent(seen[at]).tobytes() == expected[at].tobytes()
            except RuntimeError as refusal:
                assert "in use" in str(refusal)
                refusals += 1
        return refusals

    results = together([lambda at=at: decide(at) for at in range(3)])  # type: ignore[misc]
    assert all(isinstance(result, int) for result in results), results


@pytest.mark.skipif(not FREE_THREADED, reason="this Python has the global lock")
def test_the_core_leaves_the_global_lock_off() -> None:
    """An extension that does not declare that it can do without switches it on, with a warning."""
    script = "import sys; from compute_layers import _core; assert not sys._is_gil_enabled()"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
