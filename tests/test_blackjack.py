# SPDX-License-Identifier: MIT
"""Blackjack's own facts: exact trajectories, numbers that are drawn again, what lies beyond the end, the tuples of its
observations and the agents that see them."""

from __future__ import annotations

import runpy
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.toy_text.blackjack import BlackjackEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import compute_layers as cl
from compute_layers import check, registry
from compute_layers.agents import Agent
from compute_layers.games import blackjack
from compute_layers.pcg64 import MASK64, MASK128, MULTIPLIER
from conftest import Array, Maker, assert_same, inside, served, unchanged_by

EVERY_GAME = True  # see conftest.py
pytestmark = pytest.mark.parametrize("game", ["Blackjack-v1"], indirect=True)

SETTINGS = [{"natural": natural, "sab": sab} for natural, sab in product((False, True), repeat=2)]
arguments = pytest.mark.parametrize("arguments", SETTINGS, ids=str)


def bare(n: int, mode: AutoresetMode = AutoresetMode.NEXT_STEP, **arguments: bool) -> SyncVectorEnv:
    """Gymnasium's environments without wrappers."""
    return SyncVectorEnv([lambda: BlackjackEnv(**arguments)] * n, autoreset_mode=mode)


def streams(envs: SyncVectorEnv) -> Array:
    """As our snapshots have them."""
    found = []
    for generator in envs.np_random:
        state = generator.bit_generator.state
        number, inc = state["state"]["state"], state["state"]["inc"]
        half = state["has_uint32"] << 32 | state["uinteger"]
        found.append([number >> 64, number & MASK64, inc >> 64, inc & MASK64, half])
    return np.array(found, np.uint64).T


def set_streams(envs: SyncVectorEnv, words: Array) -> None:
    for generator, (high, low, inc_high, inc_low, half) in zip(envs.np_random, words.T.tolist(), strict=True):
        generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
            "has_uint32": half >> 32,
            "uinteger": half & 0xFFFFFFFF,
        }


# ---- the same hands ----


@arguments
def test_trajectories_are_gymnasiums(make_all: Maker, arguments: dict[str, bool]) -> None:
    """Every observation, reward, flag and stream of 40 seeds x 250 steps in NEXT_STEP, at every level."""
    n, theirs = 40, bare(40, **arguments)
    ours = [make_all.vec(n, level, **arguments) for level in served(make_all.id)]
    first = theirs.reset(seed=5)
    for envs in ours:
        assert_same(envs.reset(seed=5), first, envs.level, "reset")
    rewards = set()
    for at, row in enumerate(np.random.default_rng(5).integers(0, 2, (250, n))):
        expected = theirs.step(row)
        rewards |= set(expected[1].tolist())
        for envs in ours:
            assert_same(envs.step(row), expected, envs.level, "step", at)
    # Ahead of Gymnasium's by the hands that are dealt already; these are given back to whoever looks.
    for envs in ours:
        envs.np_random  # noqa: B018
        assert_same(envs.get_state()["rng"], streams(theirs), envs.level, "streams")
    assert rewards == {-1.0, 0.0, 1.0} | ({1.5} if arguments == {"natural": True, "sab": False} else set())


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED], ids=str)
def test_the_other_modes_are_gymnasiums(make_all: Maker, mode: AutoresetMode) -> None:
    """The final observations too: tuples of ints."""
    n, theirs = 16, bare(16, mode, sab=True)
    ours = [make_all.vec(n, level, autoreset_mode=mode) for level in served(make_all.id)]
    first = theirs.reset(seed=1)
    for envs in ours:
        assert_same(envs.reset(seed=1), first, "reset")
    for at, row in enumerate(np.random.default_rng(1).integers(0, 2, (120, n))):
        expected = theirs.step(row)
        ended = expected[2]
        for envs in ours:
            assert_same(envs.step(row), expected, envs.level, "step", at)
        if mode is AutoresetMode.DISABLED and ended.any():
            renewed = theirs.reset(options={"reset_mask": ended.copy()})
            for envs in ours:
                assert_same(envs.reset(options={"reset_mask": ended.copy()}), renewed, "reset after step", at)


def before(high: int, low: int, inc: int) -> int:
    """The state whose next one is this."""
    return ((high << 64 | low) - inc) * pow(MULTIPLIER, -1, 2**128) & MASK128


def test_numbers_that_are_drawn_again(make_all: Maker) -> None:
    """One 32-bit number in half a billion is: here the half that is left over, those of the next output, or both, for
    whatever is drawn next: a card of a hand, of the dealer's, or a face."""
    rejected = [number for k in range(13) for number in [-(-k * 2**32 // 13)] if number * 13 % 2**32 < 9]
    assert rejected[0] == 0
    n = 192
    theirs = bare(n, sab=True)
    theirs.reset(seed=0)
    words = streams(theirs)
    rng = np.random.default_rng(0)
    for lane in range(n):
        inc = int(words[2, lane]) << 64 | int(words[3, lane])
        number = rejected[int(rng.integers(len(rejected)))]
        if lane % 3:
            # An output of zeros: both its halves are drawn again, by a card and by a face.
            same = int(rng.integers(2**63))
            state = before(same, same, inc)
            for _ in range(int(rng.integers(3))):
                state = before(state >> 64, state & MASK64, inc)
            words[:2, lane] = [state >> 64, state & MASK64]
        words[4, lane] = 1 << 32 | number if lane % 2 else int(rng.integers(2**32))
    batches = [make_all.vec(n, level) for level in served(make_all.id)]
    for envs in batches:
        envs.reset(seed=0)
        envs.set_state({**envs.get_state(), "rng": words.copy()})
    actions = rng.integers(0, 2, (12, n))
    for start in ("play", "reset"):
        set_streams(theirs, words)
        if start == "reset":
            expected = theirs.reset()
            for envs in batches:
                envs.set_state({**envs.get_state(), "rng": words.copy()})
                assert_same(envs.reset(), expected, envs.level, "reset")
        for at, row in enumerate(actions):
            expected = theirs.step(row)
            for envs in batches:
                assert_same(envs.step(row), expected, envs.level, start, "step", at)
        if start == "play":
            for envs in [theirs, *batches]:
                envs.reset(seed=0)


def test_levels_agree_on_any_state(make_all: Maker) -> None:
    """Hands that no play reaches, and sums around 17 and 21."""
    n = 259
    rng = np.random.default_rng(3)
    bounds = blackjack.SPEC.bounds
    assert list(bounds) == list(blackjack.SPEC.state)
    for setting in SETTINGS:
        batches = [make_all.vec(n, level, max_episode_steps=3, **setting) for level in served(make_all.id)]
        for envs in batches:
            envs.reset(seed=0)
        snapshot = batches[0].get_state()
        for name, (low, high) in bounds.items():
            assert high is not None
            snapshot["state"][name][:] = rng.integers(low, min(high, 40), n, endpoint=True)
        snapshot["elapsed"][:] = rng.integers(-1, 3, n)
        for envs in batches:
            envs.set_state(snapshot)
        for at, row in enumerate(rng.integers(0, 2, (6, n))):
            results = [envs.step(row) for envs in batches]
            for envs, result in zip(batches, results, strict=True):
                assert_same(result, results[0], f"{envs.level}[{envs.isa}] and python differ: step", at)
                assert_same(envs.get_state(), batches[0].get_state(), "state after step", at)


# ---- arguments, attributes, states ----


def test_the_id_plays_by_sutton_and_barto(make: Maker) -> None:
    ours, theirs = make.one(), gym.make(make.id).unwrapped
    for name in ("natural", "sab"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.metadata == theirs.metadata
    assert_same([ours.observation_space, ours.action_space], [theirs.observation_space, theirs.action_space])
    batches = make.vec(3), Maker.sync(3, id=make.id)
    for name in ("single_observation_space", "observation_space", "single_action_space", "action_space"):
        assert getattr(batches[0], name) == getattr(batches[1], name)


def test_attributes_may_be_set_in_play(make: Maker) -> None:
    ours, theirs = make.vec(64), bare(64, sab=True)
    assert_same(ours.reset(seed=9), theirs.reset(seed=9), "reset")
    rng = np.random.default_rng(9)
    for at in range(160):
        if at % 10 == 0:
            for name, value in zip(("natural", "sab"), rng.integers(0, 2, 2).tolist(), strict=True):
                for envs in (ours, theirs):
                    envs.set_attr(name, bool(value))
        # Mostly sticking: that is where they count.
        row = rng.integers(0, 10, 64) == 0
        assert_same(ours.step(row.astype(int)), theirs.step(row.astype(int)), "step", at)


@arguments
def test_stepping_beyond_termination(make: Maker, arguments: dict[str, bool]) -> None:
    """Gymnasium goes on drawing and scoring: a bust player hits on, and a dealer who stays is compared again."""
    ours, theirs = make.one(**arguments), BlackjackEnv(**arguments)
    beyond = 0
    for seed in range(25):
        assert_same(ours.reset(seed=seed), theirs.reset(seed=seed), "reset")
        ended = False
        for at, action in enumerate(np.random.default_rng(seed).integers(0, 2, 12).tolist()):
            beyond += ended
            results = [env.step(action) for env in (ours, theirs)]
            assert_same(*results, "seed", seed, "step", at)
            ended = ended or results[0][2]
        snapshot = ours.get_state()
        again = make.one(**arguments)
        again.reset(seed=0)
        again.set_state(snapshot)
        assert_same(again.step(1), ours.step(1), "a step after set_state")
        assert_same(ours.reset(), (theirs.step(1), theirs.reset())[1], "the next hand")
    assert beyond > 150


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("player_sum", 3), ("player_ace", 2), ("dealer_sum", 27), ("dealer_card", 0), ("suit", 4), ("face", -1)],
)
def test_states_that_are_nonsense_are_refused(make: Maker, name: str, wrong: int) -> None:
    envs = make.vec(3)
    envs.reset(seed=0)
    snapshot = envs.get_state()
    snapshot["state"][name][1] = wrong
    with unchanged_by(envs, ValueError, rf"state\['{name}'\] has {wrong}; allowed: "):
        envs.set_state(snapshot)


# ---- observations ----


def test_one_observation_is_a_tuple_of_ints(make: Maker) -> None:
    env = make.one()
    first, _ = env.reset(seed=0)
    for seen in (first, env.step(1)[0], env.set_state(env.get_state())):
        assert type(seen) is tuple
        assert [type(number) for number in seen] == [int] * 3
        assert env.observation_space.contains(seen)


def test_without_copies_every_call_returns_the_same_arrays(make: Maker) -> None:
    envs, plain = make.vec(5, copy=False), make.vec(5)
    seen = envs.reset(seed=0)[0]
    assert_same(tuple(part.copy() for part in seen), plain.reset(seed=0)[0], "reset")
    for row in np.random.default_rng(0).integers(0, 2, (10, 5)):
        results = envs.step(row), plain.step(row)
        assert results[0][0] is seen
        assert_same(tuple(part.copy() for part in seen), results[1][0], "step")
    assert envs.set_state(envs.get_state()) is seen
    kept = tuple(part.copy() for part in seen)
    del envs
    make.check()
    assert_same(tuple(part.copy() for part in seen), kept, "observations of a batch that is gone")


def test_copies_are_apart(make: Maker) -> None:
    envs = make.vec(4)
    first = envs.reset(seed=0)[0]
    second = envs.step(np.ones(4, int))[0]
    assert not any(np.shares_memory(a, b) for a, b in product(first, second))
    assert all(part.flags.c_contiguous and part.flags.owndata for part in (*first, *second))


def test_the_picture_is_gymnasiums(make: Maker) -> None:
    pytest.importorskip("pygame")
    ours, theirs = make.one(render_mode="rgb_array"), BlackjackEnv(render_mode="rgb_array")
    seen = set()
    for seed in range(12):
        for env in (ours, theirs):
            env.reset(seed=seed)
        for action in (1, 1, 0):
            assert_same(ours.render(), theirs.render(), "seed", seed)
            seen.add((theirs.dealer_top_card_value_str, len(theirs.player)))
            if [env.step(action)[2] for env in (ours, theirs)][1]:
                break
        assert_same(ours.render(), theirs.render(), "the end of seed", seed)
    assert len(seen) > 9


# ---- agents ----

RULE = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "rules" / "blackjack.py"))["basic_strategy"]
STATES = np.array(list(product(range(32), range(11), range(2))))


def agents_of(actions: Array) -> list[Agent]:
    """A table for the game at each level."""
    family, game = registry.family("table"), registry.game("Blackjack-v1")
    file = check.file_of(family, game, "vote", {}, {"actions": actions})
    levels = [
        level
        for level in cl.levels()
        if level.available and (not level.isa or level.isa in family.isas[level.name])
    ]
    return [Agent(file, level.name, level.isa, 0) for level in levels]


def test_a_table_has_an_entry_for_each_triple(game: str) -> None:
    """Entry (sum * 11 + card) * 2 + ace, in whatever form the observation comes."""
    actions = np.random.default_rng(0).integers(0, 2, 704)
    for agent in agents_of(actions):
        assert_same(agent(STATES), actions, agent.level, "rows")
        assert_same(agent(tuple(STATES.T)), actions, agent.level, "columns")
        assert_same(agent(tuple(column.astype(np.uint8) for column in STATES.T)), actions, "bytes")
        for row, action in zip(STATES[::7].tolist(), actions[::7].tolist(), strict=True):
            for form in (tuple(row), row, np.array(row), tuple(np.int32(number) for number in row)):
                assert_same(agent(form), action, agent.level, form)
        for n in (0, 1, 3, 8, 9, 300):
            assert_same(agent(tuple(STATES[:n].T)), actions[:n], agent.level, n)


@pytest.mark.parametrize(
    "wrong",
    [
        (32, 1, 0),
        (12, 11, 0),
        (12, 1, 2),
        (-1, 1, 0),
        (12, 1),
        (12, 1, 0, 0),
        (12.0, 1, 0),
        (12, None, 0),
        "abc",
        12,
        (2**70, 1, 0),
        (np.zeros(2, int), np.zeros(3, int), np.zeros(2, int)),
        (np.zeros(2, int), np.zeros(2, int), np.array([0, 2])),
        np.zeros((3, 2), int),
        np.zeros((2, 2, 3), int),
        {"sum": 12},
    ],
    ids=str,
)
def test_observations_that_are_none(game: str, wrong: Any) -> None:
    for agent in agents_of(np.zeros(704, np.int64)):
        with pytest.raises((TypeError, ValueError), match=r"^observation .*; allowed: .*\(32, 11, 2\)"):
            agent(wrong)
        assert agent((12, 1, 0)) == 0


def test_other_families_see_a_triple_as_a_state_or_refuse_it(game: str) -> None:
    for stem in ("linear", "mlp"):
        assert not check._serves(registry.family(stem), registry.game(game))
    for stem in ("constant", "random", "tree", "forest", "table"):
        assert check._serves(registry.family(stem), registry.game(game))


def test_rollouts_are_the_episodes_of_gymnasium(game: str) -> None:
    """Hands of basic strategy, played by Gymnasium too; 300 of them, more than a block of lanes."""
    env = gym.make(game, disable_env_checker=True)
    returns, lengths = [], []
    for seed in range(300):
        seen, _ = env.reset(seed=seed)
        ended = False
        lengths.append(0)
        while not ended:
            seen, reward, ended, _, _ = env.step(RULE(*seen))
            lengths[-1] += 1
        returns.append(float(reward))
    for level in served(game):
        for num_envs in (7, 300):
            run = cl.rollout(
                game, "basic-strategy", episodes=300, level=level.name, isa=level.isa, num_envs=num_envs
            )
            assert_same(run.returns, np.array(returns), level, "returns")
            assert_same(run.lengths, np.array(lengths), level, "lengths")


def test_basic_strategy_loses_less_than_a_twentieth(game: str) -> None:
    run = cl.rollout(game, "basic-strategy", episodes=100_000)
    assert run.returns.mean() >= -0.05
    random = cl.rollout(game, "random", episodes=10_000)
    assert random.returns.mean() < -0.3


def test_the_agent_is_the_rule(game: str) -> None:
    actions = cl.load_agent(game, "basic-strategy")(STATES)
    assert_same(actions, np.array([RULE(*state) for state in STATES.tolist()]), "actions")


@cache
def dealers(total: int, ace: int) -> dict[int, float]:
    """The probability of each score of a dealer who has this hand."""
    if total >= 17:
        return {total if total <= 21 else 0: 1.0}
    return mixed([dealers(*blackjack.add_card(total, ace, card)) for card in blackjack.DECK])


def mixed(parts: list[dict[int, float]]) -> dict[int, float]:
    scores = {score for part in parts for score in part}
    return {score: sum(part.get(score, 0.0) for part in parts) / len(parts) for score in scores}


@cache
def sticking(total: int, dealer: int) -> float:
    """The mean return of sticking with this sum against this card."""
    scores = mixed([dealers(*blackjack.two_cards(dealer, card)[:2]) for card in blackjack.DECK])
    return sum(p * ((total > score) - (total < score)) for score, p in scores.items())


@cache
def hitting(total: int, ace: int, dealer: int) -> float:
    """The mean return of hitting once and playing on as well as can be."""
    hands = [blackjack.add_card(total, ace, card) for card in blackjack.DECK]
    returns = [
        -1.0 if more > 21 else max(sticking(more, dealer), hitting(more, soft, dealer))
        for more, soft in hands
    ]
    return sum(returns) / len(returns)


def test_the_rule_is_the_exact_solution(game: str) -> None:
    for total, dealer, ace in product(range(4, 22), range(1, 11), (0, 1)):
        if ace and total < 12:
            continue  # no hand
        best = blackjack.HIT if hitting(total, ace, dealer) > sticking(total, dealer) else blackjack.STICK
        assert RULE(total, dealer, ace) == best, (total, dealer, ace)


def test_a_snapshot_goes_on_at_every_level(make_all: Maker) -> None:
    levels = served(make_all.id)
    source = make_all.vec(19, levels[0])
    source.reset(seed=2)
    rows = np.random.default_rng(2).integers(0, 2, (30, 19))
    for row in rows[:11]:
        source.step(row)
    snapshot = source.get_state()
    others = [make_all.vec(19, level) for level in levels]
    for envs in others:
        envs.reset(seed=77)
        envs.set_state(snapshot)
    for row in rows[11:]:
        expected = source.step(row)
        for envs in others:
            assert_same(envs.step(row), expected, envs.level)
            assert_same(inside(envs), inside(source), envs.level)
