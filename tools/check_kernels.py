# SPDX-License-Identifier: MIT
"""Compiles level cpp for AVX2 and checks two things that no test of results can see.

    python tools/check_kernels.py [FILE …]

* Every loop whose `for` carries the comment `// vectorised` was vectorised, by the compiler's own report: C++
  that silently is not flatters the assembly fourfold.
* No weak symbol lies outside of the namespace of the isa: the linker keeps one of several equal ones, and if
  that is the one compiled for AVX2, an older CPU dies of it.

Compiler: $CXX or c++, which must be GCC or Clang for x86-64; nm beside it. On another machine nothing is
checked and the exit status is 0.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
FOLDERS = ("games", "policies")
ISA = "avx2"
REPORTS = {"gcc": ["-fopt-info-vec"], "clang": ["-Rpass=loop-vectorize"]}
REMARK = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):\d+: (?:optimized: +loop vectorized|remark: vectorized loop)", re.M
)
MARKED = re.compile(r"//\s*vectorised\b")
LOOP = re.compile(r"\b(?:for|EACH)\b")
DEFINED_WEAK = re.compile(r"^[0-9a-fA-F]+ [WVu] (.+)$", re.M)


def build_flags() -> list[str]:
    """The flags that CMakeLists.txt gives to level cpp for AVX2.

    Raises:
        ValueError: they are not where this function looks for them.
    """
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    found: list[str] = []
    for name in ("flags", f"{ISA}_flags"):
        match = re.search(rf"^set\({name} (-[^)]+)\)$", text, re.M)
        if match is None:
            raise ValueError(f"CMakeLists.txt has no line set({name} -…)")
        found += match[1].split()
    return found


def kind_of(compiler: str) -> str:
    """``gcc`` or ``clang``.

    Raises:
        ValueError: it is neither.
    """
    command = [*shlex.split(compiler), "--version"]
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.lower()
    if "clang" in version:
        return "clang"
    if "gcc" in version or "g++" in version or "free software foundation" in version:
        return "gcc"
    raise ValueError(f"{compiler} is neither GCC nor Clang: {version.splitlines()[0]}")


def compile_kernel(source: Path, target: Path, compiler: str) -> str:
    """Compile a file as the build does for AVX2; returns the compiler's report on vectorisation.

    Raises:
        RuntimeError: it does not compile.
    """
    command = [*shlex.split(compiler), "-std=c++20", *build_flags(), f"-DISA={ISA}", "-fPIC"]
    command += ["-fvisibility=hidden", *REPORTS[kind_of(compiler)], "-I", str(ROOT / "cpp")]
    command += ["-c", str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stderr}")
    return done.stderr


def with_headers(source: Path) -> list[Path]:
    """The file, and the headers beside it that it includes."""
    names = re.findall(r'^#include "([^"/]+)"$', source.read_text(encoding="utf-8"), re.M)
    return [source, *(source.parent / name for name in names)]


def not_vectorised(source: Path, report: str) -> list[str]:
    """The marked loops of a file that the report does not name; one remark is enough for all instantiations
    of a template."""
    done = {int(m["line"]) for m in REMARK.finditer(report) if Path(m["file"]).name == source.name}
    found = []
    for number, line in enumerate(source.read_text(encoding="utf-8").split("\n"), start=1):
        if not MARKED.search(line):
            continue
        if not LOOP.search(line):
            found.append(f"{source.name}:{number}: the comment `// vectorised` stands on no loop")
        elif number not in done:
            found.append(f"{source.name}:{number}: not vectorised: {line.strip()}")
    return found


def weak_symbols(binary: Path, *options: str) -> dict[str, str]:
    """The weak symbols that a binary defines, as the linker knows them and as people do."""

    def listed(*more: str) -> list[str]:
        command = ["nm", "-p", *options, *more, str(binary)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return DEFINED_WEAK.findall(done.stdout)

    return dict(zip(listed(), listed("-C"), strict=True))


def strangers(symbols: dict[str, str]) -> list[str]:
    """The symbols that do not belong to the namespace of the isa, as people know them."""
    own = re.compile(rf"_Z(?:GV|T[VIST])?Z?N[rVK]*14compute_layers{len(ISA)}{ISA}")
    return [readable for symbol, readable in symbols.items() if not own.match(symbol)]


def check(source: Path, compiler: str) -> list[str]:
    """What is wrong with one file."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "kernel.o"
        report = compile_kernel(source, target, compiler)
        found = [problem for part in with_headers(source) for problem in not_vectorised(part, report)]
        if shutil.which("nm") is None:
            raise RuntimeError("there is no nm")
        found += [f"{source.name}: weak symbol {symbol}" for symbol in strangers(weak_symbols(target))]
    return found


def sources() -> list[Path]:
    """The files of level cpp."""
    return sorted(path for folder in FOLDERS for path in (ROOT / "cpp" / folder).glob("*.cpp"))


def main(arguments: list[str] | None = None) -> int:
    """Prints what is wrong; 1 if anything is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="*", type=Path, help="default: cpp/games and cpp/policies")
    files = parser.parse_args(arguments).file or sources()
    if platform.machine().lower() not in ("x86_64", "amd64"):
        print(f"skipped: AVX2 is of x86-64, this machine is {platform.machine()}")
        return 0
    compiler = os.environ.get("CXX", "c++")
    found = [problem for path in files for problem in check(path, compiler)]
    parts = {part for path in files for part in with_headers(path)}
    loops = sum(len(MARKED.findall(path.read_text(encoding="utf-8"))) for path in parts)
    print(*found, f"{compiler}: {len(files)} files, {loops} marked loops, {len(found)} problems", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
