# SPDX-License-Identifier: MIT
"""The speed table: every game of the registry against the strongest opponents that are always at hand."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import agent_file, load_agent
from compute_layers.measure import Contestant, timed
from compute_layers.rollout import rollout
from compute_layers.spec import Box
from conftest import Measure
from contestants import (
    SYNC_SIZES,
    calls,
    cycled,
    environments,
    gymnasium_environments,
    kernel,
    random_actions,
    warmed_up,
    widest,
)

GAMES = cl.games()


def asm_and_cpp(game: str) -> tuple[cl.Level, cl.Level]:
    """The two native levels at their widest; skips where there is no assembly."""
    isas = registry.game(game).isas
    asm, cpp = widest(isas, "asm"), widest(isas, "cpp")
    if asm is None or cpp is None:
        reasons = [
            f"{level}: {level.reason}" for level in cl.levels() if level.name == "asm" and level.reason
        ]
        pytest.skip(f"no level asm for {game}: {'; '.join(reasons) or 'it is not written'}")
    return asm, cpp


every_game = pytest.mark.parametrize("game", GAMES)
first_game = pytest.mark.parametrize("game", GAMES[:1])  # for what lies around the kernels, the same for all


def agent_actions(game: str, agent: str, n: int, rows: int) -> NDArray[Any]:
    """The actions of an agent's first steps."""
    envs, policy = environments(game, n, "auto"), load_agent(game, agent)
    observation, _ = envs.reset(seed=0)
    actions = []
    for _ in range(rows):
        actions.append(policy(observation))
        observation = envs.step(actions[-1])[0]
    return np.stack(actions)


@every_game
def test_kernel(game: str, measure: Measure) -> None:
    n, (asm, cpp) = 1024, asm_and_cpp(game)
    actions = random_actions(environments(game, n, "auto"))
    contestants: dict[Any, Contestant] = {
        "asm": kernel(game, n, asm, actions),
        "cpp": kernel(game, n, cpp, actions),
    }
    for lanes in (1024, 4096, 16384, 65536) if gym.spec(game).vector_entry_point else SYNC_SIZES:
        contestants["gymnasium", lanes] = gymnasium_calls(game, lanes)
    measurement = measure.interleaved(contestants)
    medians = measurement.result()
    best = min((key for key in contestants if key[0] == "gymnasium"), key=lambda key: medians[key].median)
    measure.ratio(
        game, f"asm kernel with refill, n = {n} / Gymnasium at its best n", measurement, "asm", best
    )
    measure.ratio(game, f"asm kernel with refill, n = {n} / cpp-native", measurement, "asm", "cpp")


def gymnasium_calls(game: str, n: int) -> Contestant:
    """Its vector environment, which has run for a while when it is timed; a row of actions a call."""
    envs = gymnasium_environments(game, n)
    actions = random_actions(envs, 32)
    return cycled(warmed_up(envs.step, actions), actions, n)


@every_game
def test_kernel_without_resets(game: str, measure: Measure) -> None:
    n, agent = 1024, best_agent(game)
    shortest = int(rollout(game, agent, episodes=n).lengths.min())
    if shortest < 50:
        pytest.skip(f"an episode of {agent} has {shortest} steps; at least 50 without a reset are measured")
    actions = agent_actions(game, agent, n, min(shortest - 1, 400))
    contestants = {level.name: kernel(game, n, level, actions, reset=True) for level in asm_and_cpp(game)}
    measurement = measure.interleaved(contestants)
    measure.ratio(game, f"asm kernel without resets, n = {n} / cpp-native", measurement, "asm", "cpp")


def best_agent(game: str) -> str:
    """The shipped agent with the highest return that sees the observation alone; skips where there is none."""
    names = [name for name in cl.agents(game) if agent_file(game, name).family.stem in registry.families()]
    if not names:
        pytest.skip(f"no agent is shipped for {game}")
    return max(names, key=lambda name: rollout(game, name, episodes=200).returns.mean())


@pytest.mark.parametrize("n", [1, 1024])
@every_game
def test_vector_env(game: str, n: int, measure: Measure) -> None:
    ours = environments(game, n, "auto")
    measurement = measure.interleaved(
        {"ours": calls(ours.step, random_actions(ours)), "theirs": gymnasium_calls(game, n)}
    )
    measure.ratio(game, f"VectorEnv.step, n = {n} / Gymnasium", measurement, "ours", "theirs")


def episodes(env: Any, policy: Callable[[Any], Any], steps: int) -> Callable[[], None]:
    """Steps with resets, as everybody writes them."""
    state = [env.reset(seed=0)[0]]

    def work() -> None:
        observation = state[0]
        for _ in range(steps):
            observation, _, terminated, truncated, _ = env.step(policy(observation))
            if terminated or truncated:
                observation, _ = env.reset()
        state[0] = observation

    return work


@every_game
def test_single_environment(game: str, measure: Measure) -> None:
    contestants: dict[Any, Contestant] = {}
    for name, env in (("ours", gym.make(f"compute_layers/{game}", level="cpp")), ("theirs", gym.make(game))):
        env.action_space.seed(0)
        actions = cycle([env.action_space.sample() for _ in range(4096)])
        contestants[name] = timed(episodes(env, lambda _, actions=actions: next(actions), 512), 512)
    measurement = measure.interleaved(contestants)
    measure.ratio(game, "gym.make, level cpp / Gymnasium", measurement, "ours", "theirs")


def test_rollout_of_a_rule(measure: Measure) -> None:
    game = "CartPole-v1"
    asm_and_cpp(game)

    def ours(times: int) -> tuple[float, float]:
        run = rollout(game, "pd", episodes=512 * times, level="asm")
        return run.seconds, float(run.steps)

    rule = timed(episodes(gym.make(game), lambda obs: int(3 * obs[2] + obs[3] > 0), 512), 512)
    measurement = measure.interleaved({"ours": ours, "theirs": rule})
    name = "rollout pd, asm x asm / the rule in Python on Gymnasium"
    measure.ratio(game, name, measurement, "ours", "theirs")


@every_game
def test_one_decision(game: str, measure: Measure) -> None:
    one_decision(game, best_agent(game), measure)


def test_one_decision_of_a_network(measure: Measure) -> None:
    one_decision("CartPole-v1", "mlp-64x64", measure)


def one_decision(game: str, name: str, measure: Measure) -> None:
    """What ``agent(obs)`` costs beyond the call of a function that does nothing."""
    agent = load_agent(game, name)
    observation, _ = gym.make(f"compute_layers/{game}").reset(seed=0)

    def empty(observation: Any) -> int:
        return 0

    def repeat(policy: Callable[[Any], Any]) -> Contestant:
        def work() -> None:
            for _ in range(1000):
                policy(observation)

        return timed(work, 1000)

    measurement = measure.interleaved({"agent": repeat(agent), "empty": repeat(empty)})
    samples = measurement.samples()
    over = [a - e for a, e in zip(samples["agent"], samples["empty"], strict=True)]
    medians = measurement.result()
    detail = f"{medians['agent'].median:.0f} - {medians['empty'].median:.0f} ns"
    row = f"agent(obs), one observation, {name}"
    measure.row(game, row, statistics.median(over), medians["agent"].spread, detail)


def play(game: str, agent: str, num_envs: int, threads: int, episodes: int) -> Contestant:
    def run(times: int) -> tuple[float, float]:
        run = rollout(game, agent, episodes=episodes * times, num_envs=num_envs, threads=threads)
        return run.seconds, float(run.steps)

    return run


@first_game
def test_rollout_threads(game: str, measure: Measure) -> None:
    agent = best_agent(game)
    measurement = measure.interleaved(
        {threads: play(game, agent, 1024, threads, 4096) for threads in (1, 2)}, chunk=0.05
    )
    measure.ratio(game, "rollout, 2 threads / 1 thread", measurement, 2, 1)


@first_game
def test_rollout_of_a_million_lanes(game: str, measure: Measure) -> None:
    agent, million = best_agent(game), 1 << 20
    lanes = measure.interleaved(
        {"1k": play(game, agent, 1024, 1, million), "1M": play(game, agent, million, 1, million)}, rounds=9
    )
    samples = lanes.samples()
    cost = [many / few for few, many in zip(samples["1k"], samples["1M"], strict=True)]
    medians = lanes.result()
    detail = f"{medians['1M'].median:.2f} / {medians['1k'].median:.2f} ns"
    measure.row(game, "rollout, 1M lanes / 1k lanes", statistics.median(cost), medians["1M"].spread, detail)


@first_game
def test_batch_of_a_million(game: str, measure: Measure) -> None:
    """A batch step at n = 1M is bound by memory: beside it the copy bandwidth of the machine."""
    million, thousand = 1 << 20, 1 << 10
    isas = registry.game(game).isas
    level = widest(isas, "asm") or widest(isas, "cpp")
    assert level is not None
    source, target = np.zeros(1 << 25), np.zeros(1 << 25)

    def copy(times: int) -> tuple[float, float]:
        start = time.perf_counter()
        for _ in range(times):
            np.copyto(target, source)
        return time.perf_counter() - start, float(times * 2 * source.nbytes)

    contestants: dict[Any, Contestant] = {"copy": copy}
    for n in (million, thousand):
        envs = environments(game, n, level.name, level.isa)
        contestants[n] = kernel(game, n, level, random_actions(envs, 4))
    measurement = measure.interleaved(contestants, rounds=9)
    medians = measurement.result()
    batch = environments(game, 8, level.name, level.isa)._batch
    moved = step_bytes(batch)
    bandwidth = 1 / medians["copy"].median
    used = moved / medians[million].median
    detail = (
        f"{medians[million].median:.2f} / {medians[thousand].median:.2f} ns; {moved} bytes a step make "
        f"{used:.1f} GB/s, copying moves {bandwidth:.1f} GB/s"
    )
    samples = measurement.samples()
    cost = [many / few for few, many in zip(samples[thousand], samples[million], strict=True)]
    measure.row(
        game, "batch step, 1M lanes / 1k lanes", statistics.median(cost), medians[million].spread, detail
    )


def step_bytes(batch: Any) -> int:
    """Bytes that a step reads and writes for a lane: state and elapsed both ways, action in, outputs out.
    Streams and cached fields are left out."""
    setting = batch.setting
    fields = 8 * len(setting.game.spec.state)
    observation, action = (
        space.size * (4 if isinstance(space, Box) else 8) for space in (setting.observation, setting.action)
    )
    outputs = observation + 8 + 2 + 8 * len(setting.game.spec.info)
    return 2 * (fields + 8) + action + outputs


def test_import_and_first_step(measure: Measure) -> None:
    game, n = "CartPole-v1", 1024
    ours = (
        "import gymnasium as gym, numpy as np, compute_layers\n"
        f"envs = gym.make_vec('compute_layers/{game}', num_envs={n})\n"
        f"envs.reset(seed=0); envs.step(np.zeros({n}, np.int64))"
    )

    def process(code: str) -> Contestant:
        def work() -> None:
            subprocess.run([sys.executable, "-c", code], check=True)

        return timed(work, 1)

    measurement = measure.interleaved(
        {"ours": process(ours), "gymnasium": process("import gymnasium")}, chunk=0.3
    )
    samples = measurement.samples()
    over = [(a - b) / 1e9 for a, b in zip(samples["ours"], samples["gymnasium"], strict=True)]
    medians = measurement.result()
    detail = f"{medians['ours'].median / 1e9:.3f} - {medians['gymnasium'].median / 1e9:.3f} s"
    measure.row(
        game, "import and first step of 1024 lanes", statistics.median(over), medians["ours"].spread, detail
    )


def test_bounds_of_the_assembly(measure: Measure) -> None:
    """Of each loop of the assembly the share of llvm-mca's block throughput that its simulation reaches."""
    root = Path(__file__).parents[1]
    for source in sorted((root / "asm").glob("x86_64*/*/*.cpp")):
        tool = [sys.executable, str(root / "tools" / "mca.py"), "--json", str(source)]
        done = measure.once(lambda tool=tool: subprocess.run(tool, capture_output=True, text=True))
        if done.returncode:
            pytest.skip(done.stderr.strip())
        # The kernels of several heads have the same loops.
        for region in {(found["name"], found["cpu"]): found for found in json.loads(done.stdout)}.values():
            detail = f"bound {region['bound']:.0f}, simulated {region['cycles']:.0f} cycles, {region['lanes']} lanes"
            share = region["bound"] / region["cycles"]
            measure.row(
                source.stem, f"share of the bound on {region['cpu']}: {region['name']}", share, 0.0, detail
            )
