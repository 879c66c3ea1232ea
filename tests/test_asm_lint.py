# SPDX-License-Identifier: MIT
"""The lint of inline assembly: our tree is clean, and every rule catches a kernel that breaks it."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import asm_lint
import pytest

ROOT = Path(__file__).parents[1]
COMPILER = os.environ.get("CXX", "c++")

pytestmark = pytest.mark.skipif(
    shutil.which(shlex.split(COMPILER)[0]) is None, reason=f"there is no compiler {COMPILER}"
)

GOOD_X86 = """
#include <cstddef>
#define OP(op, a, b) "\\t" #op " " a ", " b "\\t# comment with %%rbp; and 1.5\\n"
#define Y(n) "%%ymm" #n
namespace kernels {
struct Batch { long n; double* state; };
constexpr double kRows[4] = {1.5, 1.5, 1.5, 1.5};

void step(const Batch* b) {
    asm volatile(
        OP(mov, "%c[n](%[b])", "%%rcx")
        OP(mov, "%c[state](%[b])", "%%r8")
        "1:\\n"
        OP(vmovapd, "(%%r8)", Y(3))
        "\\tvaddpd (%[k]), %%ymm3, %%ymm3\\n"
        OP(vmovapd, Y(3), "(%%r8)")
        OP(add, "$32", "%%r8")
        OP(sub, "$4", "%%ecx")
        "\\tjnz 1b\\n"
        "\\tvzeroupper\\n"
        : [b] "+r"(b)
        : [k] "r"(&kRows), [n] "i"(offsetof(Batch, n)), [state] "i"(offsetof(Batch, state))
        : "rcx", "r8", "xmm3", "memory", "cc");
}

int elsewhere(int x) { return x ? x : -x; }
}  // namespace kernels
"""
BROKEN_X86 = {
    "a clobber is missing": ('"rcx", "r8"', '"rcx"', "register r8 is used but not in the clobber list"),
    "another name of a register": ('"rcx", "r8"', '"r8"', "register rcx is used"),
    "a vector clobber is missing": ('"xmm3", ', "", "register xmm3 is used"),
    "memory is missing": ('"memory", ', "", '"memory" is not in the clobber list'),
    "cc is missing": (', "cc")', ")", '"cc" is not in the clobber list'),
    "vzeroupper is missing": ('"\\tvzeroupper\\n"', "", "vzeroupper is not the last line"),
    "an exit after vzeroupper": (
        '"\\tvzeroupper\\n"',
        '"\\tvzeroupper\\n2:\\n"',
        "vzeroupper is not the last line",
    ),
    "a statement beside it": (
        "asm volatile(",
        "const int i = 1; asm volatile(",
        "something else than the asm",
    ),
    "two asm statements": (
        "asm volatile(",
        'asm volatile("" ::: "memory", "cc"); asm volatile(',
        "2 asm statements",
    ),
    "rbp": ('OP(add, "$32", "%%r8")', 'OP(mov, "%%rbp", "%%r8")', "register rbp is used; it belongs"),
    "rsp as esp": ('OP(add, "$32", "%%r8")', 'OP(mov, "%%esp", "%%r8")', "register rsp is used; it belongs"),
    "a named label": ('"1:\\n"', '"1:\\nagain:\\n"', "label again: is not a numeric local one"),
    "a jump to nowhere": ("jnz 1b", "jnz 2b", "there is no label 2"),
    "a jump to a symbol": ("jnz 1b", "jnz again", "jumps to something else"),
    "a call": ("jnz 1b", "call 1b", "call is not allowed"),
    "push": ('OP(add, "$32", "%%r8")', '"\\tpush %%r8\\n"', "push is not allowed"),
    "two instructions in a line": ('"\\tjnz 1b\\n"', '"\\tjnz 1b; nop\\n"', "more than one instruction"),
    "a literal": ('OP(add, "$32", "%%r8")', '"\\tmov $2.5, %%r8\\n"', "a number in the text"),
    "data": ('"1:\\n"', '"\\t.double 9.8\\n1:\\n"', "data belongs into a constant"),
    "an input operand is written": (
        'OP(add, "$32", "%%r8")',
        'OP(add, "$32", "%[k]")',
        "writes the input operand k",
    ),
    "not volatile": ("asm volatile(", "asm(", "not volatile"),
    "an implicit register": ('OP(add, "$32", "%%r8")', '"\\tmul %%r8\\n"', "register rax is used"),
    "an output without &": ('[b] "+r"(b)', '[b] "=r"(b)', "may share its register"),
    "intrinsics": (
        "namespace kernels {",
        "namespace kernels { // \nint _mm256_f();",
        "_mm256_f: no intrinsics",
    ),
    "asm outside of a function": (
        "namespace kernels {",
        'asm("nop"); namespace kernels {',
        "outside of a function",
    ),
}

GOOD_AARCH64 = """
#include <cstddef>
struct Batch { long n; double* state; };
constexpr double kRows[4] = {1.5, 1.5, 1.5, 1.5};
void step(const Batch* b) {
    asm volatile(
        "\\tldr x10, [%[b], %[n]]\\n"
        "\\tcbz x10, 2f\\n"
        "\\tldr x9, [%[b], %[state]]\\t// x18 and 1.5\\n"
        "\\tldp q4, q5, [%[k], #0]\\n"
        "1:\\n"
        "\\tld1 {v0.2d - v3.2d}, [x9]\\n"
        "\\tfadd v0.2d, v0.2d, v3.2d\\n"
        "\\tbit v0.16b, v4.16b, v5.16b\\n"
        "\\tst1 {v0.2d}, [x9], #16\\n"
        "\\tsubs w10, w10, #1\\n"
        "\\tb.ne 1b\\n"
        "2:\\n"
        :
        : [b] "r"(b), [k] "r"(&kRows), [n] "i"(offsetof(Batch, n)), [state] "i"(offsetof(Batch, state))
        : "x9", "x10", "v0", "v1", "v2", "v3", "v4", "v5", "memory", "cc");
}
"""
BROKEN_AARCH64 = {
    "a clobber is missing": ('"x10", ', "", "register x10 is used but not"),
    "the middle of a range": ('"v2", ', "", "register v2 is used but not"),
    "another name of a register": ('"v4", ', "", "register v4 is used but not"),
    "memory is missing": ('"memory", ', "", '"memory" is not in the clobber list'),
    "cc is missing": (', "cc")', ")", '"cc" is not in the clobber list'),
    "x18": ("ldr x9", "ldr x18", "register x18 is used; it belongs"),
    "x18 as w18": ("subs w10, w10, #1", "subs w10, w18, #1", "register x18 is used; it belongs"),
    "the frame pointer": ("subs w10, w10, #1", "subs w10, w29, #1", "register x29 is used; it belongs"),
    "a literal": ("subs w10, w10, #1", "fmov d0, #2.0", "a number in the text"),
    "a named label": ('"1:\\n"', '".Lagain:\\n1:\\n"', "label .Lagain: is not a numeric"),
    "the stack pointer": ("subs w10, w10, #1", "add x9, sp, #16", "register sp is used; it belongs"),
    "a return": ("b.ne 1b", "ret", "ret is not allowed"),
    "a call": ("b.ne 1b", "bl 1b", "bl is not allowed"),
    "the floating-point mode": ("subs w10, w10, #1", "msr fpcr, x10", "msr is not allowed"),
    "a jump to nowhere": ("b.ne 1b", "b.ne 3b", "there is no label 3"),
    "a jump to a symbol": ("cbz x10, 2f", "tbz x10, #0, again", "jumps to something else"),
    "two instructions in a line": ("b.ne 1b", "b.ne 1b; nop", "more than one instruction"),
    "data": ('"1:\\n"', '"\\t.double 9.8\\n1:\\n"', "data belongs into a constant"),
    "an input operand is written": ("subs w10, w10, #1", "add %[b], %[b], #16", "writes the input operand b"),
    "an input operand is loaded": ("ldr x9,", "ldp x9, %[k],", "writes the input operand k"),
    "an input operand moves on": ("[%[k], #0]", "[%[k]], #32", "writes the input operand k"),
    "an input operand moves on first": ("%[state]]", "%[state]]!", "writes the input operand b"),
    "not volatile": ("asm volatile(", "asm(", "not volatile"),
    "intrinsics": ("struct Batch", "#if 0\n#include <arm_neon.h>\n#endif\nstruct Batch", "no intrinsics"),
}


def findings(folder: Path, arch: str, source: str) -> list[str]:
    path = folder / arch / "kernel.cpp"
    path.parent.mkdir()
    path.write_text(source)
    return [finding.text for finding in asm_lint.lint(path, COMPILER)]


def test_our_kernels_keep_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert asm_lint.main([]) == 0, capsys.readouterr().out


def test_every_asm_statement_of_ours_is_seen() -> None:
    for path in (ROOT / "asm").rglob("*.cpp"):
        items = asm_lint.tokens(asm_lint.preprocess(path, COMPILER), path)
        seen = sum(
            asm_lint.ASM_WORDS[0] in {token.text for token in items[start:end]}
            for _, start, end in asm_lint.bodies(items)
        )
        assert seen == path.read_text().count("asm volatile(") > 0, path


@pytest.mark.parametrize(("arch", "source"), [("x86_64", GOOD_X86), ("aarch64", GOOD_AARCH64)])
def test_a_good_kernel_passes(tmp_path: Path, arch: str, source: str) -> None:
    assert findings(tmp_path, arch, source) == []


@pytest.mark.parametrize(
    ("arch", "source", "change"),
    [
        pytest.param(arch, source, change, id=f"{arch}: {name}")
        for arch, source, broken in (
            ("x86_64", GOOD_X86, BROKEN_X86),
            ("aarch64", GOOD_AARCH64, BROKEN_AARCH64),
        )
        for name, change in broken.items()
    ],
)
def test_a_broken_kernel_is_caught(
    tmp_path: Path, arch: str, source: str, change: tuple[str, str, str]
) -> None:
    old, new, message = change
    assert old in source
    found = findings(tmp_path, arch, source.replace(old, new, 1))
    assert any(message in text for text in found), found


def test_the_exit_code_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x86_64.cpp"
    path.write_text(GOOD_X86.replace('"r8", ', "", 1))
    assert asm_lint.main([str(path)]) == 1
    printed = capsys.readouterr().out
    assert f"{path}:10: step: register r8 is used but not in the clobber list" in printed
    assert "1 files, 1 findings" in printed


def test_a_file_that_does_not_compile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x86_64.cpp"
    path.write_text('#include "nowhere.hpp"\n')
    with pytest.raises(RuntimeError, match="nowhere"):
        asm_lint.lint(path, COMPILER)
