# SPDX-License-Identifier: MIT
"""The vector environment's interface: masks, modes, copies, attributes, threads."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

import compute_layers as cl
from compute_layers import registry
from conftest import (
    LEVELS,
    Array,
    Maker,
    arrays,
    assert_same,
    assert_same_infos,
    frozen,
    random_actions,
    rows,
)

EVERY_KIND = True  # see conftest.py
N = 5


def actions_for(envs: Any, steps: int, seed: int = 0) -> Array:
    return random_actions(envs.single_action_space, (steps, envs.num_envs), np.random.default_rng(seed))


# ---- what is returned ----


def names_of_infos(id: str) -> set[str]:
    spec = registry.game(id).spec
    return {f"{mask}{name}" for name in (*spec.info, *spec.masks) for mask in ("", "_")}


def test_types_and_shapes(make: Maker, mode: AutoresetMode) -> None:
    envs = make.vec(N, autoreset_mode=mode)
    observation, infos = envs.reset(seed=0)
    assert observation in envs.observation_space
    assert set(infos) == names_of_infos(make.id)
    observation, rewards, terminated, truncated, infos = envs.step(actions_for(envs, 1)[0])
    assert observation in envs.observation_space
    assert all(part.flags.c_contiguous for part in arrays(observation))
    assert (rewards.dtype, rewards.shape) == (np.float64, (N,))
    for flags in (terminated, truncated):
        assert (flags.dtype, flags.shape) == (np.bool_, (N,))
    assert set(infos) - {"final_obs", "_final_obs", "final_info", "_final_info"} == names_of_infos(make.id)


def test_results_are_the_callers(make: Maker, mode: AutoresetMode) -> None:
    """copy=True: whatever is written into the results, the environments do not notice."""
    scribbled, plain = (make.vec(N, autoreset_mode=mode, max_episode_steps=4) for _ in range(2))
    for envs in (scribbled, plain):
        envs.reset(seed=0)
    for at, row in enumerate(actions_for(plain, 12)):
        ours, expected = scribbled.step(row.copy()), plain.step(row)
        assert_same(ours, expected, "step", at)
        ended = expected[2] | expected[3]
        for array in (*arrays(ours[0]), *ours[1:4]):
            array[...] = 1
        if mode is AutoresetMode.DISABLED and ended.any():
            for envs in (scribbled, plain):
                envs.reset(options={"reset_mask": ended.copy()})


def test_copies_do_not_share_memory(make: Maker) -> None:
    envs = make.vec(N)
    seen = [envs.reset(seed=0)[0], *(envs.step(row)[0] for row in actions_for(envs, 3)), envs.reset()[0]]
    seen.append(envs.set_state(envs.get_state()))
    for a in range(len(seen)):
        for b in range(a):
            assert not any(map(np.shares_memory, arrays(seen[a]), arrays(seen[b])))


def test_without_copies_every_call_returns_the_same_array(make: Maker) -> None:
    envs, plain = make.vec(N, copy=False), make.vec(N)
    observation = envs.reset(seed=0)[0]

    def is_the_same(other: Any) -> bool:
        return all(a is b for a, b in zip(arrays(observation), arrays(other), strict=True))

    assert_same(copy.deepcopy(observation), plain.reset(seed=0)[0], "reset")
    for row in actions_for(plain, 40):
        results = envs.step(row)
        assert is_the_same(results[0])
        assert_same((copy.deepcopy(observation), *results[1:]), plain.step(row), "step")
    assert is_the_same(envs.reset()[0])
    assert is_the_same(envs.set_state(envs.get_state()))


@pytest.mark.parametrize("copied", [True, False])
def test_a_batch_is_freed_with_its_last_observation(make: Maker, copied: bool) -> None:
    """copy=False keeps the memory as long as the array lives, and no longer."""
    envs = cl.VectorEnv(N, game=make.id, level=make.level.name, isa=make.level.isa, copy=copied)
    observation = envs.reset(seed=0)[0]
    kept = copy.deepcopy(observation)
    batch = weakref.ref(envs._batch)
    del envs
    gc.collect()
    assert_same(observation, kept, "observation")
    del observation
    gc.collect()
    assert batch() is None


def test_rewards_and_flags_are_copies_even_without_copies(make: Maker) -> None:
    envs = make.vec(N, copy=False)
    envs.reset(seed=0)
    first, second = (envs.step(row) for row in actions_for(envs, 2))
    for a, b in zip(first[1:4], second[1:4], strict=True):
        assert not np.shares_memory(a, b)


def test_defaults(game: str) -> None:
    envs: Any = gym.make_vec(registry.NAMESPACE + game)
    assert envs.num_envs == 1
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.render_mode is None
    assert type(envs) is cl.VectorEnv
    assert envs.spec.id == registry.NAMESPACE + game
    assert envs._batch.limit == (registry.game(game).entry.max_episode_steps or 2**63 - 1)
    assert envs.unwrapped is envs


def test_autoreset_mode_may_be_given_by_its_value(make: Maker, mode: AutoresetMode) -> None:
    assert make.vec(2, autoreset_mode=mode.value).metadata["autoreset_mode"] is mode


# ---- reset_mask ----


def test_masked_resets_are_those_of_gymnasium(make: Maker, mode: AutoresetMode) -> None:
    """Streams, elapsed steps, flags; after any number of steps, with and without seeds."""
    kwargs: dict[str, Any] = {"autoreset_mode": mode, "max_episode_steps": 9}
    ours, theirs = make.vec(N, **kwargs), make.sync(N, id=make.id, **kwargs)

    @given(data=st.data())
    @settings(max_examples=25)
    def agree(data: st.DataObject) -> None:
        for envs in (ours, theirs):
            envs.reset(seed=1)
        rng = np.random.default_rng(0)
        ended = np.zeros(N, bool)
        for _ in range(3):
            for _ in range(data.draw(st.integers(0, 12))):
                if mode is AutoresetMode.DISABLED and ended.any():
                    break
                actions = random_actions(ours.single_action_space, (N,), rng)
                results = [envs.step(actions) for envs in (ours, theirs)]
                assert_same(*(result[2:4] for result in results), "flags")
                ended = results[0][2] | results[0][3]
            mask = np.array(data.draw(st.lists(st.booleans(), min_size=N, max_size=N)))
            if not mask.any():
                mask[data.draw(st.integers(0, N - 1))] = True
            if mode is AutoresetMode.DISABLED:
                mask |= ended
            seeds = data.draw(st.sampled_from([None, 5, [1, None, 2**65, None, 0]]))
            results = [envs.reset(seed=seeds, options={"reset_mask": mask.copy()}) for envs in (ours, theirs)]
            assert_same(
                *(rows(result[0], mask) for result in results), "observations of the lanes that were reset"
            )
            assert_same_infos(results[0][1], results[1][1], "infos")
            ended &= ~mask
        assert_same(*([g.bit_generator.state for g in envs.np_random] for envs in (ours, theirs)), "streams")

    agree()


def test_a_masked_reset_returns_the_last_observation_of_the_others(make: Maker, mode: AutoresetMode) -> None:
    envs = make.vec(N, autoreset_mode=mode, max_episode_steps=6)
    envs.reset(seed=0)
    mask = np.arange(N) < 2
    for row in actions_for(envs, 6):
        last, _, terminated, truncated, _ = envs.step(row)
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            break
    observation = envs.reset(options={"reset_mask": mask})[0]
    assert_same(rows(observation, ~mask), rows(last, ~mask), "the others' observations")
    assert frozen(envs.get_state()["elapsed"][mask]) == frozen(np.zeros(2, np.int64))


def test_the_callers_options_are_left_alone(make: Maker) -> None:
    envs = make.vec(N)
    envs.reset(seed=0)
    options = {"reset_mask": np.ones(N, bool)}
    envs.reset(options=options)
    assert list(options) == ["reset_mask"]
    assert options["reset_mask"].all()


def test_a_full_mask_is_a_reset(make: Maker) -> None:
    masked, plain = make.vec(N), make.vec(N)
    for envs in (masked, plain):
        envs.reset(seed=0)
    for seed in (None, 3):
        options = {"reset_mask": np.ones(N, bool)}
        assert_same(masked.reset(seed=seed, options=options), plain.reset(seed=seed), "reset")


# ---- attributes ----


def test_params_are_attributes(make: Maker) -> None:
    envs, env = make.vec(3), make.one()
    for name, default in registry.game(make.id).default.params.items():
        assert envs.get_attr(name) == (default,) * 3
        assert getattr(env, name) == getattr(envs, name) == default
        other: Any
        if isinstance(default, bool):
            other = not default
        elif isinstance(default, float):
            other = default + 0.5
        else:
            other = registry.game(make.id).spec.choices[name][-1]
        for value in (other, [other] * 3, (other, other, other)):
            envs.set_attr(name, default)
            envs.set_attr(name, value)
            assert envs.get_attr(name) == (other,) * 3
        setattr(env, name, other)
        assert getattr(env, name) == other


def test_params_may_be_set_in_mid_episode(make: Maker) -> None:
    """They hold from the next step on, and stay through resets, in the batch and in the single environment."""
    numbers = {k: v for k, v in registry.game(make.id).default.params.items() if isinstance(v, float) and v}
    if not numbers or registry.game(make.id).spec.table is not None:
        pytest.skip("no param of this game changes the next steps")
    felt = []
    for name, default in numbers.items():
        changed, plain = make.vec(2), make.vec(2)
        for envs in (changed, plain):
            envs.reset(seed=0)
            envs.step(actions_for(plain, 1)[0])
        changed.set_attr(name, default * 1.5)
        some = actions_for(plain, 5)
        if frozen([changed.step(row) for row in some]) != frozen([plain.step(row) for row in some]):
            felt.append(name)
        changed.reset(seed=0)
        assert changed.get_attr(name) == (default * 1.5,) * 2
        changed.set_attr(name, default)
        plain.reset(seed=0)
        assert_same([changed.step(row) for row in some], [plain.step(row) for row in some], "steps")
    assert felt, "no param changed the next steps"


def test_get_attr_has_one_entry_for_each_environment(make: Maker) -> None:
    """Also where the attribute is a tuple already, as in Gymnasium."""
    envs, theirs = make.vec(3), make.sync(3, id=make.id)
    for batch in (envs, theirs):
        batch.reset(seed=4)
    assert envs.get_attr("np_random_seed") == theirs.get_attr("np_random_seed") == (4, 5, 6)
    assert [type(entry) for entry in envs.get_attr("np_random")] == [np.random.Generator] * 3
    assert envs.get_attr("render_mode") == (None,) * 3
    for name in ("action_space", "observation_space", "state"):
        assert frozen(envs.get_attr(name)) == frozen(tuple(getattr(env, name) for env in envs_of(make, 3)))
    with pytest.raises(AttributeError, match="no_such_thing"):
        envs.get_attr("no_such_thing")


def envs_of(make: Maker, n: int) -> list[Any]:
    """The environments of a batch of n that was reset with seed 4, one by one."""
    singles = [make.one() for _ in range(n)]
    for lane, env in enumerate(singles):
        env.reset(seed=4 + lane)
    return singles


def test_call_is_that_of_gymnasium(make: Maker) -> None:
    ours, theirs = make.vec(3), make.sync(3, id=make.id)
    assert ours.call("state") == (None,) * 3
    for envs in (ours, theirs):
        envs.reset(seed=4)
    for name in ("np_random_seed", "action_space", "observation_space", "render_mode"):
        assert ours.call(name) == theirs.call(name)
    states = np.array(ours.call("state"))
    if hasattr(gym.make(make.id).unwrapped, "state"):
        assert_same(states, np.array(theirs.call("state")), "states")
    assert ours.call("level") == (make.level.name,) * 3
    assert ours.call("isa") == (make.level.isa,) * 3
    for state in ours.call("state"):
        state[:] = 0
    assert_same(np.array(ours.call("state")), states, "states after their copies were overwritten")


def test_call_draws(make: Maker) -> None:
    pytest.importorskip("pygame")
    envs = make.vec(2, render_mode="rgb_array")
    envs.reset(seed=0)
    assert_same(envs.call("render"), envs.render(), "frames")


def test_call_has_no_methods_that_move_one_environment(make: Maker) -> None:
    envs = make.vec(2)
    envs.reset(seed=0)
    for name in ("reset", "step", "close", "get_state", "set_state"):
        with pytest.raises(TypeError, match=f"{name} is a method of the whole batch; allowed: "):
            envs.call(name)
    with pytest.raises(TypeError, match="'reset'.*allowed: none"):
        envs.call("reset", seed=1)
    with pytest.raises(AttributeError, match="no_such_thing"):
        envs.call("no_such_thing")


# ---- threads ----


def test_threads_with_batches_of_their_own(make: Maker) -> None:
    """Native steps release Python's lock at this size: they truly run at once."""
    n, steps, threads = (160, 40, 4) if make.level.name != "python" else (8, 30, 3)
    reference = make.vec(n)
    rows = actions_for(reference, steps)
    expected = []
    for seed in range(threads):
        first = reference.reset(seed=seed * 1000)
        expected.append([first, *(reference.step(row) for row in rows)])
    batches = [make.vec(n) for _ in range(threads)]
    played: list[Any] = [None] * threads
    start = threading.Barrier(threads)

    def run(at: int) -> None:
        start.wait()
        first = batches[at].reset(seed=at * 1000)
        played[at] = [first, *(batches[at].step(row) for row in rows)]

    workers = [threading.Thread(target=run, args=(at,)) for at in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for at in range(threads):
        assert_same(played[at], expected[at], "thread", at)


@pytest.mark.parametrize(
    "level", [level for level in LEVELS if level.name != "python"], indirect=True, ids=str
)
def test_one_batch_in_two_threads_is_refused_and_never_corrupted(make: Maker) -> None:
    """Each step that is not refused counts; the state is that of as many steps in one thread."""
    n, tries, threads = 20_000, 60, 3
    shared, alone = make.vec(n), make.vec(n)
    for envs in (shared, alone):
        envs.reset(seed=0)
    row = actions_for(shared, 1)[0]
    taken, refusals = [0] * threads, [0] * threads
    start = threading.Barrier(threads)

    def run(at: int) -> None:
        start.wait()
        for _ in range(tries):
            try:
                shared.step(row)
                taken[at] += 1
            except RuntimeError as refusal:
                assert "in use" in str(refusal)
                refusals[at] += 1

    workers = [threading.Thread(target=run, args=(at,)) for at in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(taken) + sum(refusals) == threads * tries, "a thread died"
    for _ in range(sum(taken)):
        alone.step(row)
    assert_same(shared.get_state(), alone.get_state(), f"states after {sum(taken)} steps")
    if not sum(refusals):
        pytest.skip("no two calls met on this machine")
