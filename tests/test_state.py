# SPDX-License-Identifier: MIT
"""Snapshots, pickle and deepcopy, at each level and from level to level."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from compute_layers import registry
from conftest import Maker, assert_same, frozen, inside, play, random_actions, rows, served, unchanged_by

EVERY_KIND = True  # see conftest.py
N = 6
LIMIT = 20
CLONERS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "deepcopy": copy.deepcopy,
    "old pickle": lambda env: pickle.loads(pickle.dumps(env, protocol=2)),
}
cloners = pytest.mark.parametrize("clone", CLONERS.values(), ids=CLONERS)


@pytest.fixture
def _draws_in_resets_only(game: str) -> None:
    if registry.game(game).spec.step_draws:
        pytest.skip("a step of this game draws too: its episodes part without a reset")


draws_in_resets_only = pytest.mark.usefixtures("_draws_in_resets_only")


def actions_for(envs: Any, steps: int, seed: int = 0) -> Any:
    return random_actions(envs.single_action_space, (steps, envs.num_envs), np.random.default_rng(seed))


def step_on(envs: Any, steps: int, seed: int = 0) -> list[Any]:
    """Steps of random actions; DISABLED lanes that ended are reset first."""
    results = []
    for row in actions_for(envs, steps, seed):
        state = envs.get_state()
        ended = state["elapsed"] < 0
        if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            results.append(envs.reset(options={"reset_mask": ended}))
        results.append(envs.step(row))
    return results


def started(make: Maker, steps: int, mode: AutoresetMode = AutoresetMode.NEXT_STEP, **kwargs: Any) -> Any:
    envs = make.vec(N, autoreset_mode=mode, max_episode_steps=LIMIT, **kwargs)
    envs.reset(seed=8)
    # Lane 0 is older than the others: a time limit does not end all episodes at once.
    snapshot = envs.get_state()
    snapshot["elapsed"][0] = 2
    envs.set_state(snapshot)
    step_on(envs, steps)
    return envs


def with_a_parked_lane(make: Maker) -> Any:
    """A lane has ended and waits for its autoreset (NEXT_STEP), others are in mid-episode."""
    envs = started(make, 1)
    for seed in range(1, LIMIT + 1):
        ended = envs.get_state()["elapsed"] < 0
        if ended.any() and not ended.all():
            return envs
        step_on(envs, 1, seed)
    raise AssertionError("no lane ended alone")


# ---- get_state and set_state ----


def test_a_snapshot_is_restored_exactly(make: Maker, mode: AutoresetMode) -> None:
    envs = started(make, 15, mode)
    snapshot = envs.get_state()
    expected = step_on(envs, 40, seed=1)
    assert frozen(envs.get_state()) != frozen(snapshot)
    envs.set_state(snapshot)
    assert_same(envs.get_state(), snapshot, "state after set_state")
    assert_same(step_on(envs, 40, seed=1), expected, "steps after set_state")


def test_a_snapshot_is_a_copy(make: Maker) -> None:
    envs = started(make, 5)
    snapshot = envs.get_state()
    kept = copy.deepcopy(snapshot)
    expected = step_on(envs, 3)
    assert_same(snapshot, kept, "the snapshot after steps")
    envs.set_state(snapshot)
    arrays = [entry for entry in snapshot.values() if isinstance(entry, np.ndarray)]
    assert len(arrays) == 4  # elapsed, ahead, rng, rng_ahead
    for array in (*arrays, *snapshot["state"].values()):
        array[:] = 1
    assert_same(step_on(envs, 3), expected, "steps after the snapshot was overwritten")


def test_a_snapshot_goes_to_every_level(make: Maker, mode: AutoresetMode) -> None:
    envs = started(make, 17, mode)
    snapshot = envs.get_state()
    expected = step_on(envs, 30, seed=2)
    for level in served(make.id):
        other = make.vec(N, level, autoreset_mode=mode, max_episode_steps=LIMIT)
        other.set_state(snapshot)
        assert_same(step_on(other, 30, seed=2), expected, f"steps at {level}")
        assert other.np_random_seed == envs.np_random_seed


def test_levels_may_change_in_mid_episode_at_every_step(make_all: Maker, mode: AutoresetMode) -> None:
    settings: dict[str, Any] = {"autoreset_mode": mode, "max_episode_steps": LIMIT}
    levels = served(make_all.id)
    reference = make_all.vec(N, levels[0], **settings)
    reference.reset(seed=5)
    snapshot = reference.get_state()
    for at in range(3 * LIMIT):
        relay = make_all.vec(N, levels[at % len(levels)], **settings)
        relay.set_state(snapshot)
        assert_same(step_on(relay, 1, at), step_on(reference, 1, at), "step", at, levels[at % len(levels)])
        snapshot = relay.get_state()
        assert_same(snapshot, reference.get_state(), "state after step", at)


@draws_in_resets_only
def test_set_state_returns_the_observation_of_the_state(make: Maker) -> None:
    envs = started(make, 5)
    observation = envs.step(actions_for(envs, 1)[0])[0]
    other = make.vec(N)
    assert_same(other.set_state(envs.get_state()), observation, "observation")
    mask = np.zeros(N, bool)
    mask[0] = True
    again = other.reset(options={"reset_mask": mask})[0]
    assert_same(rows(again, ~mask), rows(observation, ~mask), "observations that a masked reset leaves alone")


def test_the_single_environment_is_restored(make: Maker) -> None:
    env, other = make.one(), make.one()
    observation, _ = env.reset(seed=3)
    snapshot = env.get_state()
    assert_same(other.set_state(snapshot), observation, "observation")
    actions = random_actions(env.action_space, (5,), np.random.default_rng(0))
    assert_same(play(other, actions), play(env, actions), "steps")
    assert_same(other.reset(), env.reset(), "the next episode")


@draws_in_resets_only
def test_a_snapshot_without_streams_leaves_the_streams(make: Maker) -> None:
    envs = started(make, 4)
    snapshot = envs.get_state(include_rng=False)
    assert set(envs.get_state()) - set(snapshot) == {"rng", "rng_ahead", "seeds"}
    other = make.vec(N, max_episode_steps=LIMIT)
    other.reset(seed=1000)
    own = other.get_state()
    other.set_state(snapshot)
    assert_same(other.get_state(include_rng=False), snapshot, "state")
    assert_same(other.get_state()["rng"], own["rng"], "streams")
    assert other.np_random_seed == tuple(range(1000, 1000 + N))
    rows = actions_for(envs, 2)
    assert_same(play(other, rows), play(envs, rows), "steps before any draw")


@draws_in_resets_only
def test_two_branches_from_one_snapshot_part_only_by_their_streams(make: Maker) -> None:
    envs = started(make, 4)
    branches = [make.vec(N, max_episode_steps=LIMIT) for _ in range(2)]
    for seed, branch in enumerate(branches):
        branch.reset(seed=seed * 1000)
        branch.set_state(envs.get_state(include_rng=False))
    results = [step_on(branch, LIMIT + 2) for branch in branches]
    assert_same(results[0][0], results[1][0], "the step after the snapshot")
    assert frozen(results[0][-1]) != frozen(results[1][-1])


@draws_in_resets_only
def test_a_state_without_streams_in_a_new_environment_autoresets_at_random(make: Maker) -> None:
    """An environment that was never reset has no seed: autoresets need one from the operating system."""
    snapshot = started(make, 4).get_state(include_rng=False)
    fresh = [make.vec(N, max_episode_steps=LIMIT) for _ in range(2)]
    for envs in fresh:
        envs.set_state(snapshot)
        step_on(envs, LIMIT + 3)
    assert frozen(fresh[0].get_state()["state"]) != frozen(fresh[1].get_state()["state"])


def test_get_state_needs_a_state(make: Maker) -> None:
    for envs in (make.vec(2), make.one()):
        with pytest.raises(ResetNeeded, match="get_state"):
            envs.get_state()


# ---- lanes between two episodes ----


def initial_states_of_parked_lanes(envs: Any) -> tuple[Any, Any]:
    ended = envs.get_state()["elapsed"] < 0
    return ended, rows(envs.step(actions_for(envs, 1)[0])[0], ended)


@pytest.mark.parametrize("include_rng", [True, False])
def test_a_parked_lane_is_restored(make: Maker, include_rng: bool) -> None:
    envs = with_a_parked_lane(make)
    snapshot = envs.get_state(include_rng=include_rng)
    expected = initial_states_of_parked_lanes(envs)
    envs.set_state(snapshot)
    assert_same(initial_states_of_parked_lanes(envs), expected, "initial states")


def test_a_parked_lane_goes_to_every_level_and_is_withdrawn_there(make: Maker) -> None:
    envs = with_a_parked_lane(make)
    snapshot = envs.get_state()
    expected = envs.reset()
    for level in served(make.id):
        other = make.vec(N, level, max_episode_steps=LIMIT)
        other.set_state(snapshot)
        assert_same(other.reset(), expected, f"reset at {level}")


def test_a_parked_lane_is_restored_among_touched_generators(make: Maker) -> None:
    envs = with_a_parked_lane(make)
    snapshot = envs.get_state()
    other = make.vec(N, max_episode_steps=LIMIT)
    other.reset(seed=0)
    assert other.np_random
    other.set_state(snapshot)
    states = [generator.bit_generator.state for generator in other.np_random]
    assert_same(states, [generator.bit_generator.state for generator in envs.np_random], "streams")
    assert_same(initial_states_of_parked_lanes(other), initial_states_of_parked_lanes(envs), "initial states")


@draws_in_resets_only
def test_an_ended_lane_of_touched_generators_is_restored_in_an_untouched_batch(make: Maker) -> None:
    """Nothing was drawn ahead for it: the batch that goes on has to draw."""
    envs = make.vec(N, max_episode_steps=LIMIT)
    envs.reset(seed=8)
    assert envs.np_random
    step_on(envs, LIMIT)
    snapshot = envs.get_state()
    assert (snapshot["elapsed"] < 0).any()
    other = make.vec(N, max_episode_steps=LIMIT)
    other.set_state(snapshot)
    assert_same(initial_states_of_parked_lanes(other), initial_states_of_parked_lanes(envs), "initial states")
    assert_same(step_on(other, 2 * LIMIT), step_on(envs, 2 * LIMIT), "the following episodes")


@draws_in_resets_only
def test_an_old_parked_draw_is_not_given_back_after_a_restore_without_streams(make: Maker) -> None:
    """The streams go on where they are; nothing may rewind them to an episode of long ago."""
    envs = make.vec(1, max_episode_steps=3)
    envs.reset(seed=0)
    play(envs, actions_for(envs, 3))
    snapshot = envs.get_state(include_rng=False)
    assert snapshot["elapsed"] == -1
    play(envs, actions_for(envs, 1))
    stream = envs.get_state()["rng"]
    envs.set_state(snapshot)
    second = envs.get_state()["state"]
    envs.reset()
    assert frozen(envs.get_state()["state"]) != frozen(second), "the initial state was drawn twice"
    assert frozen(envs.get_state()["rng"]) != frozen(stream), "the stream went back"


@draws_in_resets_only
def test_an_ended_episode_of_another_autoreset_mode_starts_anew(make: Maker) -> None:
    """A snapshot of a mode that draws later holds the terminal state, not the next initial one."""
    source = make.vec(1, autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=3)
    source.reset(seed=0)
    play(source, actions_for(source, 3))
    snapshot = source.get_state()
    follower = make.vec(1, max_episode_steps=3)
    try:
        follower.set_state(snapshot)
    except ValueError as refusal:
        assert "autoreset" in str(refusal) or "ended" in str(refusal)  # a refusal that says why is as good
        return
    observation = follower.step(actions_for(follower, 1)[0])[0]
    assert_same(observation, source.reset()[0], "the initial observation of the next episode")


# ---- pickle and deepcopy ----


@cloners
def test_a_clone_goes_on_alone(make: Maker, mode: AutoresetMode, clone: Callable[[Any], Any]) -> None:
    envs = started(make, 15, mode)
    original = envs.get_state()
    other = make.watch(clone(envs))
    assert (other.level, other.isa, other.num_envs) == (envs.level, envs.isa, envs.num_envs)
    assert other.metadata == envs.metadata
    first = step_on(other, 30, seed=4)
    assert_same(envs.get_state(), original, "the original's state")
    assert_same(step_on(envs, 30, seed=4), first, "steps")
    assert_same(envs.reset(), other.reset(), "next reset")


@cloners
def test_a_clone_of_a_parked_lane(make: Maker, clone: Callable[[Any], Any]) -> None:
    envs = with_a_parked_lane(make)
    other = make.watch(clone(envs))
    assert_same(other.get_state(), envs.get_state(), "state")
    assert_same(other.reset(), envs.reset(), "reset")


@cloners
def test_a_clone_of_a_watched_batch(make: Maker, clone: Callable[[Any], Any]) -> None:
    envs = with_a_parked_lane(make)
    generators = envs.np_random
    other = make.watch(clone(envs))
    assert other.np_random[0] is not generators[0]
    for one in (generators, other.np_random):
        for generator in one:
            generator.random()
    assert_same(step_on(other, 30), step_on(envs, 30), "steps after the same draws")


@cloners
def test_a_clone_of_an_environment_that_was_not_reset(make: Maker, clone: Callable[[Any], Any]) -> None:
    for env in (make.vec(3), make.one()):
        other = make.watch(clone(env))
        with pytest.raises(ResetNeeded):
            other.get_state()
        assert_same(other.reset(seed=1), env.reset(seed=1), "reset")


@cloners
def test_a_clone_keeps_draws_made_before_the_first_reset(make: Maker, clone: Callable[[Any], Any]) -> None:
    for env in (make.vec(1), make.one()):
        np.atleast_1d(env.np_random)[0].random(3)
        other = make.watch(clone(env))
        assert_same(other.reset(), env.reset(), "reset")


@cloners
def test_a_clone_of_the_single_environment_with_its_wrappers(
    make: Maker, clone: Callable[[Any], Any]
) -> None:
    env = make.wrapped(max_episode_steps=7)
    env.reset(seed=2)
    actions = random_actions(env.action_space, (7,), np.random.default_rng(2))
    play(env, actions[:4])
    other = make.watch(clone(env))
    assert_same(play(other, actions[4:]), play(env, actions[4:]), "steps")


@cloners
def test_a_clone_keeps_params_and_arguments(make: Maker, clone: Callable[[Any], Any]) -> None:
    envs = make.vec(2)
    numbers = {k: v for k, v in envs.unwrapped._batch.named_params().items() if isinstance(v, float)}
    for name, value in numbers.items():
        envs.set_attr(name, value + 0.25)
    envs.reset(seed=0)
    other = make.watch(clone(envs))
    assert [other.get_attr(name) for name in numbers] == [(v + 0.25,) * 2 for v in numbers.values()]
    assert_same(step_on(other, 10), step_on(envs, 10), "steps")


# ---- damaged snapshots ----


def damage(path: str) -> Callable[[Any], Callable[[dict[str, Any]], Any]]:
    """Replaces one entry of a snapshot."""

    def replace(value: Any) -> Callable[[dict[str, Any]], Any]:
        def apply(snapshot: dict[str, Any]) -> Any:
            if path == "field":
                name = next(iter(snapshot["state"]))
                snapshot["state"][name] = value(snapshot["state"][name])
            else:
                snapshot[path] = value(snapshot[path])
            return snapshot

        return apply

    return replace


def put(index: Any, value: Any) -> Callable[[Any], Any]:
    def apply(array: Any) -> Any:
        array[index] = value
        return array

    return apply


DAMAGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "None": lambda snapshot: None,
    "a list": lambda snapshot: [snapshot],
    "empty": lambda snapshot: {},
    "an entry missing": lambda snapshot: {k: v for k, v in snapshot.items() if k != "elapsed"},
    "half of the streams": lambda snapshot: {k: v for k, v in snapshot.items() if k != "rng_ahead"},
    "an entry too many": lambda snapshot: {**snapshot, "more": 1},
    "another game": damage("game")(lambda old: "Pong-v5"),
    "no game": damage("game")(lambda old: None),
    "state a list": damage("state")(lambda old: list(old.values())),
    "a field missing": damage("state")(lambda old: dict(list(old.items())[1:])),
    "a field too many": damage("state")(lambda old: {**old, "more": next(iter(old.values()))}),
    "fields in another order": damage("state")(lambda old: dict(reversed(old.items()))),
    "a shorter field": damage("field")(lambda old: old[:-1]),
    "a longer field": damage("field")(lambda old: np.append(old, old[-1:])),
    "a field of two dimensions": damage("field")(lambda old: old[:, None]),
    "a scalar field": damage("field")(lambda old: old[0]),
    "a list for a field": damage("field")(lambda old: old.tolist()),
    "a float32 field": damage("field")(lambda old: old.astype(np.float32)),
    "a big-endian field": damage("field")(lambda old: old.astype(old.dtype.newbyteorder(">"))),
    "an object field": damage("field")(lambda old: old.astype(object)),
    "elapsed float": damage("elapsed")(lambda old: old.astype(float)),
    "elapsed int32": damage("elapsed")(lambda old: old.astype(np.int32)),
    "elapsed -2": damage("elapsed")(put(1, -2)),
    "elapsed at the end of int64": damage("elapsed")(put(1, 2**63 - 1)),
    "elapsed at the start of int64": damage("elapsed")(put(1, -(2**63))),
    "streams of another size": damage("rng")(lambda old: old[:, 1:]),
    "streams of another dtype": damage("rng")(lambda old: old.astype(np.int64)),
    "an even increment": damage("rng")(put((3, 2), 0)),
    "a half beyond 33 bits": damage("rng")(put((4, 2), 2**40)),
    "no streams": damage("rng")(lambda old: None),
    "too few lanes ahead": damage("ahead")(lambda old: old[:-1]),
    "lanes ahead no array": damage("ahead")(lambda old: old.tolist()),
    "draws ahead of another size": damage("rng_ahead")(lambda old: old[:-1]),
    "a draw ahead that is neither there nor not": damage("ahead")(lambda old: 7 * old.astype(np.uint8)),
    "a half ahead beyond 33 bits": damage("rng_ahead")(put((2, 0), 2**40)),
    "too few seeds": damage("seeds")(lambda old: old[:-1]),
    "seeds a number": damage("seeds")(lambda old: 3),
    "seeds of text": damage("seeds")(lambda old: ["a"] * len(old)),
    "seeds that cannot be": damage("seeds")(lambda old: [-7] * len(old)),
}


@pytest.mark.parametrize("broken", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_snapshot_is_refused(make: Maker, broken: Callable[[dict[str, Any]], Any]) -> None:
    envs = with_a_parked_lane(make)
    snapshot = broken(copy.deepcopy(envs.get_state()))
    step_on(envs, 3)
    with unchanged_by(envs, (TypeError, ValueError), match="state"):
        envs.set_state(snapshot)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_state_that_is_not_finite_is_refused(make: Maker, number: float) -> None:
    envs = started(make, 3)
    for name, values in envs.get_state()["state"].items():
        if values.dtype == np.float64:
            snapshot = envs.get_state()
            snapshot["state"][name][N - 1] = number
            with unchanged_by(envs, ValueError, match=f"{name}.*finite"):
                envs.set_state(snapshot)


@cloners
def test_an_environment_whose_state_is_not_finite_can_be_cloned(
    make: Maker, clone: Callable[[Any], Any]
) -> None:
    """Odd params lead there. Only snapshots from outside are refused."""
    envs = started(make, 3)
    views = [view for view in envs._batch._views().values() if view.dtype == np.float64]
    if not views:
        pytest.skip("the state has integers only")
    for at, view in enumerate(views):
        view[at % N] = (np.nan, np.inf, -np.inf)[at % 3]
    envs._batch.moved()
    other = make.watch(clone(envs))
    assert_same(inside(other), inside(envs), "the clone")
    with np.errstate(all="ignore"):
        assert_same(step_on(other, 5), step_on(envs, 5), "steps")


def test_a_snapshot_of_another_size_is_refused(make: Maker) -> None:
    envs = started(make, 3)
    other = make.vec(N + 1)
    other.reset(seed=0)
    with unchanged_by(other, ValueError, match=rf"shape \({N + 1},\)"):
        other.set_state(envs.get_state())


def test_a_refused_snapshot_starts_nothing(make: Maker) -> None:
    envs = make.vec(N)
    with pytest.raises(TypeError, match="state"):
        envs.set_state(None)
    with pytest.raises(ResetNeeded):
        envs.step(actions_for(envs, 1)[0])


def test_cloned_arrays_are_not_shared(make: Maker) -> None:
    envs = started(make, 3)
    before = inside(envs)
    other = make.watch(copy.deepcopy(envs))
    other.unwrapped._batch.state[:] = 0
    assert_same(inside(envs), before, "the original")
