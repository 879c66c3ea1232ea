# SPDX-License-Identifier: MIT
"""What there is, what this machine can serve and why not; what "auto" means; nothing is faked."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from typing import Any

import gymnasium as gym
import pytest

import compute_layers as cl
from compute_layers import _core, registry
from compute_layers.agents import agent_file
from compute_layers.registry import resolve
from conftest import LEVELS, served

OLD_CPU = shutil.which("qemu-x86_64-static")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets COMPUTE_LAYERS_LEVEL and COMPUTE_LAYERS_ISA."""

    def put(level: str | None = None, isa: str | None = None) -> None:
        for name, value in (("COMPUTE_LAYERS_LEVEL", level), ("COMPUTE_LAYERS_ISA", isa)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return put


def runs(id: str, level: str = "auto", isa: str | None = None) -> tuple[str, str | None]:
    """What an environment made so says it runs."""
    envs: Any = gym.make_vec(registry.NAMESPACE + id, num_envs=2, level=level, isa=isa)
    return envs.level, envs.isa


# ---- what there is ----


@pytest.mark.parametrize("level", cl.levels(), ids=str)
def test_every_level_is_served(level: cl.Level) -> None:
    """Here the levels that this machine cannot serve are skipped; all other tests leave them out."""
    if not level.available:
        assert level.reason.strip()
        pytest.skip(level.reason)
    assert level in LEVELS


def test_games_are_named_as_gymnasium_names_them() -> None:
    assert "CartPole-v1" in cl.games()
    for id in cl.games():
        assert id in gym.registry
        assert registry.NAMESPACE + id in gym.registry


@pytest.mark.emulate
def test_levels_are_listed_from_slow_to_fast_and_each_once() -> None:
    names = [str(level) for level in cl.levels()]
    assert names[:2] == ["python", "cpp[baseline]"]
    assert len(set(names)) == len(names)
    assert [registry.LEVELS.index(level.name) for level in cl.levels()] == sorted(
        registry.LEVELS.index(level.name) for level in cl.levels()
    )
    for level in cl.levels():
        assert level.available == (level.reason == "")
        assert str(level) == (level.name if level.isa is None else f"{level.name}[{level.isa}]")


@pytest.mark.emulate
def test_what_is_listed_as_available_runs(game: str) -> None:
    for level in served(game):
        assert runs(game, level.name, level.isa) == (level.name, level.isa)


@pytest.mark.emulate
def test_what_is_listed_as_unavailable_does_not_run(game: str) -> None:
    for level in cl.levels():
        if not level.available:
            with pytest.raises(cl.LevelUnavailable, match=r"is not available for .*: \w+"):
                runs(game, level.name, level.isa)


def test_an_isa_that_no_level_can_serve_comes_with_the_reason(game: str) -> None:
    for isa in _core.isas:
        if reason := _core.missing(isa):
            with pytest.raises(cl.LevelUnavailable, match=reason):
                runs(game, isa=isa)


def test_a_kernel_that_is_not_written_is_unavailable(game: str) -> None:
    for name, isa in (("asm", "baseline"), ("asm", "neon"), ("cpp", "neon")):
        if isa not in registry.game(game).isas[name]:
            with pytest.raises(cl.LevelUnavailable, match=rf"{name}\[{isa}\] is not available for {game}"):
                runs(game, name, isa)


def test_level_unavailable_is_public() -> None:
    assert issubclass(cl.LevelUnavailable, RuntimeError)


@pytest.mark.parametrize("stem", ["linaer", "", None])
def test_an_unknown_family(stem: Any) -> None:
    with pytest.raises(ValueError, match="family is .*; allowed: .*linear"):
        registry.family(stem)


@pytest.mark.parametrize("stem", ["walk", "Walk-v1"])
def test_a_family_named_as_a_game_is_refused(stem: str) -> None:
    games = [{"stem": "walk", "ids": ["Walk-v0", "Walk-v1"]}]
    registry._apart(games, [{"stem": "walker"}])
    with pytest.raises(ImportError, match=f"'{stem}' has a name of the game 'walk'"):
        registry._apart(games, [{"stem": "walker"}, {"stem": stem}])
    with pytest.raises(ImportError, match=f"the planner '{stem}' has a name of the game 'walk'"):
        registry._apart(games, [{"stem": "walker"}], [{"stem": stem}])


def test_a_planner_named_as_a_family_is_refused() -> None:
    registry._apart([], [{"stem": "walker"}], [{"stem": "runner"}])
    with pytest.raises(ImportError, match="the planner 'walker' has a name of the policy family 'walker'"):
        registry._apart([], [{"stem": "walker"}], [{"stem": "walker"}])


def test_a_learner_named_as_a_planner_is_refused() -> None:
    registry._apart([], [], [{"stem": "runner"}], [{"stem": "walker"}])
    with pytest.raises(ImportError, match="the learner 'runner' has a name of the planner 'runner'"):
        registry._apart([], [], [{"stem": "runner"}], [{"stem": "runner"}])


def test_an_unknown_planner_or_learner() -> None:
    with pytest.raises(ValueError, match="planner is 'bakcup'; allowed: backup; did you mean 'backup'"):
        registry.planner("bakcup")
    with pytest.raises(
        ValueError, match="learner is 'salsa'; allowed: q_learning, sarsa; did you mean 'sarsa'"
    ):
        registry.learner("salsa")


def test_the_public_names_are_there() -> None:
    for name in cl.__all__:
        assert hasattr(cl, name), name
    assert callable(cl.games)
    assert callable(cl.agents)
    assert callable(cl.levels)
    assert callable(cl.rollout)


# ---- auto and the variables ----


def test_auto_is_the_fastest_level(game: str) -> None:
    fastest = served(game)[-1]
    assert runs(game) == (fastest.name, fastest.isa)


def test_none_is_the_widest_isa(game: str) -> None:
    for name in ("cpp", "asm"):
        isas = [level.isa for level in served(game) if level.name == name]
        if isas:
            assert runs(game, name) == (name, isas[-1])


def test_variables_set_what_auto_and_none_mean(game: str, variables: Any) -> None:
    for level in served(game):
        variables(level.name, level.isa)
        assert runs(game) == (level.name, level.isa)
    variables("cpp")
    assert runs(game)[0] == "cpp"
    variables(None, "baseline")
    assert runs(game) == ("cpp", "baseline")
    assert runs(game, "cpp") == ("cpp", "baseline")


def test_an_explicit_argument_wins(game: str, variables: Any) -> None:
    for level in served(game):
        variables("cpp" if level.name == "python" else "python", "baseline")
        assert runs(game, level.name, level.isa) == (level.name, level.isa)


def test_an_explicit_isa_is_never_dropped(game: str, variables: Any) -> None:
    """With level auto and the variable saying python, isa="baseline" is served or refused, not ignored."""
    variables("python")
    try:
        level, isa = runs(game, "auto", "baseline")
    except (ValueError, cl.LevelUnavailable):
        return
    assert isa == "baseline", f"isa='baseline' was asked for, level {level} runs"


def test_variables_hold_for_agents_and_rollouts(game: str, variables: Any) -> None:
    variables("python")
    agent = cl.load_agent(game, "random")
    assert (agent.level, agent.isa) == ("python", None)
    run = cl.rollout(game, "random", episodes=2, max_episode_steps=3)
    assert (run.level, run.policy_level) == ("python", "python")
    variables("cpp", "baseline")
    agent = cl.load_agent(game, "random")
    assert (agent.level, agent.isa) == ("cpp", "baseline")


@pytest.mark.parametrize(
    ("level", "isa", "match"),
    [
        ("pyton", None, "COMPUTE_LAYERS_LEVEL is 'pyton'.*did you mean 'python'"),
        ("", None, "COMPUTE_LAYERS_LEVEL is ''"),
        (None, "avx3", "COMPUTE_LAYERS_ISA is 'avx3'.*did you mean 'avx2'"),
    ],
)
def test_a_variable_with_an_unknown_name(game: str, variables: Any, level: Any, isa: Any, match: str) -> None:
    variables(level, isa)
    with pytest.raises(ValueError, match=match):
        runs(game)


def test_a_variable_is_never_served_by_something_else(game: str, variables: Any) -> None:
    variables("asm", "baseline")
    with pytest.raises(cl.LevelUnavailable, match=r"asm\[baseline\]"):
        runs(game)
    foreign = "neon" if _core.missing("neon") else "avx2"
    if _core.missing(foreign):
        variables(None, foreign)
        with pytest.raises(cl.LevelUnavailable, match=foreign):
            runs(game)


def test_level_python_has_no_isa(game: str) -> None:
    with pytest.raises(ValueError, match="isa is 'baseline'; level python has none"):
        runs(game, "python", "baseline")


def test_auto_goes_to_level_python_where_nothing_is_written() -> None:
    assert resolve("auto", None, {}, "a game out of the tree") == ("python", None)
    with pytest.raises(cl.LevelUnavailable, match="not written"):
        resolve("cpp", None, {}, "a game out of the tree")
    with pytest.raises(cl.LevelUnavailable, match="baseline"):
        resolve("auto", "baseline", {}, "a game out of the tree")


# ---- an old CPU ----

ON_NEHALEM = """
import numpy as np
import gymnasium as gym
import compute_layers as cl
from compute_layers.agents import agent_file

def bits(result):
    return b"".join(np.asarray(part).tobytes() for part in (result if isinstance(result, tuple) else (result,)))

for level in cl.levels():
    print(level, level.available, level.reason)
for id in cl.games():
    for wanted in ({"level": "asm"}, {"level": "asm", "isa": "avx2"}, {"level": "cpp", "isa": "avx2"}):
        try:
            cl.VectorEnv(8, game=id, **wanted)
        except cl.LevelUnavailable as reason:
            assert "AVX2" in str(reason), reason
        else:
            raise AssertionError(wanted)
    envs, reference = cl.VectorEnv(13, game=id), cl.VectorEnv(13, game=id, level="python")
    assert (envs.level, envs.isa) == ("cpp", "baseline"), (envs.level, envs.isa)
    assert bits(envs.reset(seed=0)[0]) == bits(reference.reset(seed=0)[0])
    envs.action_space.seed(0)
    for _ in range(60):
        actions = envs.action_space.sample()
        for ours, python in zip(envs.step(actions)[:4], reference.step(actions)[:4]):
            assert bits(ours) == bits(python)
    for name in cl.agents(id):
        episodes = 1 if agent_file(id, name).family.spec.searches else 4
        run = cl.rollout(id, name, episodes=episodes, max_episode_steps=40)
        assert (run.level, run.isa, run.policy_isa) == ("cpp", "baseline", "baseline")
        print("returns", id, name, run.returns.tobytes().hex())
"""


@pytest.mark.skipif(OLD_CPU is None, reason="qemu-x86_64-static is not installed")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="Nehalem is an x86-64 CPU")
def test_a_cpu_without_avx2_gets_a_reason_and_a_working_cpp() -> None:
    """Any instruction beyond SSE4.2 that runs outside its isa's kernels ends the process with SIGILL."""
    assert OLD_CPU is not None
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS")}
    run = subprocess.run(
        [OLD_CPU, "-cpu", "Nehalem", sys.executable, "-c", ON_NEHALEM],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    listed = run.stdout.splitlines()
    assert "cpp[baseline] True " in listed
    assert "asm[avx2] False this CPU has no AVX2" in listed
    played = [line.split()[1:] for line in listed if line.startswith("returns ")]
    assert [(id, name) for id, name, _ in played] == [
        (id, name) for id in cl.games() for name in cl.agents(id)
    ]
    for id, name, returns in played:
        level = "cpp" if agent_file(id, name).family.spec.searches else "python"
        episodes = len(returns) // 16  # eight bytes each, in hexadecimal
        here = cl.rollout(id, name, episodes=episodes, max_episode_steps=40, level=level)
        assert here.returns.tobytes().hex() == returns, (id, name)
