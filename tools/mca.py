# SPDX-License-Identifier: MIT
"""What llvm-mca predicts for the marked regions of an assembly source.

    python tools/mca.py asm/x86_64/games/cartpole.cpp [--cpu znver3 skylake] [--json]

bound   block reciprocal throughput: cycles per iteration if only ports and dispatch were to limit it
cycles  simulated cycles per iteration: dependencies and the sizes of queues counted too

No bounds are printed for NEON: llvm-mca (tried: 14) models Neoverse N1 as a Cortex-A57 and overlooks markers
behind `//`. Such a source is skipped.

Lanes per iteration stand in a region's name: `# LLVM-MCA-BEGIN cartpole/step_in_play lanes=8`. CXX names the
compiler, LLVM_MCA the simulator; without the latter nothing is measured and the exit code is 0.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CPUS = {"x86_64": ("znver3", "skylake"), "x86_64_avx512": ("skylake-avx512", "icelake-server")}
ITERATIONS = 500
REGION = re.compile(
    r"^\[\d+\] Code Region - (?P<name>[^\n]+)\n.*?^Instructions: +(?P<instructions>\d+)$.*?"
    r"^Total Cycles: +(?P<cycles>\d+)$.*?^Block RThroughput: +(?P<bound>[\d.]+)$",
    re.MULTILINE | re.DOTALL,
)


class Region(NamedTuple):
    name: str
    cpu: str
    lanes: int
    instructions: float
    bound: float
    cycles: float


def compile_to_assembly(source: Path) -> str:
    compiler = os.environ.get("CXX", "g++").split()
    flags = ["-std=c++20", "-O3", "-ffp-contract=off", f"-I{ROOT / 'cpp'}", "-S", "-o", "-", str(source)]
    return subprocess.run([*compiler, *flags], check=True, capture_output=True, text=True).stdout


def simulate(assembly: str, simulator: str, cpu: str) -> list[Region]:
    flags = [f"-mcpu={cpu}", f"-iterations={ITERATIONS}", "-instruction-info=0", "-resource-pressure=0"]
    output = subprocess.run([simulator, *flags], input=assembly, check=True, capture_output=True, text=True)
    regions = []
    for found in REGION.finditer(output.stdout):
        name, _, lanes = found["name"].partition(" lanes=")
        instructions, cycles = (int(found[field]) / ITERATIONS for field in ("instructions", "cycles"))
        regions.append(Region(name, cpu, int(lanes or 1), instructions, float(found["bound"]), cycles))
    return regions


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, nargs="+")
    parser.add_argument("--cpu", nargs="+", help="names that llvm-mca knows; default: two that have the isa")
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    arguments = parser.parse_args()

    simulator = shutil.which(os.environ.get("LLVM_MCA", "llvm-mca"))
    if simulator is None:
        print(
            "skipped: llvm-mca is not installed (it is part of LLVM; LLVM_MCA may name it)", file=sys.stderr
        )
        return 0
    regions: list[Region] = []
    for source in arguments.source:
        folder = source.resolve().parent.parent.name
        if folder not in CPUS:
            print(f"skipped: {source}: no bounds are printed for {folder}", file=sys.stderr)
            continue
        try:
            assembly = compile_to_assembly(source)
            cpus = arguments.cpu or CPUS[folder]
            found = [region for cpu in cpus for region in simulate(assembly, simulator, cpu)]
        except subprocess.CalledProcessError as error:
            print(error.stderr, file=sys.stderr)
            return 1
        if not found:
            print(f"{source}: no LLVM-MCA-BEGIN marker", file=sys.stderr)
            return 1
        regions += sorted(found, key=lambda region: region.name)
    if arguments.json:
        print(json.dumps([region._asdict() for region in regions], indent=2))
        return 0
    if not regions:
        return 0
    width = max(len(region.name) for region in regions)
    print(f"{'region':{width}}  {'cpu':12} lanes  instructions  bound  cycles   per lane: bound  cycles")
    for name, cpu, lanes, instructions, bound, cycles in regions:
        print(
            f"{name:{width}}  {cpu:12} {lanes:5}  {instructions:12.1f}  {bound:5.1f}  {cycles:6.1f}"
            f"  {bound / lanes:15.2f}  {cycles / lanes:6.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
