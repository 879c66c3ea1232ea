# SPDX-License-Identifier: MIT
"""Fidelity: the same seed gives Gymnasium's episodes, spaces, infos and random streams."""

from __future__ import annotations

from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from compute_layers import registry
from conftest import (
    Array,
    Maker,
    arrays,
    assert_same,
    assert_same_infos,
    assert_same_start,
    frozen,
    random_actions,
    rows,
)

EVERY_GAME = True  # see conftest.py
STEPS = 60
LIMIT = 25  # truncates about a third of random CartPole episodes, some of them while they terminate


def seeds_of(id: str) -> int:
    """How many seeds are compared; Gymnasium takes its time to make environments with tables."""
    return 1000 if id == registry.games()[0] else 100 if registry.game(id).spec.table is None else 50


def assert_same_resets(id: str, ours: Any, theirs: Any) -> None:
    """Equal results of resets of single environments."""
    assert_same_start(id, ours[0], theirs[0], "observation")
    assert_same(ours[1], theirs[1], "info")


def resetting(mode: AutoresetMode, ended: Array, results: tuple[Any, ...]) -> Array:
    """Which observations of these results are initial ones; ``ended`` are the lanes of the step before."""
    return results[2] | results[3] if mode is AutoresetMode.SAME_STEP else ended


def play_on(envs: Any, mode: AutoresetMode, actions: Array) -> list[tuple[Any, ...]]:
    """Steps; in DISABLED mode the lanes that have ended are reset by hand before the next one."""
    played = []
    for row in actions:
        results = envs.step(row)
        played.append(results)
        ended = results[2] | results[3]
        if mode is AutoresetMode.DISABLED and ended.any():
            played.append((*envs.reset(options={"reset_mask": ended.copy()}), ended))
    return played


def streams(envs: Any) -> list[Any]:
    return [generator.bit_generator.state for generator in envs.np_random]


@cache
def gymnasium_plays(id: str, mode: AutoresetMode) -> tuple[Any, ...]:
    seeds = seeds_of(id)
    envs = Maker.sync(seeds, id=id, autoreset_mode=mode, max_episode_steps=LIMIT)
    rng = np.random.default_rng(0)
    actions = random_actions(envs.single_action_space, (STEPS, seeds), rng)
    first = envs.reset(seed=0)
    return actions, first, play_on(envs, mode, actions), streams(envs)


def test_many_seeds_reset_and_autoreset_as_in_gymnasium(make: Maker, mode: AutoresetMode) -> None:
    actions, first, played, final_streams = gymnasium_plays(make.id, mode)
    seeds = seeds_of(make.id)
    envs = make.vec(seeds, autoreset_mode=mode, max_episode_steps=LIMIT)
    assert_same_start(make.id, envs.reset(seed=0)[0], first[0], "reset")
    ended = np.zeros(seeds, bool)
    autoresets = both_flags = 0
    for at, (ours, theirs) in enumerate(zip(play_on(envs, mode, actions), played, strict=True)):
        if len(theirs) == 3:  # a reset by hand
            assert_same_start(
                make.id,
                rows(ours[0], theirs[2]),
                rows(theirs[0], theirs[2]),
                "observations of the reset after step",
                at,
            )
            assert_same_infos(ours[1], theirs[1], "infos of the reset after step", at)
            autoresets += int(theirs[2].sum())
            continue
        assert_same(ours[2:4], theirs[2:4], "flags of step", at)
        initial = resetting(mode, ended, theirs)
        assert_same_start(
            make.id, rows(ours[0], initial), rows(theirs[0], initial), "initial observations of step", at
        )
        assert_same(ours[1][ended], theirs[1][ended], "rewards after autoresets of step", at)
        assert [array.dtype for array in ours[1:4]] == [array.dtype for array in theirs[1:4]]
        assert [part.dtype for part in arrays(ours[0])] == [part.dtype for part in arrays(theirs[0])]
        autoresets += int(initial.sum())
        both_flags += int((theirs[2] & theirs[3]).sum())
        ended = (theirs[2] | theirs[3]) & (mode is AutoresetMode.NEXT_STEP)
    assert_same(streams(envs), final_streams, "streams after the run")
    assert autoresets >= seeds, "the run was meant to see an autoreset of every lane"
    if make.id == registry.games()[0]:
        assert both_flags, "the run was meant to see an episode terminate and be truncated at once"


def test_infos_are_those_of_gymnasium(make: Maker, mode: AutoresetMode) -> None:
    actions, first, played, _ = gymnasium_plays(make.id, mode)
    envs = make.vec(seeds_of(make.id), autoreset_mode=mode, max_episode_steps=LIMIT)
    assert_same_infos(envs.reset(seed=0)[1], first[1], "infos of reset")
    finals = 0
    for at, (ours, theirs) in enumerate(zip(play_on(envs, mode, actions), played, strict=True)):
        if len(theirs) == 3:
            continue
        assert set(ours[4]) == set(theirs[4])
        without = {key: value for key, value in ours[4].items() if key != "final_obs"}
        assert_same_infos(without, {key: theirs[4][key] for key in without}, "infos of step", at)
        if "final_obs" in theirs[4]:
            mask = theirs[4]["_final_obs"]
            ours_final, theirs_final = ours[4]["final_obs"], theirs[4]["final_obs"]
            assert ours_final.dtype == theirs_final.dtype == object
            assert [entry is None for entry in ours_final] == (~mask).tolist()
            for a, b in zip(ours_final[mask], theirs_final[mask], strict=True):
                assert (type(a), np.shape(a)) == (type(b), np.shape(b))
                assert np.asarray(a).dtype == np.asarray(b).dtype
            finals += int(mask.sum())
    assert (finals > 0) == (mode is AutoresetMode.SAME_STEP)


def test_final_obs_is_the_observation_that_ends_the_episode(make: Maker) -> None:
    """The same steps in DISABLED mode show it as an ordinary observation."""
    same = make.vec(8, autoreset_mode=AutoresetMode.SAME_STEP, max_episode_steps=LIMIT)
    shown = make.vec(8, autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=LIMIT)
    same.reset(seed=3)
    shown.reset(seed=3)
    actions = random_actions(same.single_action_space, (LIMIT + 1, 8), np.random.default_rng(3))
    seen = 0
    for row in actions:
        _, _, terminated, truncated, infos = same.step(row)
        plain = shown.step(row)
        ended = terminated | truncated
        if ended.any():
            final = np.array([np.asarray(entry) for entry in infos["final_obs"][ended]])
            wanted = rows(plain[0], ended)
            assert_same(
                final, np.stack(wanted, axis=-1) if isinstance(wanted, tuple) else wanted, "final_obs"
            )
            shown.reset(options={"reset_mask": ended})
            seen += int(ended.sum())
    assert seen >= 8


def test_spaces_and_metadata_are_those_of_gymnasium(make: Maker, mode: AutoresetMode) -> None:
    ours, theirs = make.vec(3, autoreset_mode=mode), make.sync(3, id=make.id, autoreset_mode=mode)
    for name in ("action_space", "observation_space", "single_action_space", "single_observation_space"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.metadata == theirs.metadata
    assert ours.metadata["autoreset_mode"] is mode
    one, reference = make.one(), gym.make(make.id).unwrapped
    assert one.action_space == reference.action_space
    assert one.observation_space == reference.observation_space
    assert one.metadata == reference.metadata


def test_registration_is_that_of_gymnasium(game: str) -> None:
    ours, theirs = gym.spec(registry.NAMESPACE + game), gym.spec(game)
    for name in ("max_episode_steps", "reward_threshold", "nondeterministic", "order_enforce"):
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 + 1, 2**64 - 1, 2**64, 2**128 - 1, 2**128 + 5, 2**300])
def test_seeds_of_every_size(make: Maker, seed: int) -> None:
    ours, theirs = make.one(), gym.make(make.id)
    for _ in range(2):  # the second reset goes on in the stream
        assert_same_resets(make.id, ours.reset(seed=seed), theirs.reset(seed=seed))
        assert_same_resets(make.id, ours.reset(), theirs.reset())
        assert ours.np_random_seed == seed
    batches = make.vec(3), make.sync(3, id=make.id)
    assert_same_start(make.id, *(envs.reset(seed=seed)[0] for envs in batches), "reset of a batch")
    assert_same(*(streams(envs) for envs in batches), "streams of a batch")
    assert [envs.np_random_seed for envs in batches] == [(seed, seed + 1, seed + 2)] * 2


@pytest.mark.parametrize("seed", [[5, 3, 2**70], (1, 1, 1), [None, 9, None], [2, None, 4]])
def test_seeds_one_by_one(make: Maker, seed: Any) -> None:
    batches = make.vec(3), make.sync(3, id=make.id)
    for envs in batches:
        envs.reset(seed=100)
    assert_same_start(make.id, *(envs.reset(seed=seed)[0] for envs in batches), "reset")
    assert_same(*(streams(envs) for envs in batches), "streams")
    assert len({envs.np_random_seed for envs in batches}) == 1


def test_resets_without_seed_go_on_in_the_stream(make: Maker) -> None:
    batches = make.vec(4), make.sync(4, id=make.id)
    seen = set()
    assert_same_start(make.id, *(envs.reset(seed=1)[0] for envs in batches), "reset")
    for _ in range(5):
        ours, theirs = (envs.reset()[0] for envs in batches)
        assert_same_start(make.id, ours, theirs, "reset without seed")
        seen.add(repr(frozen(streams(batches[0]))))
    assert len(seen) == 5


def test_the_first_reset_without_seed_is_unpredictable(make: Maker) -> None:
    first, second = make.vec(3), make.vec(3)
    for envs in (first, second):
        envs.reset()
        assert len(set(envs.np_random_seed)) == 3
        assert all(2**64 < seed < 2**128 for seed in envs.np_random_seed)
    assert frozen(streams(first)) != frozen(streams(second))
    again = make.vec(3)
    assert again.np_random_seed
    assert_same(
        again.reset(seed=list(first.np_random_seed)), make.vec(3).reset(seed=list(first.np_random_seed))
    )


def test_np_random_seed_before_the_first_reset_is_a_number(make: Maker) -> None:
    for ours, theirs in ((make.one(), gym.make(make.id)), (make.vec(2), make.sync(2, id=make.id))):
        seeds = np.atleast_1d(np.array(ours.np_random_seed, dtype=object))
        assert [type(seed) for seed in seeds] == [type(seed) for seed in np.atleast_1d(theirs.np_random_seed)]
        ours.reset()
        assert np.atleast_1d(np.array(ours.np_random_seed, dtype=object)).tolist() == seeds.tolist()


# ---- np_random is a live generator ----


def disturb(generators: Any, count: int) -> None:
    """Draw, leaving a 32-bit half behind if count is odd."""
    for generator in generators:
        generator.random(count)
        for _ in range(count):
            generator.integers(5)


@pytest.mark.parametrize("drawn", [1, 2])
def test_draws_from_np_random_move_the_next_initial_state(make: Maker, drawn: int) -> None:
    pair = make.one(), gym.make(make.id).unwrapped
    untouched = make.one()
    for env in (*pair, untouched):
        env.reset(seed=11)
    for env in pair:
        disturb([env.np_random], drawn)
    ours, theirs = (env.reset()[0] for env in pair)
    assert_same_start(make.id, ours, theirs, "initial state after draws")
    untouched.reset()
    assert frozen(streams_of(pair[0])) != frozen(streams_of(untouched))
    assert_same(*([env.np_random.bit_generator.state] for env in pair), "streams")


def streams_of(env: Any) -> Any:
    return env.np_random.bit_generator.state


def staggered(batches: Any) -> Any:
    """Lane 0 is younger than the others, so that a time limit does not end all episodes at once."""
    actions = np.zeros_like(batches[0].action_space.sample())
    for envs in batches:
        _, _, terminated, truncated, _ = envs.step(actions)
        mask = terminated | truncated
        mask[0] = True
        envs.reset(options={"reset_mask": mask})
    return batches


def until_an_episode_ends(batches: Any, space: Any, seed: int) -> Array:
    """Play all batches with the same actions until some lane, but not all, has ended an episode."""
    rng = np.random.default_rng(seed)
    for _ in range(1000):
        actions = random_actions(space, (batches[0].num_envs,), rng)
        results = [envs.step(actions) for envs in batches]
        ended: Array = results[0][2] | results[0][3]
        assert_same(results[0][2:4], results[-1][2:4], "flags")
        if ended.any() and not ended.all():
            return ended
        for envs in batches:
            if ended.all() and envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED:
                envs.reset()
    raise AssertionError("no episode ended alone")


@pytest.fixture
def parked(make: Maker) -> tuple[Any, Any, Array]:
    """Ours and Gymnasium's where a lane has ended and its next initial state is still to come (NEXT_STEP)."""
    batches = make.vec(4, max_episode_steps=LIMIT), make.sync(4, id=make.id, max_episode_steps=LIMIT)
    for envs in batches:
        envs.reset(seed=21)
    ended = until_an_episode_ends(staggered(batches), batches[0].single_action_space, 21)
    return (*batches, ended)


def test_a_parked_draw_is_withdrawn_when_np_random_is_touched(
    make: Maker, parked: tuple[Any, Any, Array]
) -> None:
    ours, theirs, ended = parked
    assert_same(streams(ours), streams(theirs), "streams while a reset is due")
    for envs in (ours, theirs):
        disturb(envs.np_random, 1)
    actions = np.zeros_like(ours.action_space.sample())
    new, reference = (rows(envs.step(actions)[0], ended) for envs in (ours, theirs))
    assert_same_start(make.id, new, reference, "initial states after draws")
    assert_same(streams(ours), streams(theirs), "streams")


def test_a_parked_draw_is_withdrawn_by_an_explicit_reset(make: Maker, parked: tuple[Any, Any, Array]) -> None:
    ours, theirs, _ = parked
    assert_same_start(make.id, ours.reset()[0], theirs.reset()[0], "reset")
    assert_same_start(make.id, ours.reset()[0], theirs.reset()[0], "second reset")
    assert_same(streams(ours), streams(theirs), "streams")


def test_a_parked_draw_is_withdrawn_by_a_masked_reset(make: Maker, parked: tuple[Any, Any, Array]) -> None:
    ours, theirs, ended = parked
    for mask in (ended, ~ended):
        results = [rows(envs.reset(options={"reset_mask": mask.copy()})[0], mask) for envs in (ours, theirs)]
        assert_same_start(make.id, *results, "reset")
    assert_same(streams(ours), streams(theirs), "streams")


def test_a_masked_reset_leaves_parked_neighbours_to_their_autoreset(
    make: Maker, parked: tuple[Any, Any, Array]
) -> None:
    ours, theirs, ended = parked
    for envs in (ours, theirs):
        envs.reset(options={"reset_mask": ~ended})
    actions = np.zeros_like(ours.action_space.sample())
    results = [envs.step(actions) for envs in (ours, theirs)]
    assert_same_start(make.id, *(rows(result[0], ended) for result in results), "initial states")
    assert_same(*(result[1][ended] for result in results), "rewards")
    assert_same(streams(ours), streams(theirs), "streams")


def test_a_parked_draw_is_withdrawn_by_a_new_seed(make: Maker, parked: tuple[Any, Any, Array]) -> None:
    ours, theirs, _ = parked
    mask = np.ones(4, bool)
    seeds = [7, None, 2**130, None]
    for envs in (ours, theirs):
        assert envs.reset(seed=seeds, options={"reset_mask": mask.copy()})
    assert_same(streams(ours), streams(theirs), "streams")
    assert_same_start(make.id, ours.reset()[0], theirs.reset()[0], "next reset")


def test_a_touched_generator_stays_in_step_in_every_mode(make: Maker, mode: AutoresetMode) -> None:
    kwargs: dict[str, Any] = {"autoreset_mode": mode, "max_episode_steps": LIMIT}
    batches = make.vec(4, **kwargs), make.sync(4, id=make.id, **kwargs)
    for envs in batches:
        envs.reset(seed=5)
    held = [envs.np_random for envs in staggered(batches)]
    space = batches[0].single_action_space
    for round in range(6):
        ended = until_an_episode_ends(batches, space, round)
        assert_same(*([g.bit_generator.state for g in generators] for generators in held), "held generators")
        for generators in held:
            disturb(generators, 1 + round % 2)
        if mode is AutoresetMode.DISABLED:
            options = [{"reset_mask": ended.copy()} for _ in batches]
            results = [envs.reset(options=o) for envs, o in zip(batches, options, strict=True)]
        else:
            results = [envs.step(np.zeros_like(envs.action_space.sample())) for envs in batches]
        if mode is not AutoresetMode.SAME_STEP:
            assert_same_start(
                make.id, *(rows(result[0], ended) for result in results), "initial states after draws"
            )
    assert_same(streams(batches[0]), streams(batches[1]), "streams")


def test_np_random_may_be_replaced(make: Maker) -> None:
    pair = make.one(), gym.make(make.id).unwrapped
    generators = [np.random.Generator(np.random.PCG64(99)) for _ in pair]
    for env, generator in zip(pair, generators, strict=True):
        env.reset(seed=1)
        env.np_random = generator
        assert env.np_random is generator
        assert env.np_random_seed == -1
    assert_same_resets(make.id, *(env.reset() for env in pair))
    assert_same(*([g.bit_generator.state] for g in generators), "the caller's generators")
    assert_same_resets(make.id, *(env.reset(seed=4) for env in pair))
    assert [env.np_random_seed for env in pair] == [4, 4]
    assert all(env.np_random is not generator for env, generator in zip(pair, generators, strict=True))


def test_np_random_may_be_replaced_while_a_reset_is_due(make: Maker, parked: tuple[Any, Any, Array]) -> None:
    ours, theirs, ended = parked
    ours.np_random = tuple(np.random.default_rng(lane) for lane in range(4))
    for lane, env in enumerate(theirs.envs):
        env.unwrapped.np_random = np.random.default_rng(lane)
    assert set(ours.np_random_seed) == {-1}
    actions = np.zeros_like(ours.action_space.sample())
    assert_same_start(
        make.id, *(rows(envs.step(actions)[0], ended) for envs in (ours, theirs)), "initial states"
    )


# ---- the single environment ----


def test_the_single_environment_follows_gymnasium(make: Maker) -> None:
    ours, theirs = make.wrapped(), gym.make(make.id)
    assert type(ours) is type(theirs)  # the outermost wrapper
    rng = np.random.default_rng(2)
    assert_same_resets(make.id, ours.reset(seed=2), theirs.reset(seed=2))
    episodes = 0
    for step in range(1, 1501):
        action = random_actions(ours.action_space, (), rng)
        action = int(action) if isinstance(ours.action_space, gym.spaces.Discrete) else action
        results = [env.step(action) for env in (ours, theirs)]
        assert_same(*(result[2:] for result in results), "flags and info")
        assert type(results[0][1]) is float  # Gymnasium's is an int or a NumPy scalar in some games
        assert [type(results[0][k]) for k in (0, 2, 3, 4)] == [type(results[1][k]) for k in (0, 2, 3, 4)]
        if results[0][2] or results[0][3] or step % 700 == 0:  # CliffWalking's episodes may last
            assert_same_resets(make.id, ours.reset(), theirs.reset())
            episodes += 1
        if episodes == 30:
            break
    assert episodes >= 2
