# SPDX-License-Identifier: MIT
"""Every kernel of the binary that ships, between guard pages and through the ABI trampoline of ``tests/native``;
and kernels broken on purpose, each of which must be caught. ``pytest -s tests/test_native.py`` prints the report.

COMPUTE_LAYERS_CHECK names a library that is built already (cross-compiled, say).
"""

from __future__ import annotations

import math
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import compute_layers as cl
from compute_layers import _core, check, registry
from compute_layers.agents import heads
from compute_layers.batch import Batch
from compute_layers.registry import Family, Game, Learner, Planner
from compute_layers.spec import Box, Discrete
from compute_layers.table import Table
from conftest import RULES, Array
from native_check import Broken, Case, Checker, Part

SOURCES = Path(__file__).parent / "native"
BROKEN_SOURCE = (SOURCES / "broken.cpp").read_text(encoding="utf-8")
DOCS = SOURCES.parents[1] / "docs" / "checking.md"
REFERENCE = ("cpp", "baseline")
NATIVE = [level for level in cl.levels() if level.available and level.isa]
# Where the arrays lie, and the byte in outputs and scratch memory before the call. As a number the second is NaN.
RUNS = (("start", 0xA5), ("end", 0xFF))

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the guard pages and the trampoline are written for Linux"
)


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Checker:
    if built := os.environ.get("COMPUTE_LAYERS_CHECK"):
        return Checker(Path(built), _core)
    compiler = shlex.split(os.environ.get("CXX", "c++"))[0]
    for tool in ("cmake", "ninja", compiler):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    folder = tmp_path_factory.mktemp("native")
    for command in (["cmake", "-G", "Ninja", "-S", SOURCES, "-B", folder], ["cmake", "--build", folder]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return Checker(folder / "_check.so", _core)


# ---- games ----


def part(array: Any, dtypes: tuple[str, ...] = ()) -> Part:
    """An array, or the rows of one with these dtypes."""
    return Part(array.tobytes(), dtypes or (array.dtype.str,))


def game_parts(batch: Batch, actions: Array) -> dict[str, Part]:
    """The arrays of a Batch that stands where this one does."""
    spec, n, space = batch.game.spec, batch.num_envs, batch.setting.observation
    params = np.array(batch.params)
    seen = np.float32 if isinstance(space, Box) else np.int64
    return {
        "state": part(batch.state, tuple("<f8" if kind is float else "<i8" for kind in spec.state.values())),
        "stream": part(batch.stream, ("<u8",) * len(batch.stream)),
        "elapsed": part(batch.elapsed),
        "action": part(actions),
        "observation": part(np.zeros((n, space.size), seen)),
        "reward": part(np.zeros(n)),
        "terminated": part(np.zeros(n, np.uint8)),
        "truncated": part(np.zeros(n, np.uint8)),
        "params": part(params),
        "rows": part(np.repeat(params, 4)),
        "info": part(np.zeros((len(spec.info), n)), ("<f8",) * len(spec.info)),
        "cache": part(np.zeros((batch.game.cache, n)), ("<f8",) * batch.game.cache),
    }


def table_parts(table: Table | None) -> dict[str, Any]:
    """What a case says of the table of a tabular game."""
    if table is None:
        return {}
    arrays = table.arrays()
    outcomes = np.zeros(arrays["states"].shape, [("p", "<f8"), ("r", "<f8"), ("s", "<i8"), ("t", "<i8")])
    for field, name in zip("prst", ("probabilities", "rewards", "states", "terminated"), strict=True):
        outcomes[field] = arrays[name]
    outcomes["t"] = -outcomes["t"]
    thresholds = arrays["thresholds"]
    rest = [part(arrays[name]) for name in ("start_thresholds", "start_states")]
    return {
        "tensors": [Part(outcomes.tobytes()), part(thresholds), *rest],
        "inputs": thresholds.shape[2],
        "states": table.states,
        "outputs": table.actions,
        "starts": len(arrays["start_thresholds"]),
    }


def tables_like(table: Table | None) -> Iterator[Table]:
    """Tables of as many states and actions, of which the actions have up to as many outcomes as kernels differ by, and
    one more than that."""
    if table is None:
        return
    rng = np.random.default_rng(0)
    for most in (1, 2, 3, 5):
        counts = rng.integers(1, most, (table.states, table.actions), endpoint=True)
        counts[-1, -1] = most
        rows = [
            [
                [
                    (p, s, r, t)
                    for p, s, r, t in zip(
                        rng.dirichlet(np.ones(k)).tolist(),
                        rng.integers(0, table.states, k).tolist(),
                        rng.normal(size=k).tolist(),
                        (rng.random(k) < 0.3).tolist(),
                        strict=True,
                    )
                ]
                for k in row
            ]
            for row in counts.tolist()
        ]
        yield Table(rows, np.full(table.states, 1 / table.states))


@cache
def game_cases(game: Game) -> list[Case]:
    """Steps of lanes that play, that have just ended and that are anywhere; resets and observations of some."""
    draw = check.Draw(0, 9)
    numbers = check.GameScenarios(game, 0)._numbers()
    level, isa = REFERENCE
    cases: list[Case] = []
    table = table_parts(game.default.table)

    def played(n: int, limit: int | None) -> Batch:
        batch = Batch(game, n, level, isa, limit, AutoresetMode.NEXT_STEP, True, {})
        batch.start(np.arange(n), list(range(n)), batch.parse_options(None))
        for row in draw.actions(game.action, 7, n):
            batch.step(row)
        return batch

    def steps(
        what: str,
        batch: Batch,
        valid: int | None = None,
        plays: tuple[bool, ...] = (True, False),
        **other: Any,
    ) -> None:
        n = batch.num_envs
        parts = game_parts(batch, draw.actions(game.action, 1, n)[0])
        for in_play in plays:
            named = f"{game.id} step, {what}, {n} lanes, {'in play' if in_play else 'anywhere'}"
            case = Case(named, "step", game.stem, level, isa, arrays=parts, chosen=in_play)
            cases.append(
                replace(case, n=n, valid=n if valid is None else valid, limit=batch.limit, **(other or table))
            )

    for n, limit, valid in ((8, None, 8), (16, 7, 13), (264, 9, 260)):
        batch = played(n, limit)
        steps("as played", batch, valid)
        some = {
            "lanes": part(np.arange(n)[:: 1 + n // 20]),
            "options": part(np.array(batch.parse_options(None))),
        }
        for kind in ("reset", "observe"):
            what = f"{game.id} {kind}, some of {n} lanes"
            cases.append(replace(cases[-1], what=what, kind=kind, arrays={**cases[-1].arrays, **some}))
    batch = played(128, 500)
    for name, kind in game.spec.state.items():
        for lane in range(0, 128, 2):
            if kind is float:
                batch._views()[name][lane] = draw.choice(numbers)
            else:
                low, high = batch.setting.bounds[name]
                batch._views()[name][lane] = low + draw.below(high - low + 1)
    batch.elapsed[::7] = -1
    batch.elapsed[1::7] = 499
    steps("extreme states", batch, plays=(False,))
    for other in tables_like(game.default.table):
        steps(f"{len(other.rows[-1][-1].thresholds)} outcomes", played(16, 500), **table_parts(other))
    for name, value in batch.named_params().items():
        for other in game.spec.choices.get(name, (1.5 * value + 0.25,) if isinstance(value, float) else ()):
            batch = played(16, 500)
            batch.set_param(name, other)
            steps(f"{name}={other}", batch)
    return cases


# ---- policies ----


@cache
def spaces() -> tuple[Game, ...]:
    return tuple(check.spaces_of([registry.game(id) for id in registry.games()], True))


@cache
def policy_cases(family: Family) -> list[Case]:
    """Decisions over all spaces that the family serves, with every head and with choices and kinds of
    parameters in turn."""
    spec, n = family.spec, 24
    choices = list(product(*(range(len(names)) for names in spec.choices.values())))
    turns = list(product(choices, ("ordinary", "tied")))
    cases = []
    served = [pair for pair in spaces() if check._serves(family, pair)]
    pairs = [(game, head) for game in served for head in heads(family, game.action)]
    for number, (game, head) in enumerate(pairs):
        observation, action = game.observation, game.action
        for chosen, kind in turns if game.id in registry.games() else [turns[number % len(turns)]]:
            draw = check.Draw(0, 10, number)
            tensors = check.tensors_of(family, head, game, draw, kind)
            seen = check.observations_of(observation, draw, n)
            streams = _core.seed_streams(np.arange(n, dtype=np.uint64), np.zeros(n, np.uint64), 1)
            discrete = isinstance(action, Discrete)
            arrays = {
                "observation": part(seen),
                "action": part(np.zeros(n, np.int64) if discrete else np.zeros((n, action.size), np.float32)),
                "packed": Part(),
                "low": part(np.array(() if discrete else action.low, np.float32)),
                "high": part(np.array(() if discrete else action.high, np.float32)),
                "choices": part(np.array(chosen, np.int64)),
                "stream": part(streams, ("<u8",) * len(streams)) if spec.draws else Part(),
                "scratch": Part(),
            }
            names = ", ".join([game.id, head, *(str(code) for code in chosen), kind])
            case = Case(
                f"{family.stem} act, {names}", "act", family.stem, *REFERENCE, head=head, arrays=arrays
            )
            case.tensors = [
                Part(
                    tensor.tobytes(),
                    (tensor.dtype.str,),
                    *(tensor.shape[:1] or (1,)),
                    math.prod(tensor.shape[1:]),
                )
                for tensor in tensors.values()
            ]
            outputs = action.n if discrete else action.size
            states = 0 if isinstance(observation, Box) else observation.n
            case = replace(case, inputs=observation.size, states=states, outputs=outputs)
            cases.append(replace(case, n=n, valid=n - 3))
    return cases


def first_row(case: Case) -> Case:
    """The same with its first row alone, for a kernel that takes single rows."""
    arrays = dict(case.arrays)
    for name in ("observation", "action"):
        whole = arrays[name]
        arrays[name] = replace(whole, data=whole.data[: len(whole.data) // case.n])
    return replace(case, what=f"{case.what}, a single row", n=1, valid=1, chosen=True, arrays=arrays)


# ---- planners ----

OUTCOME = [
    ("probability", "<f8", 8),
    ("reward", "<f8", 8),
    ("next", "<u4", 8),
]  # a group's, as planner.hpp has it


@cache
def planner_cases(planner: Planner) -> list[Case]:
    """Sweeps over tables made up, rows of one length and of several, padded and not."""
    cases, rng = [], np.random.default_rng(0)
    for groups, actions, most in product((1, 2, 7), (1, 2, 6), (1, 3, 5)):
        lanes = 8 * groups
        counts = rng.integers(1, most, (groups, actions), endpoint=True)
        outcomes = np.zeros(counts.sum(), OUTCOME)
        outcomes["probability"] = rng.choice([0.0, 0.25, 0.5, 1.0], (len(outcomes), 8))
        outcomes["reward"] = rng.choice([0.0, -1.0, 5e-324, 1e300, *rng.normal(size=4)], (len(outcomes), 8))
        outcomes["next"] = rng.integers(0, lanes, (len(outcomes), 8), endpoint=True)
        arrays = {
            "counts": part(counts),
            "outcomes": Part(outcomes.tobytes()),
            "values": part(np.append(rng.normal(size=lanes), 0.0)),
            "next_values": part(np.zeros(lanes)),
            "best": part(np.zeros(lanes, np.int64)),
            "change": part(np.zeros(1)),
            "discount": part(np.array([0.9])),
        }
        what = f"{planner.stem} sweep, {groups} groups, {actions} actions, up to {most} outcomes"
        cases.append(Case(what, "sweep", planner.stem, *REFERENCE, n=groups, outputs=actions, arrays=arrays))
    return cases


# ---- learners ----


@cache
def learner_cases(learner: Learner) -> list[Case]:
    """Steps over tables made up, some of ties and some of numbers that are hardly any."""
    cases, rng = [], np.random.default_rng(0)
    odd = [0.0, -0.0, 5e-324, -1e-310, 1e300, -1e300, math.inf, -math.inf, math.nan]
    for n, actions, kind in product((8, 16, 64), range(1, 9), ("few", "many", "odd")):
        states = 3 if kind == "few" else 40
        end = states * 8
        values = rng.normal(size=end + n) if kind == "many" else rng.choice([0.0, -1.0, 0.5], end + n)
        if kind == "odd":
            values = rng.choice(odd, end + n)
        values[:end].reshape(-1, 8)[:, actions:] = -math.inf
        elapsed = rng.integers(-1, 4, n)
        cells = rng.integers(0, states, n) * 8 + rng.integers(0, actions, n)
        uniform = rng.random(n)
        uniform[:2] = 0.0, 1.0 - 2.0**-53
        arrays = {
            "values": part(values),
            "cells": part(np.where(elapsed == 0, end + np.arange(n), cells)),
            "next_cells": part(np.zeros(n, np.int64)),
            "seen": part(rng.integers(0, states, n)),
            "reward": part(rng.choice([*odd[:6], 1.0, -1.0], n) if kind == "odd" else rng.normal(size=n)),
            "elapsed": part(elapsed),
            "terminated": part(((elapsed < 0) & (rng.random(n) < 0.5)).astype(np.uint8)),
            "uniform": part(uniform),
            "action": part(np.zeros(n, np.int64)),
            "target": part(np.zeros(n)),
            "rates": part(np.array([0.3, 0.9, rng.choice([0.0, 0.4, 1.0])])),
        }
        what = f"{learner.stem} step, {n} lanes, {states} states, {actions} actions, {kind} values"
        valid = n - int(rng.integers(0, 8))
        cases.append(
            Case(
                what,
                "learn",
                learner.stem,
                *REFERENCE,
                n=n,
                valid=valid,
                states=states,
                outputs=actions,
                arrays=arrays,
            )
        )
    return cases


def cases_of(subject: Game | Family | Planner | Learner) -> list[Case]:
    if isinstance(subject, Game):
        return game_cases(subject)
    if isinstance(subject, Learner):
        return learner_cases(subject)
    return planner_cases(subject) if isinstance(subject, Planner) else policy_cases(subject)


# ---- judging ----


def differences(case: Case, expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """A finding for each array whose bytes are not those expected, NaNs made alike."""
    findings = []
    for name, array in case.arrays.items():
        if name in ("packed", "scratch") or name not in found:
            continue
        size = len(found[name]) // len(array.dtypes)
        for field, dtype in enumerate(array.dtypes):
            a, b = (
                check.canonical(np.frombuffer(whole[name][field * size : (field + 1) * size], dtype))
                for whole in (expected, found)
            )
            unequal = np.flatnonzero(check.bits(a) != check.bits(b))
            if len(unequal):
                at = unequal[0]
                where = f"{name}[{field}]" if len(array.dtypes) > 1 else name
                findings.append(
                    f"bytes: {len(unequal)} of {len(a)} entries of {where}, first {at}: is "
                    f"{check.shown(b[at])}, should be {check.shown(a[at])}"
                )
    return findings


def judge(checker: Checker, case: Case, expected: dict[str, bytes]) -> list[str]:
    """What is wrong with the kernel of a case, wherever its arrays lie."""
    findings = []
    for placement, filling in RUNS:
        found, written = checker.run(case, placement, filling)
        found += differences(case, expected, written)
        findings += [f"{finding} ({case.what}, arrays at the {placement})" for finding in found]
    return findings


def packed(checker: Checker, case: Case) -> tuple[Case, list[str]]:
    """The case with the memory that its level plans, and what is found when its tensors are packed. What they
    become, which may point into itself, is judged by what ``act`` makes of it."""
    bytes_packed, bytes_scratch = checker.plan(case)
    arrays = {**case.arrays, "packed": Part(bytes(bytes_packed)), "scratch": Part(bytes(bytes_scratch))}
    case = replace(case, arrays=arrays)
    packing = replace(case, what=f"{case.what}, packing", kind="pack")
    if not checker.has(packing):
        return case, []
    return case, judge(checker, packing, {name: part.data for name, part in packing.arrays.items()})


def reference(checker: Checker, case: Case) -> dict[str, bytes]:
    """What level cpp for any CPU of the architecture writes."""
    case = replace(case, level=REFERENCE[0], isa=REFERENCE[1], broken=None)
    if case.kind == "act":
        case = packed(checker, case)[0]
    findings, written = checker.run(case, "start", 0x5A)
    assert findings == [], case.what
    return written


def examine(checker: Checker, cases: list[Case], level: cl.Level) -> tuple[Counter[str], list[str]]:
    """How many kernels of each kind were called, and all findings."""
    calls: Counter[str] = Counter()
    findings = []
    assert level.isa is not None
    for case in cases:
        expected = reference(checker, case)
        case = replace(case, level=level.name, isa=level.isa)
        if case.kind == "act":
            case, found = packed(checker, case)
            findings += found
            calls["pack"] += bool(case.arrays["packed"].data)
            single = first_row(case)
            if checker.has(single):
                calls["single row"] += 1
                row = {"action": expected["action"][: len(single.arrays["action"].data)]}
                findings += judge(checker, single, {**{n: p.data for n, p in single.arrays.items()}, **row})
        calls[case.kind] += 1
        findings += judge(checker, case, expected)
    return calls, findings


def everything() -> dict[str, Game | Family | Planner | Learner]:
    """All rules by a game's id, the others by stem."""
    games = {id: registry.game(id) for id in RULES}
    return games | registry.families() | registry.planners() | registry.learners()


def subjects() -> list[Any]:
    """All of them with each level that has kernels of it here."""
    names = everything()
    return [
        pytest.param(name, level, id=f"{name}-{level}")
        for name, subject in names.items()
        for level in NATIVE
        if level.isa in subject.isas[level.name]
    ]


@pytest.mark.parametrize(("subject", "level"), subjects())
def test_a_kernel_stays_within_its_arrays_and_keeps_the_abi(
    checker: Checker, subject: str, level: cl.Level
) -> None:
    cases = cases_of(everything()[subject])
    calls, findings = examine(checker, cases, level)
    counted = ", ".join(f"{kind} {count}" for kind, count in calls.items() if count)
    print(f"{subject:<16} {level!s:<14} {counted}: {len(findings)} findings")
    assert not findings, "\n".join(findings[:20])
    kinds = ("step", "act", "sweep", "learn")
    assert sum(calls[kind] for kind in kinds) == sum(case.kind in kinds for case in cases) > 0


# ---- the checker itself ----


def place_of(broken: Broken) -> list[Case]:
    """Where a broken kernel is tried: instead of the widest kernel of the first game, of ``linear``, ``backup`` or
    ``q_learning``."""
    subject: Game | Family | Planner | Learner
    if broken.place == "step":
        subject = registry.game(registry.games()[0])
        cases = [case for case in game_cases(subject) if case.kind == "step"]
    elif broken.place == "sweep":
        subject = registry.planner("backup")
        cases = planner_cases(subject)
    elif broken.place == "learn":
        subject = registry.learner("q_learning")
        cases = learner_cases(subject)
    else:
        subject = registry.family("linear")
        # Longer rows are summed in another order altogether.
        cases = [case for case in policy_cases(subject) if case.inputs < 32]
    level = [level for level in NATIVE if level.isa in subject.isas[level.name]][-1]
    assert level.isa is not None
    return [replace(case, level=level.name, isa=level.isa, broken=broken.number) for case in cases]


def caught(checker: Checker, broken: Broken) -> list[str]:
    findings = []
    for case in place_of(broken):
        expected = reference(checker, case)
        if case.kind == "act":
            case = packed(checker, case)[0]
        if broken.place == "single row":
            case = replace(first_row(case), chosen=False)
            expected["action"] = expected["action"][: len(case.arrays["action"].data)]
        findings += judge(checker, case, expected)
    return findings


# By name and catcher, for every architecture.
BROKEN = dict(
    re.findall(
        r'^ +(?:STEP|ACT|ACT_ON_ONE|SWEEP|LEARN)\(\s*"([^"]+)",\s*"([^"]+)"', BROKEN_SOURCE, re.MULTILINE
    )
)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_is_caught(checker: Checker, name: str) -> None:
    found = [broken for broken in checker.broken() if broken.name == name]
    if not found:
        pytest.skip("of another architecture")
    findings = caught(checker, found[0])
    by = Counter(finding.split(":")[0] for finding in findings)
    example = next((finding for finding in findings if finding.startswith(f"{BROKEN[name]}:")), "")
    print(f"{name:<50} {', '.join(by) or 'NOT CAUGHT'}\n    {example}")
    assert example, findings[:5]


def test_the_documentation_lists_the_broken_kernels() -> None:
    if not DOCS.exists():
        pytest.skip("the sdist comes without docs")
    rows = re.findall(r"^\| ([^|]+) \| ([^|`]+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [row for row in rows if row[1] != "caught as"] == list(BROKEN.items())


def test_every_broken_kernel_is_tried(checker: Checker) -> None:
    built = {broken.name: broken.catcher for broken in checker.broken()}
    assert built.items() <= BROKEN.items()
    assert len(built) > 10


# ---- valgrind: every array an allocation of its exact size, and every output undefined until it is written ----

SAMPLE = 9  # every so many cases are replayed: valgrind is slow
BROKEN_MEMORY = {  # and what memcheck says of it
    "a read beyond the end": "Invalid read",
    "the loop goes round once too often": "Invalid write",
    "a tensor is read beyond its end": "Invalid read",
    "the last lanes are missing": "was not written as a whole",
}


@pytest.fixture(scope="module")
def memcheck(checker: Checker, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], str]:
    """The lines of a replay under valgrind, of sound and then of broken kernels, and valgrind's own report."""
    if shutil.which("valgrind") is None:
        pytest.skip("there is no valgrind")
    if not checker.knows_valgrind:
        pytest.skip("the headers of valgrind were not there when tests/native was built")
    cases = []
    for subject, level in product(everything().values(), NATIVE):
        if level.isa is None or level.isa not in subject.isas[level.name]:
            continue
        for case in cases_of(subject)[::SAMPLE]:
            case = replace(case, level=level.name, isa=level.isa)
            if case.kind == "act":
                case = packed(checker, case)[0]
                more = replace(case, kind="pack", what=f"{case.what}, packing"), first_row(case)
                cases += [other for other in more if checker.has(other)]
            cases.append(case)
    for broken in checker.broken():
        if broken.name in BROKEN_MEMORY:
            case = place_of(broken)[0]
            case = packed(checker, case)[0] if case.kind == "act" else case
            cases.append(replace(case, what=broken.name))
    folder = tmp_path_factory.mktemp("memcheck")
    (folder / "cases").write_bytes(pickle.dumps(cases))
    command = ["valgrind", "--redzone-size=512", "--error-limit=no", f"--log-file={folder / 'log'}"]
    program = [
        sys.executable,
        "-S",
        Path(__file__).with_name("native_check.py"),
        checker.library,
        _core.__file__,
    ]
    done = subprocess.run([*command, *program, folder / "cases"], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    return done.stdout.splitlines(), (folder / "log").read_text(encoding="utf-8")


@pytest.mark.memcheck
def test_valgrind_has_nothing_to_say_of_our_kernels(memcheck: tuple[list[str], str]) -> None:
    lines, log = memcheck
    *findings, summary = lines
    print(summary)
    assert [line for line in findings if line.split(":")[0] not in BROKEN_MEMORY] == [], log
    assert summary.endswith(f"{len(BROKEN_MEMORY)} with findings")


@pytest.mark.memcheck
@pytest.mark.parametrize("name", BROKEN_MEMORY)
def test_valgrind_sees_into_kernels(memcheck: tuple[list[str], str], name: str) -> None:
    """The loop that goes round once too often is that of the widest kernel: inline assembly, where there is some."""
    lines, log = memcheck
    assert any(line.startswith(f"{name}: memcheck:") for line in lines), lines
    assert BROKEN_MEMORY[name] in log + "\n".join(lines)
