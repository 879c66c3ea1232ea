# SPDX-License-Identifier: MIT
"""Checks the rules of inline assembly that no compiler checks, in asm/<architecture>/**/*.cpp.

    python tools/asm_lint.py [FILE …]

* A function with an asm statement has exactly one, volatile, and nothing else in its body: an undeclared
  clobber beside C++ code corrupts silently.
* Every register in the text is in the clobber list, "memory" and "cc" too; rsp, rbp, x18 and x29 are not used;
  an input operand is not written.
* One instruction a line, numeric local labels that exist, no calls and returns; if ymm registers are used,
  vzeroupper is the last instruction and no jump goes past it.
* No intrinsics, no floating-point literals and no data in the text: numbers stand in constants and params.

The text is taken from the preprocessor's output ($CXX or c++), so that macros have been expanded.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
ASM = ROOT / "asm"

INTRINSICS = re.compile(
    r"\b_mm\d*_\w+|\b\w*(?:intrin|arm_neon|arm_sve)\w*\.h\b|\b__builtin_ia32_\w+|\bv\w+q_[fsu]\d+\b"
)
TOKEN = re.compile(
    r"""
    (?P<raw>(?:u8|[uUL])?R"(?P<end>[^()\\\s]*)\((?P<body>.*?)\)(?P=end)")
  | (?P<string>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*")
  | (?P<char>'(?:[^'\\\n]|\\.)+')
  | (?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<mark>::|->|[^\s\w])
""",
    re.VERBOSE | re.DOTALL,
)
HEADER_ASM = re.compile(r"\b(?:asm|__asm|__asm__)\b\s*(?:volatile|\()")
ASM_WORDS = ("asm", "__asm", "__asm__")
ASM_QUALIFIERS = ("volatile", "__volatile__", "__volatile")

# General registers of x86-64 by any of their names.
X86_GENERAL = {
    name: f"r{letter}x"
    for letter in "abcd"
    for name in (f"r{letter}x", f"e{letter}x", f"{letter}x", f"{letter}l", f"{letter}h")
}
X86_GENERAL |= {
    name: f"r{stem}"
    for stem in ("si", "di", "bp", "sp")
    for name in (f"r{stem}", f"e{stem}", stem, f"{stem}l")
}
X86_GENERAL |= {f"r{n}{suffix}": f"r{n}" for n in range(8, 16) for suffix in ("", "d", "w", "b")}

# What a constraint's letter stands for.
X86_CONSTRAINTS = {"a": "rax", "b": "rbx", "c": "rcx", "d": "rdx", "S": "rsi", "D": "rdi"}

# Registers that an instruction changes without naming them.
X86_IMPLICIT = {
    "cpuid": ("rax", "rbx", "rcx", "rdx"),
    "xgetbv": ("rax", "rdx"),
    "rdtsc": ("rax", "rdx"),
    "rdtscp": ("rax", "rcx", "rdx"),
    **dict.fromkeys(("mul", "mulq", "mull", "div", "divq", "divl", "idiv", "idivq", "idivl"), ("rax", "rdx")),
    **dict.fromkeys(("cqo", "cqto", "cdq", "cltd"), ("rdx",)),
    **dict.fromkeys(("rep", "repe", "repne", "movsb", "movsq", "stosb", "stosq"), ("rcx", "rdi", "rsi")),
    "mulx": ("rdx",),
}
FORBIDDEN = {
    "x86_64": re.compile(r"(call|ret|leave|enter|push|pop|syscall|int|jmp\s+\*|j\w+\s+\*)[a-z]*$"),
    "aarch64": re.compile(r"(bl|blr|br|ret|svc|msr)$"),
}
# Instructions of which no operand is a register that they change.
NO_WRITE = {
    "x86_64": re.compile(r"cmp|test|vptest|vtest|v?u?comis|v?ucomi|prefetch|j|nop"),
    "aarch64": re.compile(r"(?:cmp|cmn|tst|ccmp|ccmn|fcmpe?|fccmpe?|prfm|b|cbn?z|tbn?z|nop)$|b\.|st"),
}
COMMENT = {"x86_64": re.compile(r"#.*"), "aarch64": re.compile(r"//.*")}
JUMP = {
    "x86_64": re.compile(r"^(?:j\w+|loop\w*)$"),
    "aarch64": re.compile(
        r"^(?:b|b\.\w+|b(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)|cbn?z|tbn?z)$"
    ),
}
DATA = re.compile(
    r"^\.(?:double|float|single|quad|long|word|byte|octa|ascii|asciz|string|section|data|globl|global)\b"
)
# A literal, but not the arrangement of a vector register (v0.2d).
FLOATING = re.compile(
    r"(?<![\w.\]])(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|0[xX][\da-fA-F.]+[pP][+-]?\d+)(?!\w)"
)


@dataclass(frozen=True)
class Finding:
    """A broken rule."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Token:
    """A token of the preprocessed source, and the line of the file that it stems from."""

    kind: str
    text: str
    line: int


@dataclass
class Operand:
    """An operand of an asm statement."""

    name: str
    constraint: str


@dataclass
class Statement:
    """An asm statement in its parts."""

    line: int
    volatile: bool
    text: str = ""
    outputs: list[Operand] = field(default_factory=list)
    inputs: list[Operand] = field(default_factory=list)
    clobbers: list[str] = field(default_factory=list)


# ---- from source to statements ----


def preprocess(path: Path, compiler: str, includes: Path = ROOT / "cpp") -> str:
    """The file's own text after the preprocessor, with line markers.

    Raises:
        RuntimeError: the compiler fails; the message is its own.
    """
    command = [*shlex.split(compiler), "-std=c++20", "-E", "-I", str(includes), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stderr}")
    return done.stdout


def tokens(text: str, path: Path) -> list[Token]:
    """The tokens of preprocessed text that stem from this file, not from what it includes."""
    found: list[Token] = []
    line, own, first = 0, False, 0
    part: list[str] = []
    marker = re.compile(r'# (\d+) "((?:[^"\\]|\\.)*)"')

    def flush() -> None:
        source = "\n".join(part)
        at, passed = 0, first
        for match in TOKEN.finditer(source):
            passed += source.count("\n", at, match.start())
            at = match.start()
            kind = match.lastgroup or "mark"
            if match["raw"] is not None:
                found.append(Token("raw", match["body"], passed))
            else:
                found.append(Token(kind, match.group(), passed))
        part.clear()

    for row in text.split("\n"):
        match = marker.match(row)
        if match is None:
            if row.startswith("#"):
                row = ""  # a pragma
            if own:
                if not part:
                    first = line
                part.append(row)
            line += 1
            continue
        # Expanded macros are full of markers that lead back into the middle of a statement: go on there.
        number, name = int(match[1]), match[2]
        now_own = Path(name) == path
        if now_own and own and number >= line:
            part.extend([""] * (number - line))
        elif now_own or own:
            flush()
        line, own = number, now_own
    flush()
    return found


def decoded(token: Token) -> str:
    """The contents of a string literal."""
    if token.kind == "raw":
        return token.text
    body = token.text[token.text.index('"') + 1 : -1]
    escapes = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), body, flags=re.DOTALL)


def closing(items: list[Token], start: int) -> int:
    """The index of the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(items)):
        text = items[index].text if items[index].kind == "mark" else ""
        depth += text in ("(", "[", "{")
        depth -= text in (")", "]", "}")
        if text and depth == 0:
            return index
    raise ValueError(f"line {items[start].line}: a bracket is not closed")


def split(items: list[Token], *separators: str) -> list[list[Token]]:
    """The items between separators that stand outside of brackets; `::` counts as two colons."""
    parts: list[list[Token]] = [[]]
    index = 0
    while index < len(items):
        token = items[index]
        text = token.text if token.kind == "mark" else ""
        if text in ("(", "[", "{"):
            end = closing(items, index)
            parts[-1] += items[index : end + 1]
            index = end
        elif text in separators:
            parts.append([])
        elif text == "::" and ":" in separators:
            parts += [[], []]
        else:
            parts[-1].append(token)
        index += 1
    return parts


def operands(items: list[Token]) -> list[Operand]:
    """`[name] "constraint" (expression), …`; an operand without a name is called by its position."""
    found = []
    for part in split(items, ","):
        strings = [token for token in part if token.kind in ("string", "raw")]
        if not strings:
            continue
        named = part[0].text == "["
        found.append(Operand(part[1].text if named else "", decoded(strings[0])))
    return found


def statement(items: list[Token], start: int) -> tuple[Statement, int]:
    """The asm statement whose keyword is at `start`, and the index after its semicolon."""
    index = start + 1
    found = Statement(items[start].line, False)
    while items[index].text in (*ASM_QUALIFIERS, "goto", "inline"):
        found.volatile |= items[index].text in ASM_QUALIFIERS
        index += 1
    end = closing(items, index)
    parts = [*split(items[index + 1 : end], ":"), [], [], []]
    found.text = "".join(decoded(token) for token in parts[0] if token.kind in ("string", "raw"))
    found.outputs, found.inputs = operands(parts[1]), operands(parts[2])
    found.clobbers = [decoded(token) for token in parts[3] if token.kind in ("string", "raw")]
    return found, end + 2


def bodies(items: list[Token]) -> Iterator[tuple[str, int, int]]:
    """Each function's name and the indices of its braces. Namespaces and types are entered."""
    index = 0
    while index < len(items):
        if items[index].kind == "mark" and items[index].text == "{":
            name = function_name(items, index)
            end = closing(items, index)
            if name:
                yield name, index, end
                index = end
            elif not enters(items, index):
                index = end
        index += 1


def function_name(items: list[Token], brace: int) -> str:
    """The name of the function whose body starts here; empty if it is no function body."""
    index = brace - 1
    while index >= 0 and items[index].text in ("const", "noexcept", "override", "final"):
        index -= 1
    if index < 0 or items[index].text != ")":
        return ""
    depth = 0
    while index >= 0:
        depth += (items[index].text == ")") - (items[index].text == "(")
        if depth == 0:
            break
        index -= 1
    return items[index - 1].text if index > 0 and items[index - 1].kind == "word" else ""


def enters(items: list[Token], brace: int) -> bool:
    """Whether the brace opens a namespace, an extern block or a type, rather than an initialiser."""
    index = brace - 1
    while index >= 0 and items[index].text not in (";", "{", "}"):
        if items[index].text in ("namespace", "struct", "class", "union", "extern"):
            return True
        if items[index].text == "=":
            return False
        index -= 1
    return False


# ---- rules ----


def architecture_of(path: Path) -> str:
    """``x86_64`` or ``aarch64``, by the folder under asm/."""
    return "aarch64" if "aarch64" in path.parts else "x86_64"


def registers_of(arch: str, operand_text: str) -> set[str]:
    """The registers named in an instruction's operands, each by the name that a clobber list uses; names that
    belong to no register we know come back as they are."""
    found = set()
    if arch == "x86_64":
        for name in re.findall(r"%%(\w+)", operand_text):
            vector = re.fullmatch(r"[xyz]mm(\d+)", name)
            found.add(f"xmm{vector[1]}" if vector else X86_GENERAL.get(name, name))
        return found - {"rip"}
    text = re.sub(r"%\w?\[\w+\]|%\w?\d+", " ", operand_text)
    for first, last in re.findall(r"\bv(\d+)(?:\.\w+)?\s*-\s*v(\d+)", text):
        found |= {f"v{n}" for n in range(int(first), int(last) + 1)}
    for kind, number in re.findall(r"(?<![\w.#])([wxvqdshb])(\d{1,2})\b", text):
        found.add(f"{'x' if kind in 'wx' else 'v'}{number}")
    if re.search(r"\bw?sp\b", text):
        found.add("sp")
    found |= {
        alias for alias in ("x29", "x30") if re.search(rf"\b{'fp' if alias == 'x29' else 'lr'}\b", text)
    }
    return found


def clobbered(arch: str, names: list[str]) -> set[str]:
    """A clobber list in the names of :func:`registers_of`."""
    found = set()
    for name in names:
        if arch == "x86_64":
            vector = re.fullmatch(r"%?[xyz]mm(\d+)", name)
            found.add(f"xmm{vector[1]}" if vector else X86_GENERAL.get(name.lstrip("%"), name))
        else:
            match = re.fullmatch(r"([wxvqd])(\d+)", name)
            found.add(f"{'x' if match[1] in 'wx' else 'v'}{match[2]}" if match else name)
    return found


def instructions(arch: str, text: str) -> Iterator[tuple[str, str]]:
    """(mnemonic, operands) of each line; a label is (``1:``, "")."""
    for row in text.split("\n"):
        line = COMMENT[arch].sub("", row).strip()
        while match := re.match(r"([\w.$]+:)\s*", line):
            yield match[1], ""
            line = line[match.end() :]
        if line:
            mnemonic, _, rest = line.replace("\t", " ").partition(" ")
            yield mnemonic, rest.strip()


def problems(arch: str, found: Statement) -> Iterator[str]:
    """What is wrong with an asm statement."""
    if not found.volatile:
        yield "the asm statement is not volatile: the compiler may drop it"
    for needed in ("memory", "cc"):
        if needed not in found.clobbers:
            yield f'"{needed}" is not in the clobber list'
    rows = list(instructions(arch, found.text))
    used: set[str] = set()
    wide = False
    inputs = {operand.name for operand in found.inputs if "r" in operand.constraint}
    labels = [name for name, _ in rows if name.endswith(":")]
    for mnemonic, rest in rows:
        line = f"{mnemonic} {rest}".strip()
        if mnemonic.endswith(":"):
            if not mnemonic[:-1].isdigit():
                yield f"label {mnemonic} is not a numeric local one: two copies of the function would clash"
            continue
        if mnemonic.startswith("."):
            if DATA.match(mnemonic):
                yield f"{line}: data belongs into a constant"
            continue
        if ";" in line:
            yield f"{line}: more than one instruction in a line"
        if FORBIDDEN[arch].match(mnemonic) or (arch == "x86_64" and "*" in rest and mnemonic.startswith("j")):
            yield f"{line}: {mnemonic} is not allowed"
        if FLOATING.search(rest) or mnemonic.startswith("movabs"):
            yield f"{line}: a number in the text; it belongs into constants or params"
        used |= registers_of(arch, rest)
        used |= set(X86_IMPLICIT.get(mnemonic, ())) if arch == "x86_64" else set()
        wide |= arch == "x86_64" and bool(re.search(r"%%[yz]mm", rest))
        if JUMP[arch].match(mnemonic):
            yield from bad_jump(line, rest, labels)
        for name in written(arch, mnemonic, rest):
            if name in inputs:
                yield f"{line}: writes the input operand {name}"
    declared = clobbered(arch, found.clobbers)
    if arch == "x86_64":
        letters = {letter for operand in (*found.outputs, *found.inputs) for letter in operand.constraint}
        declared |= {X86_CONSTRAINTS[letter] for letter in letters & set(X86_CONSTRAINTS)}
    reserved = {"rsp", "rbp"} if arch == "x86_64" else {"sp", "x18", "x29"}
    for name in sorted(used & reserved):
        yield f"register {name} is used; it belongs to the compiler"
    for name in sorted(used - declared - reserved):
        yield f"register {name} is used but not in the clobber list"
    if any(o.constraint.startswith("=") and "&" not in o.constraint for o in found.outputs) and inputs:
        yield 'an output "=…" without & may share its register with an input'
    if wide and (not rows or rows[-1][0] != "vzeroupper"):
        yield "ymm registers are used, but vzeroupper is not the last line: an exit leaves upper halves dirty"


def bad_jump(line: str, rest: str, labels: list[str]) -> Iterator[str]:
    target = rest.split(",")[-1].strip()
    match = re.fullmatch(r"(\d+)([bf])", target)
    if match is None:
        yield f"{line}: jumps to something else than a numeric local label"
    elif f"{match[1]}:" not in labels:
        yield f"{line}: there is no label {match[1]}"


def written(arch: str, mnemonic: str, rest: str) -> list[str]:
    """The names of the asm operands that an instruction writes, be it as the base that an address moves on."""
    parts = re.split(r",(?![^()\[]*[\])])", rest)
    found = [] if NO_WRITE[arch].match(mnemonic) else [parts[-1 if arch == "x86_64" else 0]]
    if arch == "aarch64":
        if mnemonic.startswith("ldp"):
            found.append(parts[1])
        # [base, #16]! and [base], #16
        moved = re.search(r"\[\s*(%\w?\[\w+\])(?:[^\[\]]|\[\w+\])*\](?:!|\s*,)", rest)
        found += [moved[1]] if moved else []
    matches = [re.fullmatch(r"%\w?\[(\w+)\]", part.strip()) for part in found]
    return [match[1] for match in matches if match]


def lint(path: Path, compiler: str) -> list[Finding]:
    """The findings of one file.

    Raises:
        RuntimeError: the preprocessor fails.
    """
    source = path.read_text(encoding="utf-8")
    try:
        name = path.relative_to(ROOT).as_posix()
    except ValueError:
        name = str(path)
    found = []
    code = re.sub(r"//[^\n]*|/\*.*?\*/", lambda match: "\n" * match[0].count("\n"), source, flags=re.DOTALL)
    for number, line in enumerate(code.split("\n"), start=1):
        if match := INTRINSICS.search(line):
            found.append(Finding(name, number, f"{match[0]}: no intrinsics under asm/"))
        if path.suffix != ".cpp" and HEADER_ASM.search(line):
            found.append(Finding(name, number, "an asm statement in a header, where this lint does not look"))
    if path.suffix != ".cpp":
        return found
    arch = architecture_of(path)
    items = tokens(preprocess(path, compiler), path)
    covered: set[int] = set()
    for function, start, end in bodies(items):
        body = items[start + 1 : end]
        at = [index for index, token in enumerate(body) if token.kind == "word" and token.text in ASM_WORDS]
        if not at:
            continue
        covered |= {start + 1 + index for index in at}
        if len(at) > 1:
            text = f"{function}: {len(at)} asm statements in one function; allowed: one"
            found.append(Finding(name, body[at[1]].line, text))
        for index in at:
            parsed, after = statement(body, index)
            if len(at) == 1 and (index != 0 or after != len(body)):
                text = f"{function}: something else than the asm statement in the function's body"
                found.append(Finding(name, parsed.line, text))
            found += [Finding(name, parsed.line, f"{function}: {text}") for text in problems(arch, parsed)]
    for index, token in enumerate(items):
        if token.kind == "word" and token.text in ASM_WORDS and index not in covered:
            found.append(Finding(name, token.line, "an asm statement outside of a function"))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Prints the findings; 1 if there are any."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="*", type=Path, help="default: everything under asm/")
    files = [path.resolve() for path in parser.parse_args(arguments).file]
    files = files or sorted([*ASM.rglob("*.cpp"), *ASM.rglob("*.hpp")])
    compiler = os.environ.get("CXX", "c++")
    found = [finding for path in files for finding in lint(path, compiler)]
    for finding in found:
        print(finding)
    print(f"{len(files)} files, {len(found)} findings")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
