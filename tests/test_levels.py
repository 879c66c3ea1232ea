# SPDX-License-Identifier: MIT
"""Level python, cpp and asm, at every isa, give equal bytes, whatever is done to them."""

from __future__ import annotations

import ctypes
import math
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from compute_layers import load_agent, registry, rollout
from compute_layers.registry import games
from compute_layers.spec import Discrete, Spec
from conftest import (
    LEVELS,
    NEAR_KERNELS,
    Array,
    Maker,
    assert_same,
    inside,
    observers,
    paced,
    random_actions,
    served,
)

FACTORS = [0.0, -0.0, 5e-324, 1e-300, 1e-9, 0.3, 1.0, 1.7, 30.0, 1e6, 1e150, 1e300]


def batch_sizes(most: int) -> st.SearchStrategy[int]:
    return st.sampled_from([n for n in NEAR_KERNELS if n <= most]) | st.integers(1, min(most, 70))


def all_levels(make: Maker, n: int, **kwargs: Any) -> list[Any]:
    return [make.vec(n, level, **kwargs) for level in served(make.id)]


def agree(batches: list[Any], results: list[Any], *where: object) -> None:
    """Results and what the batches keep are level python's, at every level."""
    expected = inside(batches[0])
    for envs, result in zip(batches, results, strict=True):
        what = f"{envs.level}[{envs.isa}] and {batches[0].level}"
        assert_same(result, results[0], what, *where)
        assert_same(inside(envs), expected, what, "after", *where)


def together(batches: list[Any], action: Any, *where: object) -> Any:
    """Do the same to every level; the result, once all agree on it."""
    results = [action(envs) for envs in batches]
    agree(batches, results, *where)
    return results[0]


def step_together(batches: list[Any], actions: Array) -> Any:
    def act(envs: Any) -> Any:
        try:
            return envs.step(actions)
        except ResetNeeded as refusal:  # DISABLED: some lane waits for its reset
            return type(refusal).__name__

    return together(batches, act, "step")


@st.composite
def reset_options(draw: st.DrawFn, spec: Spec) -> dict[str, float]:
    """Options that the game accepts, near its defaults and far from them."""
    names = draw(st.lists(st.sampled_from(sorted(spec.options)), unique=True)) if spec.options else []
    factor = st.sampled_from(FACTORS) | st.floats(0, 3)
    options = {name: spec.options[name] * draw(factor) for name in names}
    try:
        spec.check_options({**spec.options, **options})
    except ValueError:
        assume(False)
    return options


@st.composite
def param(draw: st.DrawFn, spec: Spec) -> tuple[str, Any]:
    """A param and a new value for it: not zero, which is a denominator somewhere."""
    values = spec.params()
    name = draw(st.sampled_from(list(values)))
    if name in spec.choices:
        return name, draw(st.sampled_from(spec.choices[name]))
    sign = draw(st.sampled_from([1, 1, 1, -1]))
    factor = draw(st.floats(0.3, 3) | st.sampled_from([1e-9, 1e3, 1e150]))
    return name, sign * factor * (float(values[name]) or 1.0)


@st.composite
def program(draw: st.DrawFn, id: str, most_lanes: int, most_steps: int) -> dict[str, Any]:
    """A batch and what is done to it."""
    spec = registry.game(id).spec
    seeds = st.none() | st.integers(0, 2**70)
    operation = st.one_of(
        st.tuples(st.just("step"), st.integers(1, most_steps), st.integers(0, 2**32)),
        st.tuples(st.just("reset"), seeds, reset_options(spec)),
        st.tuples(st.just("reset some"), seeds, reset_options(spec), st.integers(0, 2**32)),
        st.tuples(st.just("set"), param(spec)),
        st.tuples(st.just("watch")),
    )
    return {
        "n": draw(batch_sizes(most_lanes)),
        "mode": draw(st.sampled_from(AutoresetMode)),
        "limit": draw(st.sampled_from([1, 2, 9, 30, -1])),
        "seed": draw(st.integers(0, 2**130)),
        "operations": draw(st.lists(operation, min_size=1, max_size=6)),
    }


def run_program(make: Maker, program: dict[str, Any]) -> None:
    n = program["n"]
    batches = all_levels(make, n, autoreset_mode=program["mode"], max_episode_steps=program["limit"])
    together(batches, lambda envs: envs.reset(seed=program["seed"]), "reset")
    for name, *details in program["operations"]:
        if name == "step":
            rng = np.random.default_rng(details[1])
            for actions in random_actions(batches[0].single_action_space, (details[0], n), rng):
                step_together(batches, actions)
        elif name == "reset":
            together(batches, lambda envs, d=details: seeded_reset(envs, d[0], dict(d[1])), name)
        elif name == "reset some":
            mask = np.random.default_rng(details[2]).random(n) < 0.5
            mask[details[2] % n] = True
            options = {**details[1], "reset_mask": mask}
            together(batches, lambda envs, d=details, o=options: seeded_reset(envs, d[0], dict(o)), name)
        elif name == "set":
            together(batches, lambda envs, d=details: envs.set_attr(*d[0]), name, details)
        else:
            together(batches, lambda envs: [g.random() for g in envs.np_random], name)
    make.check()


def seeded_reset(envs: Any, seed: Any, options: dict[str, Any]) -> Any:
    return envs.reset(seed=seed, options=options)


@given(data=st.data())
@settings(max_examples=250)
def test_whatever_is_done_to_small_batches(make_all: Maker, data: st.DataObject) -> None:
    run_program(make_all, data.draw(program(make_all.id, most_lanes=9, most_steps=30)))


@given(data=st.data())
@settings(max_examples=60)
def test_whatever_is_done_to_batches_of_some_vectors(make_all: Maker, data: st.DataObject) -> None:
    run_program(make_all, data.draw(program(make_all.id, most_lanes=64, most_steps=12)))


@pytest.mark.parametrize("n", NEAR_KERNELS)
def test_long_runs_with_autoresets(make_all: Maker, n: int, mode: AutoresetMode) -> None:
    batches = all_levels(make_all, n, autoreset_mode=mode, max_episode_steps=40)
    together(batches, lambda envs: envs.reset(seed=n), "reset")
    rng = np.random.default_rng(n)
    for actions in random_actions(batches[0].single_action_space, (max(8, min(120, 4000 // n)), n), rng):
        ended = step_together(batches, actions)
        if mode is AutoresetMode.DISABLED and (ended[2] | ended[3]).any():
            mask = ended[2] | ended[3]
            together(batches, lambda envs, m=mask: envs.reset(options={"reset_mask": m.copy()}), "reset")


@given(data=st.data())
@settings(max_examples=40)
def test_action_sequences(make_all: Maker, data: st.DataObject) -> None:
    """Sequences that hypothesis chooses and shrinks, action by action."""
    n = data.draw(batch_sizes(5))
    batches = all_levels(make_all, n)
    space = batches[0].single_action_space
    together(batches, lambda envs: envs.reset(seed=data.draw(st.just(0))), "reset")
    one = st.integers(0, 2**32).map(lambda seed: random_actions(space, (), np.random.default_rng(seed)))
    row = st.lists(one, min_size=n, max_size=n).map(np.array)
    for actions in data.draw(st.lists(row, min_size=1, max_size=25)):
        step_together(batches, actions)


# ---- extreme states ----


def special_numbers(spec: Spec) -> list[float]:
    """Zeros, denormals, huge numbers, ends of the argument reduction, and all thresholds ± 1 ulp."""
    numbers = [0.0, 5e-324, 2.0**-1074 * 7, 2.0**-1022, math.nextafter(2.0**-1022, 0), 1e-300, 1e-160, 1e-20]
    numbers += [2.0**-27, 0.25, 0.5, math.pi / 4, math.pi / 2, math.pi, 2 * math.pi, 100.0, 2.0**20, 2.0**53]
    numbers += [2.0**31 * math.pi, 1e22, 1e150, 1e300, 1.7976931348623157e308]
    for value in spec.params().values():
        if isinstance(value, float):
            numbers += [value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf)]
    return numbers + [-number for number in numbers]


def extreme_snapshot(envs: Any, seed: int) -> dict[str, Any]:
    """States with every pair of special numbers in neighbouring fields, and elapsed counts at their ends."""
    spec, n, rng = registry.game(envs._batch.game.id).spec, envs.num_envs, np.random.default_rng(seed)
    numbers = np.array(special_numbers(spec))
    snapshot: dict[str, Any] = envs.get_state()
    for values in snapshot["state"].values():
        if values.dtype == np.float64:
            extreme = rng.random(n) < 0.6
            values[extreme] = rng.choice(numbers, int(extreme.sum()))
    limit = envs._batch.limit
    snapshot["elapsed"][:] = rng.choice(
        [0, 0, 0, 1, limit - 2, limit - 1, 2**62 if limit > 2**62 else limit], n
    )
    return snapshot


@pytest.mark.emulate
@pytest.mark.parametrize("limit", [200, -1])
@pytest.mark.parametrize("seed", range(3))
def test_extreme_states(make_all: Maker, seed: int, limit: int, mode: AutoresetMode) -> None:
    n = 400
    batches = all_levels(make_all, n, autoreset_mode=mode, max_episode_steps=limit)
    together(batches, lambda envs: envs.reset(seed=seed), "reset")
    snapshot = extreme_snapshot(batches[0], seed)
    together(batches, lambda envs: envs.set_state(snapshot), "set_state")
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        for actions in random_actions(batches[0].single_action_space, (4, n), rng):
            step_together(batches, actions)


def test_extreme_states_in_the_single_environment(make_all: Maker) -> None:
    singles = [make_all.one(level) for level in served(make_all.id)]
    spec = registry.game(make_all.id).spec
    for env in singles:
        env.reset(seed=0)
    for at, number in enumerate(special_numbers(spec)):
        snapshot = singles[0].get_state()
        for name, kind in spec.state.items():
            if kind is float:
                snapshot["state"][name][:] = number
        together(singles, lambda env, s=snapshot: env.set_state(s), "set_state", at, number)
        action = random_actions(singles[0].action_space, (), np.random.default_rng(at))
        together(singles, lambda env, a=action: env.step(a)[:1], "step", number)
        together(singles, lambda env: env.reset(seed=1), "reset")


# ---- lanes know nothing of each other ----


def lanes_of(result: Any, lanes: Any) -> Any:
    return tuple(part[lanes] for part in result[:4])


@pytest.mark.parametrize("n", [2, 3, 8, 9, 64, 130, 1023])
def test_a_lane_depends_neither_on_n_nor_on_its_place(make: Maker, n: int) -> None:
    few = 5
    rng = np.random.default_rng(n)
    seeds = rng.integers(0, 2**62, few).tolist()
    small = make.vec(few, max_episode_steps=30)
    alone = [make.vec(1, max_episode_steps=30) for _ in range(few)]
    places = rng.permutation(n)[:few]
    kept = len(places)
    large = make.vec(n, max_episode_steps=30)
    filled: list[int] = rng.integers(0, 2**62, n).tolist()
    for seed, place in zip(seeds, places, strict=False):
        filled[place] = seed
    small.reset(seed=seeds)
    large.reset(seed=filled)
    for env, seed in zip(alone, seeds, strict=True):
        env.reset(seed=seed)
    space = small.single_action_space
    for _ in range(45):
        actions = random_actions(space, (n,), rng)
        mine = random_actions(space, (few,), rng)
        actions[places] = mine[:kept]
        result = small.step(mine)
        assert_same(lanes_of(large.step(actions), places), lanes_of(result, slice(0, kept)), "lanes")
        for lane, env in enumerate(alone):
            assert_same(
                lanes_of(env.step(mine[lane : lane + 1]), [0]), lanes_of(result, [lane]), "lane alone"
            )


@pytest.mark.emulate
def test_a_lane_does_not_see_extreme_neighbours(make: Maker) -> None:
    n = 64
    plain, beside = make.vec(n), make.vec(n)
    for envs in (plain, beside):
        envs.reset(seed=0)
    state = extreme_snapshot(beside, 1)
    own = np.zeros(n, bool)
    own[::3] = True
    before = plain.get_state()
    for name, values in state["state"].items():
        values[own] = before["state"][name][own]
    state["elapsed"][own] = before["elapsed"][own]
    beside.set_state(state)
    for actions in random_actions(plain.single_action_space, (60, n), np.random.default_rng(0)):
        assert_same(lanes_of(beside.step(actions), own), lanes_of(plain.step(actions), own), "lanes")


def test_numpys_error_state_does_not_matter(make: Maker) -> None:
    """Turned to raise it neither stops native code nor changes what level python computes."""
    plain, strict = make.vec(16), make.vec(16)
    for envs in (plain, strict):
        envs.reset(seed=0)
        envs.set_state(extreme_snapshot(envs, 0))
    actions = random_actions(plain.single_action_space, (3, 16), np.random.default_rng(0))
    expected = [plain.step(row) for row in actions]
    with np.errstate(all="raise"):
        assert_same([strict.step(row) for row in actions], expected, "steps")


# ---- the floating-point mode of the thread ----

MODE_C = """
#if defined(__x86_64__)
unsigned long long get_mode(void) { return __builtin_ia32_stmxcsr() & ~0x3Full; /* but for sticky flags */ }
void set_mode(unsigned long long mode) { __builtin_ia32_ldmxcsr((unsigned)mode); }
#else
unsigned long long get_mode(void) { unsigned long long m; __asm__ volatile("mrs %0, fpcr" : "=r"(m)); return m; }
void set_mode(unsigned long long mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#endif
"""
# Denormal results and operands are zeros, and everything is rounded up.
HOSTILE = {"x86_64": 0x1F80 | 0x8000 | 0x0040 | 0x4000, "aarch64": 1 << 24 | 1 << 22}


class Hostile:
    """``with Hostile(…) as mode:`` another library has set the floating-point mode of this thread."""

    def __init__(self, library: ctypes.CDLL, mode: int) -> None:
        self._library, self._mode = library, mode
        self._own = library.get_mode()

    def __enter__(self) -> Hostile:
        self._library.set_mode(self._mode)
        return self

    def intact(self) -> bool:
        return bool(self._library.get_mode() == self._mode)

    def __exit__(self, *problem: object) -> None:
        self._library.set_mode(self._own)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Hostile]:
    machine = platform.machine().lower().replace("amd64", "x86_64").replace("arm64", "aarch64")
    if machine not in HOSTILE:
        pytest.skip(f"this test knows no floating-point mode of {machine}")
    compiler = next(filter(shutil.which, ("cc", "gcc", "clang", "clang-16")), None)
    if compiler is None or sys.platform == "win32":
        pytest.skip("there is no C compiler named cc, gcc or clang")
    folder = tmp_path_factory.mktemp("mode")
    (folder / "mode.c").write_text(MODE_C)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "mode.so", "mode.c"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "mode.so"))
    library.get_mode.argtypes, library.get_mode.restype = [], ctypes.c_uint64
    library.set_mode.argtypes, library.set_mode.restype = [ctypes.c_uint64], None
    return lambda: Hostile(library, HOSTILE[machine])


@pytest.mark.emulate
def test_the_hostile_mode_is_hostile(hostile: Callable[[], Hostile]) -> None:
    """Else the tests below prove nothing."""
    denormal, one, three = 5e-324, 1.0, 3.0
    third = one / three
    with hostile() as mode:
        flushed, up = denormal * one, one / three
        assert mode.intact()
    assert (flushed, up) == (0.0, math.nextafter(third, 1))
    assert (denormal * one, one / three) == (denormal, third)


def test_the_callers_floating_point_mode_does_not_matter(
    make: Maker, hostile: Callable[[], Hostile], mode: AutoresetMode
) -> None:
    """Steps, resets, restored states, with and without denormals; the caller gets its mode back each time."""
    n = 37
    python = served(make.id)[0]
    plain, under = (make.vec(n, at, autoreset_mode=mode, max_episode_steps=6) for at in (python, None))
    actions = random_actions(plain.single_action_space, (4, n), np.random.default_rng(0))
    mask = np.ones(n, bool)

    def calls(envs: Any, snapshot: Any) -> list[Callable[[], Any]]:
        return [
            lambda: envs.reset(seed=3),
            *(lambda row=row: envs.step(row) for row in actions[:2]),
            lambda: envs.reset(options={"reset_mask": mask}),
            lambda: envs.set_state(snapshot),
            *([] if mode is AutoresetMode.DISABLED else [lambda row=row: envs.step(row) for row in actions]),
            lambda: envs.reset(),
        ]

    plain.reset(seed=0)
    snapshot = extreme_snapshot(plain, 0)
    for at, (expected, call) in enumerate(zip(calls(plain, snapshot), calls(under, snapshot), strict=True)):
        with np.errstate(all="ignore"):
            wanted = expected()
            with hostile() as hostile_mode:
                found = call()
                intact = hostile_mode.intact()
        assert_same(found, wanted, "call", at)
        assert intact, f"call {at} changed the caller's mode"
        assert_same(inside(under), inside(plain), "states after call", at)


def test_the_callers_floating_point_mode_does_not_matter_to_the_single_environment(
    make: Maker, hostile: Callable[[], Hostile]
) -> None:
    plain, under = make.one(served(make.id)[0]), make.one()
    for env in (plain, under):
        env.reset(seed=0)
    for at, number in enumerate(special_numbers(plain._batch.game.spec)):
        snapshot = plain.get_state()
        for values in snapshot["state"].values():
            if values.dtype == np.float64:
                values[:] = number
        action = random_actions(plain.action_space, (), np.random.default_rng(at))
        wanted = [plain.set_state(snapshot), plain.step(action)[:1], plain.reset(seed=at), plain.reset()]
        with hostile() as mode:
            found = [under.set_state(snapshot), under.step(action)[:1], under.reset(seed=at), under.reset()]
            intact = mode.intact()
        assert_same(found, wanted, "calls for", number)
        assert intact


@cache
def rollout_at_level_python(id: str, name: str, **settings: Any) -> Any:
    return rollout(id, name, level="python", **settings)


def agents_are_unmoved(make: Maker, hostile: Callable[[], Hostile]) -> None:
    """Single calls, observations of a dtype that is rounded, and rollouts in one thread and in several."""
    space = registry.game(make.id).observation
    rows = np.random.default_rng(0).normal(size=(40, space.size))
    rows[::2] *= 1e-39
    rows[::3] *= -1
    if isinstance(space, Discrete):
        rows = np.abs(rows[:, 0]).astype(np.int64) % space.n
    for name in observers(make.id):
        policy = load_agent(make.id, name, level="python")
        at = registry.family(policy.family).isas.get(make.level.name, ()) if make.level.isa else (None,)
        if make.level.isa not in at:
            continue
        policies = [policy, load_agent(make.id, name, level=make.level.name, isa=make.level.isa)]
        for observation in (rows[0], rows, rows.astype(np.float32) if rows.dtype.kind == "f" else rows):
            wanted = policies[0](observation)
            with hostile() as mode:
                found = policies[1](observation)
                intact = mode.intact()
            assert_same(found, wanted, name, "decisions")
            assert intact
        settings: dict[str, Any] = {
            "episodes": 12,
            "num_envs": 8,
            "max_episode_steps": paced(make.id, name, 60, 4),
        }
        run = rollout_at_level_python(make.id, name, **settings)
        for threads in (1, 3):
            with hostile() as mode:
                again = rollout(
                    make.id, name, level=make.level.name, isa=make.level.isa, threads=threads, **settings
                )
                intact = mode.intact()
            assert_same((again.returns, again.lengths), (run.returns, run.lengths), name, threads, "threads")
            assert intact


@pytest.mark.emulate
@pytest.mark.parametrize("level", [level for level in LEVELS if level.isa], indirect=True, ids=str)
def test_the_callers_floating_point_mode_does_not_matter_to_agents(
    make: Maker, hostile: Callable[[], Hostile]
) -> None:
    agents_are_unmoved(make, hostile)


@pytest.mark.parametrize("level", [level for level in LEVELS if not level.isa], indirect=True, ids=str)
def test_nor_does_it_matter_to_agents_at_level_python(make: Maker, hostile: Callable[[], Hostile]) -> None:
    agents_are_unmoved(make, hostile)


@pytest.mark.emulate
@pytest.mark.parametrize("id", games())
def test_several_levels_are_compared(id: str) -> None:
    """A build without native levels must not look as if it had been checked."""
    assert {"python", "cpp"} <= {level.name for level in served(id)}
