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
FOLDERS = ("games", "policies", "planners", "learners")
WIDE = ("avx2", "avx512")  # isas whose code an older CPU must never meet
REPORTS = {"gcc": ["-fopt-info-vec"], "clang": ["-Rpass=loop-vectorize"]}
REMARK = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):\d+: (?:optimized: +loop vectorized|remark: vectorized loop)", re.M
)
MARKED = re.compile(r"//\s*vectorised\b")
LOOP = re.compile(r"\b(?:for|EACH\w*)\b")
DEFINED_WEAK = re.compile(r"^[0-9a-fA-F]+ [WVu] (.+)$", re.M)


def isas_of(source: Path) -> list[str]:
    """The wide isas that a file of level cpp is compiled for."""
    entries = (ROOT / "cpp" / "registry.def").read_text(encoding="utf-8")
    both = re.search(
        rf'^(?:GAME\(\w+, |POLICY\(|PLANNER\(|LEARNER\(){source.stem},(?: "[^"]*",)? 2,', entries, re.M
    )
    return list(WIDE if both else WIDE[:1])


def build_flags(isa: str) -> list[str]:
    """The flags that CMakeLists.txt gives to level cpp for an isa.

    Raises:
        ValueError: they are not where this function looks for them.
    """
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")

    def flags(name: str) -> list[str]:
        match = re.search(rf"^set\({name} ([-$][^)]+)\)$", text, re.M)
        if match is None:
            raise ValueError(f"CMakeLists.txt has no line set({name} -…)")
        words = match[1].split()
        return [flag for word in words for flag in (flags(word[2:-1]) if word.startswith("${") else [word])]

    return [*flags("flags"), *flags(f"{isa}_flags")]


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


def compile_kernel(source: Path, target: Path, compiler: str, isa: str) -> str:
    """Compile a file as the build does for an isa; returns the compiler's report on vectorisation.

    Raises:
        RuntimeError: it does not compile.
    """
    command = [*shlex.split(compiler), "-std=c++20", *build_flags(isa), f"-DISA={isa}", "-fPIC"]
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


def strangers(symbols: dict[str, str], isa: str) -> list[str]:
    """The symbols that do not belong to the namespace of the isa, as people know them."""
    own = re.compile(rf"_Z(?:GV|T[VIST])?Z?N[rVK]*14compute_layers{len(isa)}{isa}")
    return [readable for symbol, readable in symbols.items() if not own.match(symbol)]


def check(source: Path, compiler: str) -> list[str]:
    """What is wrong with one file."""
    found = []
    with TemporaryDirectory() as folder:
        target = Path(folder) / "kernel.o"
        for isa in isas_of(source):
            report = compile_kernel(source, target, compiler, isa)
            problems = [problem for part in with_headers(source) for problem in not_vectorised(part, report)]
            if shutil.which("nm") is None:
                raise RuntimeError("there is no nm")
            weak = strangers(weak_symbols(target), isa)
            problems += [f"{source.name}: weak symbol {symbol}" for symbol in weak]
            found += [problem if isa == WIDE[0] else f"{isa}: {problem}" for problem in problems]
    return found


def sources() -> list[Path]:
    """The files of level cpp."""
    return sorted(path for folder in FOLDERS for path in (ROOT / "cpp" / folder).glob("*.cpp"))


def main(arguments: list[str] | None = None) -> int:
    """Prints what is wrong; 1 if anything is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="*", type=Path, help="default: all of level cpp")
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
