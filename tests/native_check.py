# SPDX-License-Identifier: MIT
"""Calls the kernels of ``_core`` by their addresses, through ``tests/native``: with guard pages around every
array, inputs that cannot be written, and a trampoline that sees what a call leaves behind.

    python -S tests/native_check.py LIBRARY CORE CASES

replays pickled cases with every array an allocation of its own and prints what was found: the program that
valgrind runs. It needs neither NumPy nor the package.
"""

from __future__ import annotations

import ctypes
import importlib.util
import pickle
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any

KINDS = ("step", "reset", "observe", "act", "pack", "sweep", "learn")
PLACEMENTS = ("start", "end", "heap")
PLACES = ("step", "act", "single row", "sweep", "learn")
HEADS = ("argmax", "threshold", "box", "vote")
CAPSULE = b"compute_layers._core.kernels"
REPORT = 1 << 14


class _Array(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p)] + [
        (name, ctypes.c_int64) for name in ("bytes", "pieces", "rows", "columns")
    ]


class _Call(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_int64),
        ("entry", ctypes.c_void_p),
        ("pack", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("chosen", "broken", "placement", "filling")),
        *(
            (name, ctypes.c_int64)
            for name in ("n", "valid", "limit", "inputs", "states", "outputs", "head", "starts")
        ),
        ("arrays", ctypes.POINTER(_Array)),
        ("count", ctypes.c_int64),
    ]


@dataclass
class Part:
    """The contents of an array: of its fields one after the other, where it is a struct of arrays; else there
    is one. ``dtypes`` has NumPy's names for what each holds; a tensor's ``rows`` and ``columns`` are those of
    batch.hpp."""

    data: bytes = b""
    dtypes: tuple[str, ...] = ("u1",)
    rows: int = 0
    columns: int = 0


@dataclass
class Case:
    """A call of a kernel.

    Attributes:
        what: for people.
        kind: one of KINDS.
        stem, level, isa: whose kernel.
        chosen: what its ``select`` is told besides the parameters: ``in_play`` of a step, ``single`` of an act.
        n, valid, limit, inputs, states, outputs, head: as in Batch and PolicyBatch; of a sweep, ``n`` are its groups, and
            ``outputs`` the actions, as of a learner.
        arrays: by the names of Batch, PolicyBatch, Sweep and TdStep, of which ``discount`` and ``rates`` (alpha, gamma,
            epsilon) are arrays here; those that a kernel writes are as long as they will be.
        tensors: of a policy, or the arrays of a tabular game's table, of which ``inputs``, ``states``, ``outputs`` and
            ``starts`` are outcomes, states, actions and first states.
        broken: which of the broken kernels takes the kernel's place; None for none.
    """

    what: str
    kind: str
    stem: str
    level: str
    isa: str
    n: int = 0
    valid: int = 0
    limit: int = 0
    inputs: int = 0
    states: int = 0
    outputs: int = 0
    head: str = "argmax"
    starts: int = 0
    chosen: bool = False
    arrays: dict[str, Part] = field(default_factory=dict)
    tensors: list[Part] = field(default_factory=list)
    broken: int | None = None


@dataclass(frozen=True)
class Broken:
    """A kernel with one fault: what a finding about it begins with, and whose place it takes."""

    number: int
    name: str
    catcher: str
    place: str


class Checker:
    """The library of ``tests/native``, for the kernels of this ``_core``.

    Raises:
        RuntimeError: the two were built from different sources.
    """

    def __init__(self, library: Path, core: Any) -> None:
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        self.library = library
        self._kernels = ctypes.c_void_p(pointer(core.kernels, CAPSULE))
        self._isas = list(core.isas)
        self._c = ctypes.CDLL(str(library))
        for name in ("check_fits", "check_run", "check_has_single", "check_broken", "check_knows_valgrind"):
            getattr(self._c, name).restype = ctypes.c_int64
        self._c.check_names.restype = ctypes.c_char_p
        self._c.check_entry.restype = ctypes.c_void_p
        if not self._c.check_fits(self._kernels):
            raise RuntimeError(f"{library} was built from other sources than _core")
        self.knows_valgrind = bool(self._c.check_knows_valgrind())

    def broken(self) -> Iterator[Broken]:
        name, catcher, place = ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_int64()
        number = 0
        while self._c.check_broken(ctypes.c_int64(number), *map(ctypes.byref, (name, catcher, place))):
            assert name.value is not None
            assert catcher.value is not None
            yield Broken(number, name.value.decode(), catcher.value.decode(), PLACES[place.value])
            number += 1

    def has(self, case: Case) -> bool:
        """Whether there is such a kernel: a level may lack it, a family may need no packing."""
        return self._entry(case) is not None and (
            not (case.kind == "act" and case.chosen) or bool(self._c.check_has_single(self._call(case)[0]))
        )

    def plan(self, case: Case) -> tuple[int, int]:
        """Bytes of ``packed`` and ``scratch`` of a policy."""
        packed, scratch = ctypes.c_int64(), ctypes.c_int64()
        isa = ctypes.c_int64(self._isas.index(case.isa))
        call, _ = self._call(case)
        stem = case.stem.encode()
        self._c.check_plan(self._kernels, stem, isa, call, ctypes.byref(packed), ctypes.byref(scratch))
        return packed.value, scratch.value

    def run(self, case: Case, placement: str, filling: int) -> tuple[list[str], dict[str, bytes]]:
        """Make the call.

        Args:
            placement: ``start`` or ``end``, where arrays meet their guard pages, or ``heap``.
            filling: the byte that outputs and scratch memory hold before.

        Returns:
            What was found, and what the arrays that the kernel may write hold afterwards (others: as before).
        """
        call, buffers = self._call(case)
        call._obj.placement = PLACEMENTS.index(placement)
        call._obj.filling = filling
        report = ctypes.create_string_buffer(REPORT)
        self._c.check_run(call, report, ctypes.c_int64(REPORT))
        return report.value.decode().splitlines(), {name: bytes(held[:-1]) for name, held in buffers.items()}

    def _entry(self, case: Case) -> int | None:
        entry: int | None = self._c.check_entry(
            self._kernels,
            ctypes.c_int64(KINDS.index(case.kind)),
            case.stem.encode(),
            ctypes.c_int64(case.level == "asm"),
            ctypes.c_int64(self._isas.index(case.isa)),
        )
        return entry

    def _call(self, case: Case) -> tuple[Any, dict[str, bytearray]]:
        names = self._c.check_names(ctypes.c_int64(KINDS.index(case.kind))).decode().split()
        if set(names) - set(case.arrays):
            raise ValueError(f"{case.what}: no contents for {sorted(set(names) - set(case.arrays))}")
        parts = {name: case.arrays[name] for name in names}
        parts |= {f"tensor {number}": tensor for number, tensor in enumerate(case.tensors)}
        # One byte more, for an array of none has an address too.
        buffers = {name: bytearray(part.data) + b"\0" for name, part in parts.items()}
        arrays = (_Array * len(parts))()
        for array, (name, part) in zip(arrays, parts.items(), strict=True):
            array.data = ctypes.addressof(ctypes.c_char.from_buffer(buffers[name]))
            pieces = len(part.dtypes)
            array.bytes, array.pieces = len(part.data) // pieces, pieces
            array.rows, array.columns = part.rows, part.columns
        call = _Call(
            KINDS.index(case.kind),
            self._entry(case),
            self._entry(replace(case, kind="pack")) if case.kind == "act" else None,
            case.chosen,
            -1 if case.broken is None else case.broken,
            0,
            0,
            case.n,
            case.valid,
            case.limit,
            case.inputs,
            case.states,
            case.outputs,
            HEADS.index(case.head),
            case.starts,
            arrays,
            len(parts),
        )
        return ctypes.byref(call), buffers


def main(library: str, core: str, cases: str) -> int:
    """Replay the cases that this machine can serve; 1 if anything was found."""
    loader = ExtensionFileLoader("_core", core)
    spec = importlib.util.spec_from_loader("_core", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    checker = Checker(Path(library), module)
    found, calls = 0, 0
    for case in pickle.loads(Path(cases).read_bytes()):
        if module.missing(case.isa):
            continue
        findings, _ = checker.run(case, "heap", 0)
        calls += 1
        found += bool(findings)
        for finding in findings:
            print(f"{case.what}: {finding}", flush=True)
    print(f"{calls} calls, {found} with findings")
    return int(found > 0)


if __name__ == "__main__":
    sys.modules["native_check"] = sys.modules["__main__"]  # where the cases were pickled
    sys.exit(main(*sys.argv[1:]))
