# SPDX-License-Identifier: MIT
"""The checker passes here, and it catches kernels that are broken in the usual ways."""

from __future__ import annotations

import ctypes
import inspect
import io
import json
import math
import re
import shlex
from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import compute_layers as cl
from compute_layers import check as checker
from compute_layers import registry
from compute_layers.batch import Batch
from compute_layers.games import cartpole
from compute_layers.pcg64 import PCG64
from compute_layers.spec import Box, Discrete
from conftest import RULES

NATIVE = [level for level in cl.levels() if level.available and level.isa is not None]
GAME = "CartPole-v1"
LEVEL = NATIVE[0]
AS_OPTION = f"{LEVEL.name}:{LEVEL.isa}"


def run(*games: str, **options: Any) -> tuple[checker.Report, str]:
    """A report, and what was printed."""
    file = io.StringIO()
    report = checker.check(games, console=Console(file=file, width=80), **options)
    return report, file.getvalue()


def scenarios(kind: str) -> list[checker.Scenario]:
    """A few scenarios of this kind for CartPole."""
    game = checker.GameScenarios(registry.game(GAME), 0)
    chosen = [scenario for scenario in [*game, *game.alone()] if scenario.check == kind]
    # The first trajectory is the longest, the last scenario of `lanes` the one with extreme neighbours.
    return chosen[4:8] if kind == "trajectories" else chosen[-4:]


@cache
def at_level_python(kind: str) -> list[checker.Trace]:
    """What level python makes of them."""
    return [scenario.play(checker.PYTHON) for scenario in scenarios(kind)]


def caught(kind: str) -> bool:
    """Whether one of these scenarios notices a broken kernel of LEVEL."""
    for scenario, expected in zip(scenarios(kind), at_level_python(kind), strict=True):
        found = scenario.play(LEVEL)
        if scenario.against is not None:
            expected = scenario.against(LEVEL)
        if found.damaged or checker.first_difference(expected, found):
            return True
    return False


# ---- it passes ----


def test_everything_is_in_order_here() -> None:
    report, text = run()
    assert report.ok, text
    assert "\x1b" not in text
    checked = {(result.subject, result.level) for result in report.results if not result.reason}
    for id in cl.games():
        served = {level for level in NATIVE if level.isa in registry.game(id).isas[level.name]}
        assert {level for subject, level in checked if subject == id} == {checker.PYTHON, *served}
    for family in registry.families().values():
        served = {level for level in NATIVE if level.isa in family.isas[level.name]}
        assert {level for subject, level in checked if subject == family.stem} == {checker.PYTHON, *served}
    for other in (*registry.planners().values(), *registry.learners().values()):
        served = {level for level in NATIVE if level.isa in other.isas[level.name]}
        assert {level for subject, level in checked if subject == other.stem} == {checker.PYTHON, *served}


def in_agreement(scenarios: Iterable[checker.Scenario], levels: list[cl.Level], python: int) -> None:
    """All native levels give the same bytes, and in one scenario of so many those of level python: what
    ``compute-layers check`` does in full, for where level python is slow."""
    assert levels
    for at, scenario in enumerate(scenarios, start=1):  # the first one is the longest
        expected = scenario.play(levels[0] if at % python else checker.PYTHON)
        for level in levels[1:] if at % python else levels:
            found = scenario.play(level)
            where = f"{scenario.check}: {scenario.title}, {level}"
            assert found.damaged is None, where
            difference = checker.first_difference(expected, found)
            assert difference is None, (where, difference.lines(("expected", "found")))


@pytest.mark.emulate
@pytest.mark.parametrize("id", RULES)
def test_the_levels_of_a_game_agree(id: str) -> None:
    game = registry.game(id)
    levels = [level for level in NATIVE if level.isa in game.isas[level.name]]
    in_agreement(checker.GameScenarios(game, 0), levels, 20)


@pytest.mark.parametrize("stem", registry.families())
def test_the_levels_of_a_policy_agree(stem: str) -> None:
    family = registry.family(stem)
    spaces = checker.spaces_of([registry.game(id) for id in cl.games()], True)
    in_agreement(
        checker.PolicyScenarios(family, [game for game in spaces if checker._serves(family, game)], 0),
        [level for level in NATIVE if level.isa in family.isas[level.name]],
        5,
    )


@pytest.mark.parametrize("id", cl.games())
def test_every_kind_of_check_is_made(id: str) -> None:
    game = checker.GameScenarios(registry.game(id), 0)
    assert {scenario.check for scenario in game} == {"trajectories", "extremes", "in play", "params"}
    assert {scenario.check for scenario in game.alone()} == {"lanes"}
    titles = [(scenario.check, scenario.title) for scenario in [*game, *game.alone()]]
    assert len(set(titles)) == len(titles)


def test_the_seed_moves_the_random_part_and_nothing_else() -> None:
    first, second = ([s.title for s in checker.GameScenarios(registry.game(GAME), seed)] for seed in (0, 1))
    assert first == second
    a, b, again = (
        next(iter(checker.GameScenarios(registry.game(GAME), seed))).play(LEVEL) for seed in (0, 1, 0)
    )
    assert checker.first_difference(a, b) is not None
    assert checker.first_difference(a, again) is None


def test_extreme_states_hold_thresholds_and_their_neighbours() -> None:
    numbers = {number.hex() for number in checker.GameScenarios(registry.game(GAME), 0)._numbers()}
    threshold = cartpole.SPEC.params()["x_threshold"]
    assert isinstance(threshold, float)
    wanted = [
        0.0,
        -0.0,
        5e-324,
        threshold,
        -threshold,
        math.nextafter(threshold, 0),
        1e300,
        2.0**20,
        1e5,
        1e10,
    ]
    assert {number.hex() for number in wanted} <= numbers


def test_states_in_play_reach_the_bounds() -> None:
    theta = at_level_python("in play")[0].buffers["theta"][0]
    limit = cartpole.SPEC.params()["theta_threshold_radians"]
    assert (theta == limit).any()
    assert (np.abs(theta) <= limit).all()
    assert len(theta) > 100


# ---- it catches ----


def missing_lane(batch: Batch, before: Any, outcome: Any) -> None:
    if batch.num_envs > 2:
        batch.state[:, 2] = before[:, 2]


def swapped_fields(batch: Batch, before: Any, outcome: Any) -> None:
    batch.state[[0, 1]] = batch.state[[1, 0]]


def skipped_store(batch: Batch, before: Any, outcome: Any) -> None:
    outcome[1][-1] = 0.0


def skipped_flag(batch: Batch, before: Any, outcome: Any) -> None:
    outcome[2][:] = False


def last_bit(batch: Batch, before: Any, outcome: Any) -> None:
    batch.state[3] = np.nextafter(batch.state[3], np.inf)


def one_step_late(batch: Batch, before: Any, outcome: Any) -> None:
    batch.elapsed[batch.elapsed == 7] = 6


def extra_draw(batch: Batch, before: Any, outcome: Any) -> None:
    batch.stream[1, 0] ^= np.uint64(1)


def past_the_end(batch: Batch, before: Any, outcome: Any) -> None:
    padded = -(-batch.num_envs // 8) * 8
    ctypes.memset(batch.elapsed.ctypes.data + 8 * padded, 0, 1)


def only_normal_numbers(batch: Batch, before: Any, outcome: Any) -> None:
    small = (batch.state != 0) & (np.abs(batch.state) < 2.0**-1022)
    batch.state[small] = 0.0


def forgotten_sign_of_zero(batch: Batch, before: Any, outcome: Any) -> None:
    batch.state[:] = batch.state + 0.0


def neighbour(batch: Batch, before: Any, outcome: Any) -> None:
    if batch.num_envs > 20:
        batch.state[0, 1:] += 2.0**-900 * before[1, :-1]


def last_lane_of_many(batch: Batch, before: Any, outcome: Any) -> None:
    if batch.num_envs > 8:
        batch.state[2, -1] *= 1 + 2.0**-52


BROKEN: dict[Callable[[Batch, Any, Any], None], tuple[str, ...]] = {
    missing_lane: ("trajectories", "extremes", "params"),
    swapped_fields: ("trajectories", "extremes", "in play", "params"),
    skipped_store: ("trajectories", "extremes", "in play", "params"),
    skipped_flag: ("trajectories", "extremes"),
    last_bit: ("trajectories", "extremes", "in play", "params"),
    one_step_late: ("trajectories", "params"),
    extra_draw: ("trajectories", "extremes", "in play", "params"),
    past_the_end: ("trajectories", "extremes", "in play", "params", "lanes"),
    only_normal_numbers: ("extremes",),
    forgotten_sign_of_zero: ("extremes",),
    neighbour: ("lanes",),
    last_lane_of_many: ("trajectories", "lanes"),
}


def break_kernel(monkeypatch: pytest.MonkeyPatch, damage: Callable[[Batch, Any, Any], None]) -> None:
    """Makes LEVEL a broken kernel: the damage is done after each step."""

    class Broken(Batch):
        def step(self, actions: Any) -> Any:
            before = self.state.copy()
            outcome = super().step(actions)
            if self.level == LEVEL.name:
                with np.errstate(all="ignore"):
                    damage(self, before, outcome)
            return outcome

    monkeypatch.setattr(checker, "Batch", Broken)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [pytest.param(d, kind, id=f"{d.__name__}: {kind}") for d, kinds in BROKEN.items() for kind in kinds],
)
def test_a_broken_kernel_is_caught(
    monkeypatch: pytest.MonkeyPatch, damage: Callable[[Batch, Any, Any], None], kind: str
) -> None:
    break_kernel(monkeypatch, damage)
    assert caught(kind)


def test_a_reassociated_product_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    source = inspect.getsource(cartpole.step)
    assert "p.masspole * (cos * cos)" in source
    namespace = vars(cartpole).copy()
    exec(source.replace("p.masspole * (cos * cos)", "(p.masspole * cos) * cos"), namespace)
    monkeypatch.setattr(cartpole, "step", namespace["step"])
    differences = [
        checker.first_difference(scenario.play(checker.PYTHON), scenario.play(LEVEL))
        for scenario in scenarios("trajectories")
    ]
    assert any(differences)


def test_an_overwritten_canary_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    break_kernel(monkeypatch, past_the_end)
    assert {scenario.play(LEVEL).damaged for scenario in scenarios("trajectories")} == {"elapsed"}


@pytest.mark.usefixtures("few")
def test_a_wrong_action_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(checker.Agent):
        def __call__(self, observation: Any) -> Any:
            action = super().__call__(observation)
            if self.level == LEVEL.name and isinstance(action, np.ndarray) and len(action) == 17:
                action[16] = 1 - action[16]
            return action

    monkeypatch.setattr(checker, "Agent", Broken)
    report, text = run(GAME, levels=(AS_OPTION,))
    failed = {result.subject for result in report.results if not result.ok}
    spaces = [registry.game(GAME)]
    assert failed == {
        stem for stem, family in registry.families().items() if list(checker.made_up_policies(family, spaces))
    }
    assert {"constant", "linear"} <= failed
    assert "observation [" in text


@pytest.mark.parametrize("fault", [0, 1, 2])
def test_a_wrong_sweep_is_caught(monkeypatch: pytest.MonkeyPatch, fault: int) -> None:
    """In the last bit of a value, in an action, in the change."""

    class Broken(checker.Sweeper):
        def run(self, *arguments: Any) -> Any:
            found = super().run(*arguments)
            if self.level == LEVEL.name:
                found[0][-1] = np.nextafter(found[0][-1], np.inf) if fault == 0 else found[0][-1]
                found[1][-1] += fault == 1
                found = (*found[:2], np.nextafter(found[2], np.inf) if fault == 2 else found[2])
            return found

    monkeypatch.setattr(checker, "Sweeper", Broken)
    planner = registry.planner("backup")
    scenarios = list(checker.planner_scenarios(planner, 0))
    assert len({scenario.title for scenario in scenarios}) == len(scenarios)
    assert all(checker.first_difference(s.play(checker.PYTHON), s.play(LEVEL)) for s in scenarios)
    stored = checker.stored_digests(planner.stem)[planner.stem]
    assert checker.planner_digest(planner, LEVEL, checker.SHORT_SWEEPS) != stored["short"]


@pytest.mark.parametrize("stem", registry.learners())
def test_a_wrong_table_is_caught(monkeypatch: pytest.MonkeyPatch, stem: str) -> None:
    class Broken(checker.Learning):
        def table(self) -> Any:
            table = super().table()
            if self.level == LEVEL.name:
                table[-1, -1] = np.nextafter(table[-1, -1], np.inf)
            return table

    monkeypatch.setattr(checker, "Learning", Broken)
    learner = registry.learner(stem)
    scenarios = list(checker.learner_scenarios(learner, 0))
    assert len({scenario.title for scenario in scenarios}) == len(scenarios)
    assert checker.first_difference(scenarios[0].play(checker.PYTHON), scenarios[0].play(LEVEL))
    stored = checker.stored_digests(stem)[stem]
    assert checker.learner_digest(learner, LEVEL, checker.SHORT_STEPS) != stored["short"]


# ---- what it says ----


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trajectories are all that is played of a game."""
    every = checker.GameScenarios.__iter__
    monkeypatch.setattr(checker.GameScenarios, "__iter__", lambda self: islice(every(self), 6, 8))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, few: None) -> None:
    """A kernel whose last bit is wrong, one lane of many."""
    break_kernel(monkeypatch, last_lane_of_many)


@pytest.mark.usefixtures("broken")
def test_a_mismatch_is_described_and_can_be_replayed() -> None:
    report, text = run(GAME, levels=(AS_OPTION,), seed=3)
    assert not report.ok
    failure = next(result for result in report.results if not result.ok).failures[0]
    assert failure in text.replace("\n  ", "\n") or failure.splitlines()[0] in text
    lines = [line.strip() for line in failure.splitlines()]
    assert lines[0] == f"{GAME} {LEVEL}, trajectories: NextStep, 13 lanes, limit 9"
    assert lines[1] == "step 1, lane 12, theta:"
    for line, side in zip(lines[2:4], ("python", str(LEVEL)), strict=True):
        word, value = line.split()[:2]
        assert word == side
        pattern = line.split("bits ")[1].split(")")[0]
        assert np.array([int(pattern, 16)], "u8").view("f8")[0] == float.fromhex(value)
    assert lines[3].endswith(", 1 ulp apart")
    assert re.match(r"lane 12 before: x -?0x1\.\w+p[+-]\d+, x_dot", lines[4])
    command = f"compute-layers check --game {GAME} --level {AS_OPTION} --seed 3"
    assert lines[5] == f"replay: {command}"

    from compute_layers.cli import app

    replayed = CliRunner().invoke(app, shlex.split(command)[1:])
    assert replayed.exit_code == 1
    assert failure.splitlines()[2].strip() in replayed.output


@pytest.mark.usefixtures("broken")
def test_digests_see_what_the_scenarios_see() -> None:
    stored = checker.stored_digests("cartpole")[GAME]
    assert checker.digest(registry.game(GAME), LEVEL, *checker.SHORT) == stored["short"], "fewer than 9 lanes"
    assert checker.digest(registry.game(GAME), LEVEL, *checker.FULL) != stored["full"]


@pytest.mark.usefixtures("few")
def test_rules_that_raise_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: Any) -> Any:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(cartpole, "step", step)
    report, text = run(GAME, levels=("python", AS_OPTION))
    assert not report.ok
    assert "level python raised ZeroDivisionError: float division by zero" in text
    assert "and " in text
    assert "more" in text


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        (1.0, math.nextafter(1.0, 2), 1),
        (0.0, -0.0, 0),
        (-5e-324, 5e-324, 2),
        (math.inf, math.nextafter(math.inf, 0), 1),
        (math.nan, 1.0, None),
    ],
)
def test_ulps(a: float, b: float, distance: int | None) -> None:
    assert (
        checker.ulps(np.float64(a), np.float64(b)) == checker.ulps(np.float64(b), np.float64(a)) == distance
    )


def test_nans_are_alike_and_zeros_are_not() -> None:
    nans = np.array([0x7FF8000000000000, 0xFFF8000000000001], "u8").view("f8")
    assert len(set(checker.canonical(nans).view("u8").tolist())) == 1
    zeros = checker.canonical(np.array([0.0, -0.0]))
    assert len(set(zeros.view("u8").tolist())) == 2


# ---- digests ----


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for digests that is not the package's."""
    monkeypatch.setattr(checker, "DIGESTS", tmp_path / "digests")
    return tmp_path / "digests"


def test_only_update_writes_digests(folder: Path) -> None:
    report, text = run(GAME, levels=("python",))
    assert not report.ok
    assert "none are stored" in text
    assert not folder.exists()


def test_update_writes_the_shipped_digests(folder: Path) -> None:
    shipped = Path(checker.__file__).parent / "digests" / "cartpole.json"
    report, text = run(GAME, levels=("python",), update=True)
    assert report.ok, text
    assert "wrote digests, version 1" in text
    written, wanted = (json.loads(p.read_text())[GAME] for p in (folder / "cartpole.json", shipped))
    assert (written["short"], written["full"]) == (wanted["short"], wanted["full"])
    assert "as they were" in checker.store_digests(registry.game(GAME), wanted["short"], wanted["full"])
    assert "version 2" in checker.store_digests(registry.game(GAME), wanted["short"], "0")
    assert run(GAME, levels=("python",))[0].ok
    checker.store_digests(registry.game(GAME), "0", "0")
    report, text = run(GAME, levels=("python",))
    assert not report.ok
    assert "the short one is" in text
    assert "version 3 is 0" in text


@pytest.fixture
def one_family(monkeypatch: pytest.MonkeyPatch) -> registry.Family:
    """The family `constant` is the only one, and no game is checked."""
    family = registry.family("constant")
    monkeypatch.setattr(registry, "families", lambda: {family.stem: family})
    monkeypatch.setattr(checker._Run, "game", lambda *_: None)
    return family


def test_digests_of_families_are_written_and_compared(folder: Path, one_family: registry.Family) -> None:
    shipped = Path(checker.__file__).parent / "digests" / "constant.json"
    report, text = run(levels=("python",))
    assert not report.ok
    assert "none are stored" in text
    report, text = run(levels=("python", AS_OPTION), update=True)
    assert report.ok, text
    assert (folder / "constant.json").read_bytes() == shipped.read_bytes()
    assert run(levels=("python", AS_OPTION))[0].ok
    checker.store_digests(one_family, "0", "0")
    for level in ("python", AS_OPTION):
        report, text = run(levels=(level,))
        assert not report.ok
        assert "version 2 is 0" in text


def test_digests_of_families_belong_to_the_whole_run(folder: Path, one_family: registry.Family) -> None:
    report, text = run(GAME, levels=(AS_OPTION,), update=True)
    assert report.ok, text
    assert "digests" not in text
    assert not folder.exists()


@pytest.mark.parametrize("row", [0, checker.FULL_ROWS - 1])
@pytest.mark.parametrize("stem", registry.families())
def test_a_digest_of_a_family_sees_one_wrong_action(
    monkeypatch: pytest.MonkeyPatch, stem: str, row: int
) -> None:
    family, wrong = registry.family(stem), len(checker.digest_policies(registry.family(stem))) - 1
    made: list[checker.Agent] = []

    class Broken(checker.Agent):
        def __call__(self, observation: Any) -> Any:
            action = super().__call__(observation)
            if len(made) == wrong + 1 and isinstance(action, np.ndarray) and len(action) == checker.FULL_ROWS:
                action[row] += 1
            return action

    def make(*arguments: Any) -> checker.Agent:
        made.append(Broken(*arguments))
        return made[-1]

    level = next(other for other in NATIVE if other.isa in family.isas[other.name])
    stored = checker.stored_digests(stem)[stem]
    assert checker.policy_digest(family, level, checker.FULL_ROWS) == stored["full"]
    monkeypatch.setattr(checker, "Agent", make)
    assert checker.policy_digest(family, level, checker.FULL_ROWS) != stored["full"]


@pytest.mark.usefixtures("broken")
def test_update_writes_nothing_while_a_check_fails(folder: Path) -> None:
    report, text = run(GAME, levels=(AS_OPTION,), update=True)
    assert not report.ok
    assert "no digests were written" in text
    assert not folder.exists()


def test_the_actions_of_a_digest_never_change() -> None:
    # The digests of every game hang on them.
    actions = checker.random_actions(Discrete(5), range(3), checker.DIGEST_KEY, 8)
    assert actions.T.tolist() == [
        [3, 4, 2, 0, 4, 3, 1, 3],
        [2, 1, 0, 0, 4, 2, 4, 3],
        [1, 1, 2, 4, 2, 3, 0, 3],
    ]
    box = checker.random_actions(Box((-2.0, -math.inf), (2.0, math.inf)), range(2), (5,), 3)
    assert (box.dtype, box.shape) == (np.float32, (3, 2, 2))
    assert np.abs(box).max() <= 10
    # Level python's stream gives the same numbers.
    ours = [PCG64.from_seed(seed, (5,)) for seed in range(2)]
    drawn = [[[rng.uniform(-2.0, 2.0), rng.uniform(-10.0, 10.0)] for rng in ours] for _ in range(3)]
    assert box.tobytes() == np.array(drawn, np.float32).tobytes()
    chosen = checker.random_actions(Discrete(3), [7], (), 100)
    ours = [PCG64.from_seed(7)]
    assert chosen.tolist() == [[rng.integers(3) for rng in ours] for _ in range(100)]


def test_a_scenario_draws_what_level_python_draws() -> None:
    ours, blocks = PCG64.from_seed(3, (1, 2)), checker._Blocks(3, 1, 2)
    for _ in range(300):
        assert blocks.integers(7) == ours.integers(7)
        assert blocks.uniform(-1.0, 3.0) == ours.uniform(-1.0, 3.0)


# ---- what it is asked for ----


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="did you mean 'CartPole-v1'"):
        run("CartPole-v2")
    with pytest.raises(ValueError, match="level is 'assembly'"):
        run(GAME, levels=("assembly",))
    with pytest.raises(ValueError, match="level is 'cpp:avx'; .*did you mean 'cpp:avx2'"):
        run(GAME, levels=("cpp:avx",))
    with pytest.raises(ValueError, match="seed is -1"):
        run(GAME, seed=-1)


@pytest.mark.parametrize("level", [level for level in cl.levels() if not level.available], ids=str)
def test_a_level_that_cannot_be_served_is_refused_if_named_and_told_if_not(level: cl.Level) -> None:
    with pytest.raises(cl.LevelUnavailable, match=level.reason):
        run(GAME, levels=(f"{level.name}:{level.isa}",))
    assert level in registry.choose_levels(())
    if any(other.available for other in registry.levels() if other.name == level.name):
        assert level not in registry.choose_levels((level.name,))
    else:
        with pytest.raises(cl.LevelUnavailable, match=level.reason):
            registry.choose_levels((level.name,))


def test_levels_without_isa_mean_every_isa() -> None:
    assert registry.choose_levels(("cpp",)) == [level for level in NATIVE if level.name == "cpp"]
    assert registry.choose_levels(("cpp:baseline", "python")) == [checker.PYTHON, cl.Level("cpp", "baseline")]
