# SPDX-License-Identifier: MIT
"""Level cpp is really vectorised, and nothing compiled for AVX2 can be picked for an older CPU."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from pathlib import Path

import check_kernels
import pytest

from compute_layers import _core, registry

ROOT = Path(__file__).parents[1]
COMPILERS = list(dict.fromkeys([*filter(None, [os.environ.get("CXX")]), "g++", "clang++", "clang++-16"]))

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="AVX2 is of x86-64"
)
needs_nm = pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm")


@pytest.fixture(params=COMPILERS)
def compiler(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if shutil.which(shlex.split(name)[0]) is None:
        pytest.skip(f"there is no compiler {name}")
    return name


@needs_nm
@pytest.mark.parametrize(
    "source", check_kernels.sources(), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_loops_are_vectorised_and_symbols_stay_in_their_namespace(source: Path, compiler: str) -> None:
    assert check_kernels.check(source, compiler) == []


def test_every_kernel_says_which_of_its_loops_are_vectorised() -> None:
    marked = {
        path.stem
        for path in check_kernels.sources()
        if any(check_kernels.MARKED.search(part.read_text()) for part in check_kernels.with_headers(path))
    }
    # `random` walks a stream of its own in every lane, `table` loads from wherever a state leads, and `backup` and the
    # learners, which do too, have their vectors written out.
    written_out = {"backup", *registry.learners()}
    assert {path.stem for path in check_kernels.sources()} - marked <= {"random", "table", *written_out}


@pytest.mark.parametrize("isa", check_kernels.WIDE)
def test_the_flags_are_those_of_the_build(isa: str) -> None:
    flags = check_kernels.build_flags(isa)
    assert set(_core.flags.split()) < set(flags)
    assert "-mavx2" in flags
    assert ("-mavx512f" in flags) == (isa == "avx512")


@needs_nm
def test_a_scalar_loop_and_a_weak_symbol_are_found(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "kernel.cpp"
    source.write_text(
        "#include <cstdint>\n"
        "namespace compute_layers {\n"
        "template <typename T> __attribute__((noinline)) T shared(T x) { return x * x; }\n"
        "namespace ISA {\n"
        "template <typename T> __attribute__((noinline)) T own(T x) { return x + x; }\n"
        "double chain(const double* x, int64_t n) {\n"
        "    double sum = 0;\n"
        "    for (int64_t i = 0; i < n; ++i) {  // vectorised\n"
        "        sum = sum * x[i] + 1.0;\n"
        "    }\n"
        "    return shared(own(sum));\n"
        "}\n"
        "void twice(double* __restrict x, int64_t n) {\n"
        "    for (int64_t i = 0; i < n; ++i) x[i] *= 2.0;  // vectorised\n"
        "    x[0] = 1.0;  // vectorised\n"
        "}\n"
        "}  // namespace ISA\n"
        "}  // namespace compute_layers\n"
    )
    found = check_kernels.check(source, compiler)
    assert len(found) == 3
    assert found[0].startswith("kernel.cpp:8: not vectorised")
    assert found[1] == "kernel.cpp:15: the comment `// vectorised` stands on no loop"
    assert found[2].startswith("kernel.cpp: weak symbol double compute_layers::shared<double>")


@needs_nm
@pytest.mark.skipif(sys.platform != "linux", reason="nm -D reads ELF")
def test_the_shipped_extension_has_no_weak_symbol_for_a_wide_isa() -> None:
    weak = [
        symbol
        for options in (["-D"], [])
        for symbol in check_kernels.weak_symbols(Path(_core.__file__), *options).values()
        if any(f"::{isa}::" in symbol for isa in check_kernels.WIDE)
    ]
    assert weak == []


def test_another_machine_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert check_kernels.main([]) == 0
    assert capsys.readouterr().out.startswith("skipped: ")


def test_the_command_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    compiler = next((name for name in COMPILERS if shutil.which(shlex.split(name)[0])), None)
    if compiler is None or shutil.which("nm") is None:
        pytest.skip("there is no compiler, or no nm")
    monkeypatch.setenv("CXX", compiler)
    assert check_kernels.main([str(ROOT / "cpp" / "policies" / "random.cpp")]) == 0
    assert "1 files, 0 marked loops, 0 problems" in capsys.readouterr().out
