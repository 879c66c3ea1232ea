# SPDX-License-Identifier: MIT
"""What the native core refuses when it is called by hand, and what it does when the system has no more to
give."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import compute_layers as cl
from compute_layers import _core, registry
from compute_layers.batch import encode_params, shape_of
from compute_layers.vector import VectorEnv

GAME = registry.game(cl.games()[0])
NATIVE = [level for level in cl.levels() if level.available and level.isa]


def batch(level: cl.Level, **changed: Any) -> _core.Batch:
    sizes: dict[str, Any] = {
        "stem": GAME.stem,
        "level": level.name,
        "isa": level.isa,
        "shape": shape_of(GAME.default),
        "table": None,
        "num_envs": 3,
        "limit": 5,
        "autoreset": "NextStep",
        "params": encode_params(GAME.default),
        "options": list(GAME.spec.options.values()),
        "rules": None,
        "copy": True,
    }
    return _core.Batch(**{**sizes, **changed})


def shape(**changed: int) -> _core.Shape:
    spec = GAME.spec
    sizes = {"params": len(spec.params()), "options": len(spec.options), "fields": len(spec.state)}
    sizes |= {"observation": 4, "actions": 2, "action": 1, "info": 0, "cache": 0}
    return _core.Shape(observations=0, radix=[], **{**sizes, **changed})


@pytest.mark.parametrize("level", NATIVE, ids=str)
@pytest.mark.parametrize(
    "changed",
    [
        {"shape": shape(params=0)},
        {"shape": shape(fields=1)},
        {"shape": shape(options=0)},
        {"shape": shape(observation=0)},
        {"params": [1.0]},
        {"options": []},
        {"num_envs": 0},
        {"limit": 0},
    ],
    ids=[
        "no params",
        "a field",
        "no options",
        "no observation",
        "a param",
        "options",
        "no lanes",
        "no steps",
    ],
)
def test_sizes_that_do_not_fit_are_refused(level: cl.Level, changed: dict[str, Any]) -> None:
    batch(level)
    with pytest.raises(ValueError, match="sizes"):
        batch(level, **changed)


def test_an_unknown_mode_or_isa_is_refused() -> None:
    with pytest.raises(ValueError, match="autoreset is 'never'"):
        batch(NATIVE[0], autoreset="never")
    with pytest.raises(ValueError, match="isa is 'mmx'"):
        batch(NATIVE[0], isa="mmx")


@pytest.mark.parametrize("level", NATIVE, ids=str)
def test_arrays_at_odd_addresses_are_read_right(level: cl.Level) -> None:
    def odd(array: Any) -> Any:
        memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
        memory[:] = array.reshape(-1).view(np.uint8)
        moved = memory.view(array.dtype).reshape(array.shape)
        assert not moved.flags.aligned
        return moved

    one, other = (VectorEnv(5, game=GAME.id, level=level.name, isa=level.isa) for _ in range(2))
    observation = one.reset(seed=0)[0]
    other.reset(seed=0)
    agent = cl.load_agent(GAME.id, "pd", level=level.name, isa=level.isa)
    assert agent(odd(observation)).tolist() == agent(observation).tolist()
    actions = np.array([0, 1, 1, 0, 1])
    assert other.step(odd(actions))[0].tobytes() == one.step(actions)[0].tobytes()


def test_repeat_is_as_many_steps() -> None:
    for level in NATIVE:
        one, other = (VectorEnv(5, game=GAME.id, level=level.name, isa=level.isa) for _ in range(2))
        actions = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]])
        for envs in (one, other):
            envs.reset(seed=0)
        assert one._batch.repeat(actions, 20) > 0
        for _ in range(20):
            for row in actions:
                other.step(row)
        assert one._batch.state.tobytes() == other._batch.state.tobytes()
        for wrong in (actions[:, 1:], actions + 1.5, actions + 2, actions[0, 0]):
            with pytest.raises((TypeError, ValueError)):
                one._batch.repeat(wrong, 1)


def test_two_threads_in_same_step_mode_get_whole_results_or_an_error() -> None:
    envs = VectorEnv(4096, game=GAME.id, max_episode_steps=3, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset(seed=0)
    actions = np.zeros(4096, np.int64)
    rounds: list[int] = []

    def play() -> None:
        for _ in range(200):
            try:
                infos = envs.step(actions)[4]
            except RuntimeError:
                continue
            rounds.append(len(infos))
            if infos:
                present = np.array([row is not None for row in infos["final_obs"]])
                assert (present == infos["_final_obs"]).all()

    threads = [threading.Thread(target=play) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(rounds)
    assert envs._batch.damaged() == -1


def test_a_rollout_for_which_the_system_has_no_threads_is_an_exception() -> None:
    pytest.importorskip("resource", reason="limits of a process are of Unix")
    script = f"""
        import resource
        import compute_layers as cl
        cl.rollout({GAME.id!r}, "pd", episodes=4, threads=2)
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[0])
        limit = pages * resource.getpagesize() + 2**26
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            bytearray(2**27)
        except MemoryError:
            pass
        else:
            print("no limit")
        try:
            cl.rollout({GAME.id!r}, "pd", episodes=2000, num_envs=1024, threads=1024)
        except (RuntimeError, MemoryError, OSError) as problem:
            print(type(problem).__name__)
        else:
            print("served")
        print("alive")
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "alive"
    if "no limit" in done.stdout:
        pytest.skip("this system, or what emulates it, limits no address space")
    assert "served" not in done.stdout
