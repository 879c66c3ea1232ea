# SPDX-License-Identifier: MIT
"""Bad input: an exception that names the argument, the value and what is allowed, and nothing has changed."""

from __future__ import annotations

import copy
import subprocess
import sys
import textwrap
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import error
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

import compute_layers as cl
from compute_layers import registry
from compute_layers.registry import games
from compute_layers.spec import Box, Discrete, Tuple
from conftest import Maker, arrays, assert_same, frozen, inside, random_actions, unchanged_by

N = 5
EVERY_KIND = True  # see conftest.py
DISCRETE = [id for id in games() if isinstance(registry.game(id).action, Discrete)]
BOX = [id for id in games() if isinstance(registry.game(id).action, Box)]


@pytest.fixture
def envs(make: Maker) -> Any:
    """A batch in mid-episode."""
    batch = make.vec(N)
    batch.reset(seed=0)
    batch.step(random_actions(batch.single_action_space, (N,), np.random.default_rng(0)))
    return batch


@pytest.fixture
def env(make: Maker) -> Any:
    single = make.one()
    single.reset(seed=0)
    return single


def valid(envs: Any) -> Any:
    return random_actions(envs.single_action_space, (N,), np.random.default_rng(1))


def kind(value: Any) -> str:
    """The value as a test's id; pytest has none for huge integers."""
    return f"{value.bit_length()} bits" if isinstance(value, int) else repr(value)


# ---- actions of a batch ----

WRONG_KIND: dict[str, Any] = {
    "None": None,
    "a scalar": 0,
    "text": "left",
    "texts": ["0"] * N,
    "bytes": np.zeros(N, "S1"),
    "objects": np.array([0] * N, object),
    "Nones": [None] * N,
    "a dict": {"action": 0},
    "a ragged list": [[0], [0, 1], 0, 0, 0],
    "a generator": (0 for _ in range(N)),
    "complex": np.zeros(N, complex),
    "dates": np.zeros(N, "datetime64[s]"),
    "durations": np.zeros(N, "timedelta64[s]"),
    "records": np.zeros(N, [("a", int)]),
    "too few": np.zeros(N - 1, int),
    "too many": np.zeros(N + 1, int),
    "none at all": np.zeros(0, int),
    "a column": np.zeros((N, 1), int),
    "two rows": np.zeros((2, N), int),
    "integers beyond 64 bits": [2**70] * N,
}
WRONG_FOR_DISCRETE: dict[str, Any] = {
    "floats": np.zeros(N),
    "float32": np.zeros(N, np.float32),
    "NaN": np.full(N, np.nan),
}


@pytest.mark.parametrize("actions", WRONG_KIND.values(), ids=WRONG_KIND)
def test_actions_of_a_wrong_kind_or_shape(envs: Any, actions: Any) -> None:
    with unchanged_by(envs, (TypeError, ValueError), match="^actions .*allowed"):
        envs.step(actions)


@pytest.mark.parametrize("actions", WRONG_FOR_DISCRETE.values(), ids=WRONG_FOR_DISCRETE)
@pytest.mark.parametrize("game", DISCRETE, indirect=True)
def test_float_actions_for_a_discrete_space(envs: Any, actions: Any) -> None:
    with unchanged_by(envs, TypeError, match=f"^actions has dtype {actions.dtype}; allowed: integers 0 to"):
        envs.step(actions)


def box_actions(envs: Any, dtype: Any = np.float32) -> Any:
    """Valid actions of a Box space."""
    return valid(envs).astype(dtype)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", ">f4", ">f8"])
@pytest.mark.parametrize("game", BOX, indirect=True)
def test_every_float_dtype_is_taken_as_float32(make: Maker, dtype: str) -> None:
    ours, plain = make.vec(N), make.vec(N)
    for batch in (ours, plain):
        batch.reset(seed=1)
    actions = box_actions(ours, dtype)
    assert_same(ours.step(actions), plain.step(actions.astype(np.float32)), "step")
    assert_same(ours.get_state(), plain.get_state(), "state")


@pytest.mark.parametrize("dtype", ["i8", "u1", "?", "i4"])
@pytest.mark.parametrize("game", BOX, indirect=True)
def test_integer_actions_for_a_box(envs: Any, env: Any, dtype: str) -> None:
    actions = box_actions(envs).astype(dtype)
    allowed = rf"has dtype {actions.dtype}; allowed: finite floats of shape"
    with unchanged_by(envs, TypeError, match=rf"^actions {allowed} \(num_envs, \d\)$"):
        envs.step(actions)
    with unchanged_by(env, TypeError, match=rf"^action {allowed} \(\d,\)$"):
        env.step(actions[0])


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e39, -1e300])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "g"])
@pytest.mark.parametrize("game", BOX, indirect=True)
@pytest.mark.filterwarnings("error")
def test_a_float_that_is_not_finite_moves_nobody(envs: Any, env: Any, number: float, dtype: str) -> None:
    """Nor one that is none as float32; and nobody warns."""
    for lane in (0, N // 2, N - 1):
        actions = box_actions(envs, dtype)
        with np.errstate(over="ignore"):
            actions[lane, -1] = number
        with unchanged_by(envs, ValueError, match=rf"^actions\[{lane}\] is \[.*\]; allowed: finite floats"):
            envs.step(actions)
        with unchanged_by(env, ValueError, match=r"^action is \[.*\]; allowed: finite floats"):
            env.step(actions[lane])


@pytest.mark.parametrize("shape", [(), (0,), (N,), (1, N), (N, 9), (N + 1, 1), (N - 1, 1), (N, 1, 1), (0, 1)])
@pytest.mark.parametrize("game", BOX, indirect=True)
def test_box_actions_of_a_wrong_shape(envs: Any, shape: tuple[int, ...]) -> None:
    allowed = rf"^actions has shape \(.*\); allowed: \({N}, \d\)$"
    for dtype in (np.float32, np.float64):
        with unchanged_by(envs, ValueError, match=allowed):
            envs.step(np.zeros(shape, dtype))


def out_of_range(count: int) -> list[Any]:
    """Numbers beyond Discrete(count), in the types that can hold them."""
    wide = [-1, count, count + 1, 2**31, 2**32, 2**32 + 1, 2**63 - 1, -(2**63), -(2**32)]
    found: list[Any] = [np.int64(number) for number in wide]
    found += [np.uint64(2**63), np.uint64(2**64 - 1), np.uint64(2**64 - count), np.uint64(count)]
    found += [
        np.int8(-1),
        np.int8(-128),
        np.uint8(255),
        np.int32(-(2**31)),
        np.uint32(2**32 - 1),
        np.int16(count),
    ]
    return found


@pytest.mark.parametrize("lane", [0, N // 2, N - 1])
@pytest.mark.parametrize("game", DISCRETE, indirect=True)
def test_a_single_action_out_of_range_moves_nobody(envs: Any, lane: int) -> None:
    envs.reset(seed=0)  # none of the lanes is about to start an episode, which would take any action
    last = int(envs.single_action_space.n) - 1
    for number in out_of_range(last + 1):
        actions = np.zeros(N, number.dtype)
        actions[lane] = number
        allowed = rf"^actions\[{lane}\] is {number}; allowed: integers 0 to {last}$"
        with unchanged_by(envs, ValueError, match=allowed):
            envs.step(actions)
        with unchanged_by(envs, ValueError, match=allowed):
            envs.step(actions.astype(actions.dtype.newbyteorder(">")))


@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.parametrize("game", DISCRETE, indirect=True)
def test_any_array_is_read_rightly_or_refused(make: Maker, data: st.DataObject) -> None:
    """Whatever the dtype, byte order, shape and strides, an accepted array means what NumPy says it means."""
    n = data.draw(st.integers(1, 9))
    last = registry.game(make.id).action.n - 1  # type: ignore[union-attr]
    dtype = data.draw(np_st.integer_dtypes() | np_st.unsigned_integer_dtypes() | np_st.boolean_dtypes())
    info = np.iinfo(dtype) if dtype.kind in "iu" else None
    inside_range = st.integers(0, last if info else 1)
    number = st.one_of(inside_range, inside_range, st.integers(info.min, info.max) if info else inside_range)
    parent = np.array(data.draw(st.lists(number, min_size=3 * n, max_size=3 * n)), dtype)
    actions = data.draw(st.sampled_from([parent[:n], parent[::3], parent[::-3], parent[: 2 * n : 2]]))
    meant = [int(action) for action in actions]
    ours, plain = make.vec(n), make.vec(n)
    for batch in (ours, plain):
        batch.reset(seed=1)
    if all(0 <= action <= last for action in meant):
        assert_same(ours.step(actions), plain.step(np.array(meant, np.int64)), "step")
    else:
        with unchanged_by(ours, ValueError, match="^actions"):
            ours.step(actions)


LAYOUTS = {
    "a list": lambda a: a.tolist(),
    "a tuple": lambda a: tuple(a.tolist()),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "every other": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "a column": lambda a: np.stack([a, a * 0 + 1], axis=1)[:, 0],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "misaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "a subclass": lambda a: a.view(np.recarray) if a.dtype.names else a.view(np.matrix).A1.reshape(a.shape),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_arrays_of_every_layout_are_read_rightly(make: Maker, layout: Any) -> None:
    ours, plain = make.vec(N), make.vec(N)
    for batch in (ours, plain):
        batch.reset(seed=1)
    for seed in range(4):
        actions = random_actions(ours.single_action_space, (N,), np.random.default_rng(seed))
        kept = actions.copy()
        assert_same(ours.step(layout(actions)), plain.step(kept), "step")
        assert_same(actions, kept, "the caller's array")


@pytest.mark.parametrize("dtype", ["bool", "i1", "u1", "i2", "u2", "i4", "u4", "u8", ">i2", ">i4", ">u8"])
@pytest.mark.parametrize("game", DISCRETE, indirect=True)
def test_every_integer_dtype_is_taken(make: Maker, dtype: str) -> None:
    ours, plain = make.vec(N), make.vec(N)
    for batch in (ours, plain):
        batch.reset(seed=1)
    actions = np.array([0, 1, 1, 0, 1])
    assert_same(ours.step(actions.astype(dtype)), plain.step(actions), "step")


@pytest.mark.parametrize("game", DISCRETE, indirect=True)
def test_the_action_of_a_resetting_lane_is_not_looked_at(make: Maker) -> None:
    """NEXT_STEP only; the other lanes' are."""
    if isinstance(registry.game(make.id).observation, Tuple):
        pytest.skip("a hand may end with the first card")
    envs, reference = make.vec(2, max_episode_steps=2), make.vec(2, max_episode_steps=2)
    for batch in (envs, reference):
        batch.reset(seed=0)
        batch.step([0, 0])
        batch.reset(options={"reset_mask": np.array([False, True])})
        batch.step([0, 0])  # ends lane 0, lane 1 has a step left
    for wrong in ([0, 99], [99, 99], [0, -1], [99, 2**63 - 1]):
        with unchanged_by(envs, ValueError, match=rf"actions\[1\] is {wrong[1]}"):
            envs.step(wrong)
    assert_same(envs.step([99, 0]), reference.step([0, 0]), "step")
    with unchanged_by(envs, ValueError, match=r"actions\[0\] is -5"):  # lane 0 has started
        envs.step(np.array([-5, 0]))


@pytest.mark.parametrize("game", BOX, indirect=True)
def test_the_box_action_of_a_resetting_lane_is_not_looked_at(make: Maker) -> None:
    """NEXT_STEP only; the other modes look at all."""
    envs, reference = make.vec(2, max_episode_steps=2), make.vec(2, max_episode_steps=2)
    good = valid(envs)[:2]
    for batch in (envs, reference):
        batch.reset(seed=0)
        batch.step(good)
        batch.reset(options={"reset_mask": np.array([False, True])})
        batch.step(good)  # ends lane 0, lane 1 has a step left
    both, first = np.full_like(good, np.nan), good.copy()
    first[0] = np.inf
    with unchanged_by(envs, ValueError, match=r"^actions\[1\] is \[nan"):
        envs.step(both)
    assert_same(envs.step(first), reference.step(good), "step")
    assert_same(envs.get_state(), reference.get_state(), "state")
    with unchanged_by(envs, ValueError, match=r"^actions\[0\] is \[inf"):  # lane 0 has started
        envs.step(first)
    for mode in (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED):
        other = make.vec(2, autoreset_mode=mode, max_episode_steps=1)
        other.reset(seed=0)
        other.step(good)
        if mode is AutoresetMode.DISABLED:
            other.reset()
        with unchanged_by(other, ValueError, match=r"^actions\[0\] is \[inf"):
            other.step(first)


@pytest.mark.parametrize("game", DISCRETE, indirect=True)
@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_other_modes_look_at_every_action(make: Maker, mode: AutoresetMode) -> None:
    envs = make.vec(2, autoreset_mode=mode, max_episode_steps=1)
    envs.reset(seed=0)
    envs.step([0, 0])
    if mode is AutoresetMode.DISABLED:
        envs.reset()
    with unchanged_by(envs, ValueError, match=r"actions\[0\] is 99"):
        envs.step([99, 0])


# ---- actions of the single environment ----

WRONG_ONES = [None, "0", b"0", 0.0, 1.0, np.float32(1), np.nan, np.bool_(True), [0], (0,), np.array([0])]
WRONG_ONES += [
    np.array([[0]]),
    np.array(0.0),
    {},
    ...,
    1j,
    np.array(None),
    -1,
    2**63,
    -(2**63) - 1,
    2**200,
]
WRONG_ONES += [np.int64(-1), np.uint64(2**64 - 1), np.array(2**62), np.uint8(255), np.datetime64(0, "s")]


@pytest.mark.parametrize("action", WRONG_ONES, ids=repr)
@pytest.mark.parametrize("game", DISCRETE, indirect=True)
def test_a_wrong_action_of_the_single_environment(env: Any, action: Any) -> None:
    with unchanged_by(env, (TypeError, ValueError), match="^action is .*; allowed: integers 0 to"):
        env.step(action)


WRONG_BOXES = [None, "0", b"0", 0, 0.5, np.float32(0.5), np.array(0.5), [], [[0.5]], [0.5] * 9, (None,), {}]
WRONG_BOXES += [..., 1j, [1j], np.array([0.5], object), ["0.5"], [True], np.zeros((1, 9)), np.zeros(0)]


@pytest.mark.parametrize("action", WRONG_BOXES, ids=repr)
@pytest.mark.parametrize("game", BOX, indirect=True)
def test_a_wrong_box_action_of_the_single_environment(env: Any, action: Any) -> None:
    with unchanged_by(env, (TypeError, ValueError), match=r"^action (is|has) .*; allowed: "):
        env.step(action)


@pytest.mark.parametrize("game", BOX, indirect=True)
def test_every_sequence_of_floats_is_a_box_action(make: Maker) -> None:
    ours, plain = make.one(), make.one()
    for single in (ours, plain):
        single.reset(seed=0)
    action = valid(make.vec(N))[0]
    column = np.repeat(action[:, None], 2, axis=1)[:, 0]
    for chosen in (action, action.tolist(), tuple(action.tolist()), action.astype(np.float64), column):
        assert_same(ours.step(chosen), plain.step(action.copy()), "step")


@pytest.mark.parametrize("game", DISCRETE, indirect=True)
@pytest.mark.parametrize(
    "kind", [bool, np.int8, np.uint8, np.int32, np.uint64, np.array, lambda v: np.array(v, ">i4")]
)
def test_every_integer_is_an_action(make: Maker, kind: Any) -> None:
    ours, plain = make.one(), make.one()
    for single in (ours, plain):
        single.reset(seed=0)
    for action in (1, 0, 1):
        assert_same(ours.step(kind(action)), plain.step(action), "step")


def test_a_wrong_action_after_termination_leaves_the_end_in_place(make: Maker) -> None:
    envs = make.vec(2, autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=1)
    envs.reset(seed=0)
    envs.step(random_actions(envs.single_action_space, (2,), np.random.default_rng(0)))
    with unchanged_by(envs, error.ResetNeeded, match="autoreset is disabled"):
        envs.step(None)


# ---- the wrong time ----


def test_step_before_reset(make: Maker) -> None:
    envs, env = make.vec(N), make.one()
    for ours, action in ((envs, valid(envs)), (env, valid(envs)[0])):
        with pytest.raises(error.ResetNeeded, match="reset"):
            ours.step(action)
    ours, theirs = envs.reset(seed=1), make.sync(N, id=make.id).reset(seed=1)
    assert_same(ours[0], theirs[0], "the first reset")


def test_step_before_reset_through_make(make: Maker) -> None:
    with pytest.raises(error.ResetNeeded):
        make.wrapped().step(0)


def test_disabled_autoreset_needs_a_reset_and_moves_nobody(make: Maker) -> None:
    if registry.game(make.id).spec.step_draws:
        pytest.skip("an episode may end before its time limit")
    envs = make.vec(3, autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=4)
    envs.reset(seed=0)
    actions = random_actions(envs.single_action_space, (3,), np.random.default_rng(0))
    envs.step(actions)
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    for _ in range(3):
        envs.step(actions)
    for mask in ([True, False, False], [False, False, True]):
        with unchanged_by(envs, error.ResetNeeded, match="autoreset is disabled"):
            envs.step(actions)
        envs.reset(options={"reset_mask": np.array(mask)})
    envs.step(actions)  # now nobody is left


CALLS = {
    "reset": lambda env: env.reset(seed=0),
    "step": lambda env: env.step(0),
    "get_state": lambda env: env.get_state(),
    "set_state": lambda env: env.set_state({}),
    "np_random": lambda env: env.np_random,
    "np_random_seed": lambda env: env.np_random_seed,
    "level": lambda env: env.level,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_nothing_works_after_close(make: Maker, call: Any) -> None:
    for env in (make.vec(N), make.one()):
        env.reset(seed=0)
        env.close()
        with pytest.raises(error.ClosedEnvironmentError, match="closed"):
            call(env)
        env.close()


def test_attributes_after_close(make: Maker) -> None:
    """Names that the environment had say that it is closed; looking for a name, as wrappers do, fails quietly."""
    name = next(iter(registry.game(make.id).default.params), "P")
    envs, env = make.vec(N), make.one()
    for closed in (envs, env):
        assert hasattr(closed, name)
        closed.close()
        with pytest.raises(error.ClosedEnvironmentError, match=f"{name}.*closed"):
            getattr(closed, name)
        with pytest.raises(AttributeError):
            _ = closed._no_such_thing
        assert not hasattr(closed, name)
        assert not hasattr(closed, "_no_such_thing")
    for call in (envs.get_attr, envs.call, lambda name: envs.set_attr(name, 1.0)):
        with pytest.raises(error.ClosedEnvironmentError, match="closed"):
            call(name)
    wrapped = make.wrapped()
    wrapped.close()
    assert not wrapped.has_wrapper_attr(name)


def test_closing_is_allowed_at_any_time(make: Maker) -> None:
    for env in (make.vec(N), make.one(), make.wrapped()):
        env.close()
        env.close()


def test_observations_survive_the_environment(make: Maker) -> None:
    """With copy=False the caller holds the batch's own memory: it must live as long as the array."""
    envs = make.vec(64, copy=False)
    observation = envs.reset(seed=0)[0]
    kept = copy.deepcopy(observation)
    make.check()
    envs.close()
    del envs
    others = [make.vec(64) for _ in range(100)]
    for other in others:
        other.reset(seed=1)
    assert_same(observation, kept, "the observation after close")


# ---- constructor arguments ----


@pytest.mark.parametrize(
    ("num_envs", "problem"),
    [(0, ValueError), (-1, ValueError), (2**40, ValueError), (2**31, ValueError), (-(2**70), ValueError)]
    + [(value, TypeError) for value in (True, 1.5, 2.0, "3", None, np.array([2]), np.float64(2))],
)
def test_num_envs(make: Maker, num_envs: Any, problem: type[Exception]) -> None:
    with pytest.raises(problem, match=r"num_envs is .*; allowed: "):
        make.vec(num_envs)


@pytest.mark.parametrize("num_envs", [np.int64(3), np.uint8(3)])
def test_num_envs_may_be_a_numpy_integer(make: Maker, num_envs: Any) -> None:
    assert len(arrays(make.vec(num_envs).reset(seed=0)[0])[0]) == 3


@pytest.mark.parametrize(
    ("limit", "problem"),
    [(0, ValueError), (-2, ValueError), (2**63, ValueError), (-(2**70), ValueError), (2**70, ValueError)]
    + [(value, TypeError) for value in (True, 1.5, "3", [4])],
)
def test_max_episode_steps(make: Maker, limit: Any, problem: type[Exception]) -> None:
    with pytest.raises(problem, match=r"max_episode_steps is .*; allowed: "):
        make.vec(2, max_episode_steps=limit)


UNKNOWN = {
    "level": ("pyhton", ValueError, r"level is 'pyhton'; allowed: .*did you mean 'python'"),
    "isa": ("avx", ValueError, r"isa is 'avx'; allowed: .*did you mean 'avx2'"),
    "render_mode": ("rgb-array", ValueError, r"render_mode is 'rgb-array'; .*did you mean 'rgb_array'"),
    "no_such_argument": (1, TypeError, "no_such_argument"),
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.filterwarnings("ignore:.*The environment is being initialised with render_mode:UserWarning")
def test_unknown_names(game: str, name: str, single: bool) -> None:
    value, problem, match = UNKNOWN[name]
    make = gym.make if single else gym.make_vec
    with pytest.raises(problem, match=match):
        make(registry.NAMESPACE + game, **{name: value})


@pytest.mark.parametrize("value", [None, 3, b"cpp", ["cpp"], "CPP", ""])
def test_a_level_that_is_no_name(game: str, value: Any) -> None:
    with pytest.raises(ValueError, match="level is .*; allowed: auto, python, cpp, asm"):
        cl.VectorEnv(2, game=game, level=value)


@pytest.mark.parametrize("value", ["NEXT_STEP", "nextstep", None, 1, True])
def test_autoreset_mode(make: Maker, value: Any) -> None:
    with pytest.raises(ValueError, match="autoreset_mode is .*; allowed: "):
        make.vec(2, autoreset_mode=value)


@pytest.mark.parametrize(
    "id", ["CartPole-v9", "Cartpole-v1", "", None, 3, "compute_layers/", ["CartPole-v1"]]
)
@pytest.mark.parametrize(
    "use",
    [lambda id: cl.VectorEnv(1, game=id), lambda id: cl.Env(game=id), cl.agents]
    + [lambda id: cl.load_agent(id, "random"), lambda id: cl.rollout(id, "random", episodes=1)],
    ids=["VectorEnv", "Env", "agents", "load_agent", "rollout"],
)
def test_an_unknown_game(use: Any, id: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="game is .*allowed: "):
        use(id)


def test_the_nearest_game_is_suggested() -> None:
    with pytest.raises(ValueError, match="did you mean 'CartPole-v1'"):
        cl.agents("CartPole-v2")


# ---- reset ----

BAD_SEEDS = [
    -1,
    1.5,
    "1",
    np.float64(3),
    [1, 2],
    [1] * (N + 1),
    [1, 2, 3, 4, -5],
    [1, 2, 3, 4, 1.5],
    [[1] * N],
]
BAD_SEEDS += [{"seed": 1}, "12345", b"12345", np.nan]


@pytest.mark.parametrize("seed", BAD_SEEDS, ids=repr)
def test_a_bad_seed_of_a_batch(envs: Any, seed: Any) -> None:
    with unchanged_by(envs, (error.Error, TypeError, ValueError), match="seed"):
        envs.reset(seed=seed)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", np.float64(3), [1], -(2**70)], ids=repr)
def test_a_bad_seed_of_the_single_environment(env: Any, seed: Any) -> None:
    with unchanged_by(env, error.Error, match=r"seed is .*; allowed: an int >= 0"):
        env.reset(seed=seed)


@pytest.mark.parametrize("options", [3, "low", [("low", 0)], {"low"}])
def test_options_that_are_no_dict(envs: Any, env: Any, options: Any) -> None:
    for ours in (envs, env):
        with unchanged_by(ours, TypeError, match="options is .*; allowed: a dict or None"):
            ours.reset(seed=5, options=options)


@pytest.mark.parametrize(
    "value", [None, "a", [1, 2], np.zeros(2), np.nan, np.inf, -np.inf, {}, 10**400, -(10**5000)], ids=kind
)
def test_options_that_are_no_numbers(envs: Any, env: Any, value: Any) -> None:
    for name in registry.game(env._batch.game.id).spec.options:
        for ours in (envs, env):
            with unchanged_by(ours, ValueError, match=rf"options\['{name}'\] is .*; allowed: a .*number"):
                ours.reset(seed=5, options={name: value})


def test_unknown_options_are_ignored_as_in_gymnasium(make: Maker) -> None:
    ours, theirs = make.one(), gym.make(make.id)
    options = {"nonsense": object()}
    assert_same(ours.reset(seed=1, options=options), theirs.reset(seed=1, options=options), "reset")


BAD_MASKS: dict[str, tuple[Any, type[Exception]]] = {
    "a list": ([True] * N, TypeError),
    "integers": (np.ones(N, int), TypeError),
    "too short": (np.ones(N - 1, bool), ValueError),
    "too long": (np.ones(N + 1, bool), ValueError),
    "a column": (np.ones((N, 1), bool), ValueError),
    "nobody": (np.zeros(N, bool), ValueError),
    "a scalar": (np.array(True), ValueError),
    "text": ("all", TypeError),
}


@pytest.mark.parametrize("mask", BAD_MASKS)
def test_a_bad_reset_mask(make: Maker, mode: AutoresetMode, mask: str) -> None:
    envs, theirs = make.vec(N, autoreset_mode=mode), make.sync(N, id=make.id, autoreset_mode=mode)
    for batch in (envs, theirs):
        batch.reset(seed=0)
    value, problem = BAD_MASKS[mask]
    with unchanged_by(envs, problem, match=r"options\['reset_mask'\].*"):
        envs.reset(seed=9, options={"reset_mask": value})
    with pytest.raises(problem):
        theirs.reset(seed=9, options={"reset_mask": value})


def test_a_bad_option_beside_a_mask_changes_nothing(envs: Any) -> None:
    for name in registry.game(envs._batch.game.id).spec.options:
        options = {name: "x", "reset_mask": np.ones(N, bool)}
        with unchanged_by(envs, ValueError, match=name):
            envs.reset(seed=3, options=options)
        assert set(options) == {name, "reset_mask"}


def test_a_first_reset_of_some_lanes_only(make: Maker) -> None:
    with pytest.raises(error.ResetNeeded, match="first reset"):
        make.vec(N).reset(options={"reset_mask": np.arange(N) < 2})


# ---- params ----


@pytest.mark.parametrize(
    "value",
    [np.nan, np.inf, "a", "1.5", b"1.5", None, [1.0], np.zeros(2), 1j, 10**400, 10**5000],
    ids=kind,
)
def test_params_that_are_no_finite_numbers(envs: Any, env: Any, value: Any) -> None:
    batch = env._batch
    for name in batch.names:
        if name not in batch.game.spec.choices:
            with unchanged_by(env, (TypeError, ValueError), match=f"{name} is .*; allowed: a finite number"):
                setattr(env, name, value)
            with unchanged_by(envs, (TypeError, ValueError), match=f"{name} is|values has length"):
                envs.set_attr(name, value)


def test_params_that_are_no_choice(envs: Any, env: Any) -> None:
    for name, choices in registry.game(env._batch.game.id).spec.choices.items():
        for value in (choices[0][:-1], 0, None):
            with unchanged_by(env, ValueError, match=f"{name} is .*allowed: "):
                setattr(env, name, value)
            with unchanged_by(envs, ValueError, match=f"{name} is .*allowed: "):
                envs.set_attr(name, value)


def test_params_belong_to_the_whole_batch(envs: Any) -> None:
    numbers = [(k, v) for k, v in envs._batch.named_params().items() if isinstance(v, float)]
    if not numbers:
        pytest.skip("the game has no numbers to set")
    name, value = numbers[0]
    with unchanged_by(envs, ValueError, match=f"values of {name} differ"):
        envs.set_attr(name, [value] * (N - 1) + [value + 1])
    with unchanged_by(envs, ValueError, match=f"values has length {N - 1}; allowed: {N}"):
        envs.set_attr(name, [value] * (N - 1))
    with unchanged_by(envs, AttributeError, match="no_such_param"):
        envs.set_attr("no_such_param", 1.0)
    envs.set_attr(name, (value + 1,) * N)
    assert envs.get_attr(name) == (value + 1,) * N


@pytest.mark.parametrize(
    "generator", [None, 3, np.random.RandomState(0), np.random.Generator(np.random.MT19937(0))]
)
def test_np_random_takes_pcg64_only(envs: Any, env: Any, generator: Any) -> None:
    with unchanged_by(env, TypeError, match="np_random is .*PCG64"):
        env.np_random = generator
    with unchanged_by(envs, TypeError, match="np_random is .*PCG64"):
        envs.np_random = [generator] * N


def test_np_random_of_a_batch_needs_one_each(envs: Any) -> None:
    with unchanged_by(envs, ValueError, match=f"np_random has 2 generators; allowed: {N}"):
        envs.np_random = [np.random.default_rng(0)] * 2


# ---- nothing crashes the process ----

CRASHES = {
    "a sequence that fails": """
        class Hostile:
            def __len__(self):
                return 2
            def __getitem__(self, index):
                raise RuntimeError("no")
        envs.step(Hostile())""",
    "a warning made an error while an observation is converted": """
        agent(np.full(envs.single_observation_space.shape or (), 1e300))""",
    "an array that refuses to be one": """
        class Hostile:
            def __array__(self, *args, **kwargs):
                raise RuntimeError("no")
        envs.step(Hostile())""",
    "an observation that refuses to be one": """
        class Hostile:
            def __array__(self, *args, **kwargs):
                raise RuntimeError("no")
        agent(Hostile())""",
    "an index that refuses": """
        class Hostile:
            def __index__(self):
                raise RuntimeError("no")
        env.step(Hostile())""",
    "an action without repr": """
        class Hostile:
            def __repr__(self):
                raise RuntimeError("no")
        env.step(Hostile())""",
    "the core called by hand": """
        envs._batch.reset([0, 10**6], [0.0, 0.0])""",
    "the core seeded by hand": """
        envs._batch.seed([-1], [0], [0])""",
}


def test_exceptions_and_no_crash(make: Maker) -> None:
    """In a process of its own, where a crash is seen: what it printed last is what it was asked. Warnings are errors
    there."""
    script = textwrap.dedent(f"""
        import warnings
        import numpy as np
        import gymnasium as gym
        import compute_layers as cl
        level = dict(level={make.level.name!r}, isa={make.level.isa!r})
        name = {registry.NAMESPACE + make.id!r}
        for what, code in {[(what, textwrap.dedent(code)) for what, code in CRASHES.items()]!r}:
            print(what, flush=True)
            with warnings.catch_warnings():
                envs, env = gym.make_vec(name, num_envs=2, **level), gym.make(name, **level).unwrapped
                agent = cl.load_agent({make.id!r}, "random", level="cpp")
                envs.reset(seed=0), env.reset(seed=0)
                warnings.simplefilter("error")
                try:
                    exec(code)
                except Exception as problem:
                    print(type(problem).__name__, problem)
            envs.reset(seed=0)
            assert (envs._batch.damaged(), env._batch.damaged()) == (-1, -1), what
        print("alive")
    """)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1] == "alive"


def test_the_states_shown_unchanged_do_change_otherwise(envs: Any) -> None:
    """What these tests compare is not a constant."""
    before = frozen(inside(envs))
    envs.step(valid(envs))
    assert frozen(inside(envs)) != before
