# SPDX-License-Identifier: MIT
"""Rollouts: the same returns and lengths at every pair of levels, however the work is split."""

from __future__ import annotations

import signal
import threading
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import Error
from hypothesis import given, settings
from hypothesis import strategies as st

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import agent_file
from compute_layers.spec import Discrete
from conftest import KINDS_OF_AGENTS, LEVELS, Array, assert_same, ctrl_c_soon, paced, served

AGENTS = KINDS_OF_AGENTS
FASTEST = LEVELS[-1]
SHORT = 60  # steps after which level python's episodes are truncated here


@pytest.fixture(params=AGENTS, ids="/".join)
def shipped(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


def policy_names(id: str, name: str) -> list[str]:
    """The levels that the agent's family is written for."""
    isas = agent_file(id, name).family.isas
    return [
        level
        for level in registry.LEVELS
        if level == "python" or any(at.name == level and at.isa in isas[level] for at in LEVELS)
    ]


def outcome(run: cl.Rollout) -> tuple[Array, Array]:
    return run.returns, run.lengths


def native(id: str, name: str, **kwargs: Any) -> cl.Rollout:
    """A rollout at the fastest levels of the game and of the agent's family."""
    return cl.rollout(id, name, level=served(id)[-1].name, policy_level=policy_names(id, name)[-1], **kwargs)


# ---- what it returns ----


def test_every_pair_of_levels_agrees(shipped: tuple[str, str]) -> None:
    episodes, seed, limit = 12, 2**32, paced(*shipped, SHORT, 4)
    expected = cl.rollout(
        *shipped, episodes=episodes, seed=seed, level="python", max_episode_steps=limit, num_envs=5
    )
    pairs = 0
    for level in served(shipped[0]):
        for policy in policy_names(*shipped):
            run = cl.rollout(
                *shipped,
                episodes=episodes,
                seed=seed,
                level=level.name,
                isa=level.isa,
                policy_level=policy,
                max_episode_steps=limit,
                num_envs=7,
            )
            assert (run.level, run.isa, run.policy_level) == (level.name, level.isa, policy)
            assert_same(outcome(run), outcome(expected), f"episodes at {level}, policy at {policy},")
            pairs += 1
    assert pairs >= 4
    outcomes = set(zip(expected.returns.tolist(), expected.lengths.tolist(), strict=True))
    assert len(outcomes) > 1 or shipped[1] != "random"


@pytest.mark.parametrize("num_envs", [1, 3, 8, 64, 300, 1000])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_splitting_the_work_changes_nothing(shipped: tuple[str, str], num_envs: int, threads: int) -> None:
    limit = SHORT + 40
    expected = native(*shipped, episodes=400, seed=9, num_envs=1, max_episode_steps=limit)
    run = native(*shipped, episodes=400, seed=9, num_envs=num_envs, threads=threads, max_episode_steps=limit)
    assert_same(outcome(run), outcome(expected), "episodes")


@pytest.mark.parametrize("threads", [2, 3])
def test_level_python_works_on_several_threads(shipped: tuple[str, str], threads: int) -> None:
    settings: dict[str, Any] = {"episodes": 9, "seed": 1, "max_episode_steps": paced(*shipped, 30, 4)}
    run = cl.rollout(*shipped, level="python", num_envs=4, threads=threads, **settings)
    assert_same(outcome(run), outcome(native(*shipped, **settings)), "episodes")


@given(data=st.data())
@settings(max_examples=60)
def test_any_split_of_any_seeds(data: st.DataObject) -> None:
    id, name = data.draw(st.sampled_from(AGENTS))
    episodes = data.draw(st.integers(1, 90))
    common: dict[str, Any] = {
        "episodes": episodes,
        "seed": data.draw(st.integers(0, 2**64 - 1)),
        "max_episode_steps": data.draw(st.sampled_from([1, 2, 7, 63, 64, 65, 128, 200])),
    }
    split = {"num_envs": data.draw(st.integers(1, 120)), "threads": data.draw(st.integers(1, 5))}
    assert_same(outcome(native(id, name, **common, **split)), outcome(native(id, name, num_envs=1, **common)))


def by_hand(agent: cl.Agent, env: Any, seed: int, limit: int) -> tuple[float, int]:
    """An episode as anybody would write it."""
    agent.seed(seed)
    observation, _ = env.reset(seed=seed)
    total, length, ended = 0.0, 0, False
    while not ended and length < limit:
        observation, reward, terminated, truncated, _ = env.step(agent(observation))
        total, length, ended = total + float(reward), length + 1, terminated or truncated
    return total, length


@pytest.mark.parametrize("seed", [0, 2**32, 2**64 - 3])
def test_episode_k_is_that_of_seed_plus_k_played_by_hand(shipped: tuple[str, str], seed: int) -> None:
    id = shipped[0]
    episodes, limit = 30, 150
    for level in served(id):
        if level.name == "python":
            continue
        run = cl.rollout(
            *shipped,
            episodes=episodes,
            seed=seed,
            level=level.name,
            isa=level.isa,
            policy_level=policy_names(*shipped)[-1],
            num_envs=4,
            max_episode_steps=limit,
        )
        env = gym.make(registry.NAMESPACE + id, level=level.name, isa=level.isa).unwrapped
        agent = cl.load_agent(*shipped, level=policy_names(*shipped)[-1])
        played = [by_hand(agent, env, seed + k, limit) for k in range(episodes)]
        assert_same(outcome(run), (np.array([r for r, _ in played]), np.array([n for _, n in played])), level)


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_the_random_agent_draws_from_the_documented_stream(level: cl.Level, game: str) -> None:
    """SeedSequence(seed + k, spawn_key=(1,)), straight from NumPy."""
    space = registry.game(game).action
    if not isinstance(space, Discrete):
        pytest.skip("the stream of Box actions is compared in test_agents.py")
    seed, episodes = 2**64 - 10, 20
    run = cl.rollout(
        game, "random", episodes=episodes, seed=seed, level=level.name, isa=level.isa, policy_level="cpp"
    )
    for k in range(episodes):
        actions = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed + k, spawn_key=(1,))))
        env = gym.make(game)
        env.reset(seed=seed + k)
        length, total, ended = 0, 0.0, False
        while not ended:
            _, reward, terminated, truncated, _ = env.step(actions.integers(space.n))
            total, length, ended = total + float(reward), length + 1, terminated or truncated
        assert (run.returns[k], run.lengths[k]) == (total, length), f"episode {k}"


def test_more_episodes_begin_with_the_same_ones(shipped: tuple[str, str]) -> None:
    few, many = (native(*shipped, episodes=episodes, max_episode_steps=SHORT) for episodes in (10, 100))
    later = native(*shipped, episodes=90, seed=10, max_episode_steps=SHORT)
    assert_same(outcome(few), tuple(part[:10] for part in outcome(many)), "the first ten")
    assert_same(outcome(later), tuple(part[10:] for part in outcome(many)), "the others")


@pytest.mark.parametrize("limit", [1, 2, 63, 64, 65])
def test_max_episode_steps(shipped: tuple[str, str], limit: int) -> None:
    run = native(*shipped, episodes=50, max_episode_steps=limit)
    whole = native(*shipped, episodes=50)
    assert_same(run.lengths, np.minimum(whole.lengths, limit), "lengths")


def test_the_default_limit_is_that_of_the_id(shipped: tuple[str, str]) -> None:
    limit = registry.game(shipped[0]).entry.max_episode_steps or 1000
    default = native(*shipped, episodes=50)
    assert default.lengths.max() <= limit
    assert_same(outcome(default), outcome(native(*shipped, episodes=50, max_episode_steps=limit)), "episodes")


def test_no_limit(game: str) -> None:
    run = native(game, "random", episodes=50, max_episode_steps=-1)
    assert_same(
        outcome(run), outcome(native(game, "random", episodes=50, max_episode_steps=10**9)), "episodes"
    )


def test_a_rollout_describes_itself(shipped: tuple[str, str]) -> None:
    run = native(*shipped, episodes=17, max_episode_steps=SHORT)
    assert (run.returns.dtype, run.returns.shape) == (np.float64, (17,))
    assert (run.lengths.dtype, run.lengths.shape) == (np.int64, (17,))
    assert run.steps == run.lengths.sum() > 0
    assert run.seconds > 0
    assert run.isa in (None, *registry._core.isas)


def test_a_loaded_agent_brings_its_own_level(shipped: tuple[str, str]) -> None:
    agent = cl.load_agent(*shipped, level="python")
    run = cl.rollout(shipped[0], agent, episodes=3, level="cpp", max_episode_steps=20)
    assert (run.level, run.policy_level) == ("cpp", "python")
    other = cl.rollout(shipped[0], agent, episodes=3, level="cpp", policy_level="cpp", max_episode_steps=20)
    assert other.policy_level == "cpp"
    assert_same(outcome(run), outcome(other), "episodes")


def test_a_rollout_leaves_the_agents_own_streams_alone(game: str) -> None:
    agent, other = (cl.load_agent(game, "random", level="cpp", seed=4) for _ in range(2))
    cl.rollout(game, agent, episodes=10, level="cpp", max_episode_steps=20)
    space = registry.game(game).observation
    seen = np.zeros((6,) if isinstance(space, Discrete) else (6, len(space.low)), np.int64)
    assert_same([agent(seen) for _ in range(10)], [other(seen) for _ in range(10)], "actions")


# ---- errors ----


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [(name, value, ValueError) for name in ("episodes", "num_envs", "threads") for value in (0, -1, 2**40)]
    + [(name, value, TypeError) for name in ("episodes", "num_envs", "threads") for value in (1.5, None, "3")]
    + [("seed", 2**64, ValueError), ("seed", -1, Error), ("seed", 0.5, Error), ("seed", None, Error)]
    + [("max_episode_steps", 0, ValueError), ("max_episode_steps", -2, ValueError)]
    + [("max_episode_steps", 1.5, TypeError), ("max_episode_steps", True, TypeError)]
    + [("level", "c", ValueError), ("policy_level", "asn", ValueError), ("isa", "sse", ValueError)],
)
def test_a_bad_argument(game: str, name: str, value: Any, problem: type[Exception]) -> None:
    arguments = {"episodes": 1, name: value}
    with pytest.raises(problem, match=rf"{name.removeprefix('policy_')} is .*allowed: "):
        cl.rollout(game, "random", **arguments)


def test_an_unknown_argument_of_the_game(game: str) -> None:
    with pytest.raises(TypeError, match="gravitas"):
        cl.rollout(game, "random", episodes=1, gravitas=3)


def test_a_policy_without_an_asm_kernel_is_said_to_be_unavailable(game: str) -> None:
    with pytest.raises(cl.LevelUnavailable, match="asm is not available for policy random"):
        cl.rollout(game, "random", episodes=1, level="cpp", policy_level="asm")


def test_an_agent_in_use_is_refused(game: str) -> None:
    """One agent, two rollouts at once: the second is told, the first is right."""
    agent = cl.load_agent(game, "random", level="python")
    expected = cl.rollout(game, "random", episodes=64, level="python", policy_level="cpp").returns
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(cl.rollout(game, agent, episodes=64, level="python").returns)
        except RuntimeError as refusal:
            results.append(str(refusal))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finished = [result for result in results if not isinstance(result, str)]
    assert len(results) == 3
    assert finished
    for returns in finished:
        assert_same(returns, expected, "returns")
    assert all("in use" in result for result in results if isinstance(result, str))


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows cannot signal a thread")
@pytest.mark.parametrize("level", ["python", "cpp", FASTEST.name])
def test_ctrl_c_stops_a_rollout_and_leaves_everything_usable(game: str, level: str) -> None:
    before = native(game, "random", episodes=10)
    agent = cl.load_agent(game, "random", level="python" if level == "python" else "cpp")
    with pytest.raises(KeyboardInterrupt), ctrl_c_soon():
        cl.rollout(game, agent, episodes=2**23, level=level, threads=2)
    assert_same(outcome(native(game, "random", episodes=10)), outcome(before), "the next rollout")
    again = cl.rollout(game, agent, episodes=10, level=level)  # the agent was let go
    assert_same(outcome(again), outcome(before), "the same agent's next rollout")
