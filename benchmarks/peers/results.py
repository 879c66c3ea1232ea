# SPDX-License-Identifier: MIT
"""The rows that the scripts of this folder print, and the table that the documentation has of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bars import PEER_BARS

SCHEMA = "compute_layers/peers/1"

# Boundaries of ours: the native loop over prepared actions, step(actions) of a vector environment.
KERNEL, GYMNASIUM_CALL = "kernel", "Gymnasium call"

# The parts of the table and the boundaries whose rows they have; what is left are policies.
PARTS = {
    "Games, our kernel at its best n and theirs at its best:": KERNEL,
    "Games, the same call on both sides:": GYMNASIUM_CALL,
    "Policies:": None,
}

HEAD = (
    "| what | theirs | boundary, n | ns | ours: boundary, n | asm ns | cpp ns | asm faster by | cpp faster by "
    "| same actions | must reach | verdict |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
)
BEGIN, END = "<!-- benchmarks/peers/run begins -->", "<!-- benchmarks/peers/run ends -->"

# In the order of the table; each has requirements/NAME.txt, and what can be installed measure_NAME.py.
PEERS = (
    "gymnasium",
    "envpool",
    "gymnax",
    "pgx",
    "pufferlib",
    "operant",
    "onnxruntime",
    "pytorch",
    "scikit-learn",
    "m2cgen",
)

# One thread for every library that asks the environment.
SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
# What would make them choose other kernels, or us another level.
UNSET = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "COMPUTE_LAYERS_LEVEL",
    "COMPUTE_LAYERS_ISA",
)


@dataclass(frozen=True)
class Ours:
    """A level of ours in a row: nanoseconds, and how many times faster it is than the row's contestant."""

    level: str
    boundary: str
    n: int
    ns: float
    spread: float
    ratio: float
    ratio_spread: float


@dataclass(frozen=True)
class Row:
    """A contestant of a peer against levels of ours.

    Attributes:
        subject: the game's id or the policy.
        contestant: theirs, at ``boundary`` and with ``n`` environments or observations a call.
        ns: median nanoseconds per step or decision; ``spread`` is the quartiles' distance relative to it.
        ours: at one boundary and n.
        agreement: the share of equal actions, for policies.
        compile_seconds: what compilation before the first call took.
    """

    subject: str
    contestant: str
    boundary: str
    n: int
    ns: float
    spread: float
    rounds: int
    ours: Sequence[Ours]
    agreement: float | None = None
    compile_seconds: float | None = None

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Row:
        """A row from JSON.

        Raises:
            TypeError: a field is missing or unknown.
        """
        return cls(**{**found, "ours": [Ours(**entry) for entry in found["ours"]]})

    @property
    def name(self) -> str:
        """By which bars.py knows the row. Kernels come with both sides at their best n, whatever that is."""
        ours = self.ours[0]
        size = "" if ours.boundary == KERNEL else f", n = {ours.n}"
        return f"{self.subject}, {ours.boundary}{size} / {self.contestant}"

    def at(self, level: str) -> Ours | None:
        """Our entry at ``asm`` or ``cpp``."""
        return next((entry for entry in self.ours if entry.level.split("[")[0] == level), None)

    @property
    def demand(self) -> str:
        bar = PEER_BARS.get(self.name)
        if bar is None:
            return ""
        return f"≥ {bar['least']}" + (f", aim {bar['aim']}" if "aim" in bar else "")

    @property
    def verdict(self) -> str:
        """Of asm, or of cpp where there is none: whether it reaches the bar; without a bar, whether it loses."""
        ratio = (self.at("asm") or self.ours[0]).ratio
        bar = PEER_BARS.get(self.name)
        if bar is None:
            return "LOSES" if ratio < 1 else ""
        return "reached" if ratio >= bar["least"] else "SHORT"


def table(document: Mapping[str, Any]) -> str:
    """The generated part of the page: the parts of the table, what could not be measured, and the conditions."""
    rows: dict[str | None, list[str]] = {boundary: [] for boundary in PARTS.values()}
    reasons = []
    for peer, result in document["peers"].items():
        if "reason" in result:
            reasons.append(f"* {peer}: {result['reason']}")
        for found in result.get("rows", ()):
            if "reason" in found:
                about = f", {found['subject']}" if found["subject"] else ""
                reasons.append(f"* {peer}{about}: {found['reason']}")
            else:
                row = Row.read(found)
                boundary = row.ours[0].boundary
                rows[boundary if boundary in rows else None].append(_line(row))
    lines = []
    for part, boundary in PARTS.items():
        if rows[boundary]:
            lines += [part, "", *HEAD, *rows[boundary], ""]
    if reasons:
        lines += ["Not measured:", "", *reasons, ""]
    return "\n".join([*lines, *_conditions(document["peers"])])


def _line(row: Row) -> str:
    ours = row.ours[0]
    asm, cpp = row.at("asm"), row.at("cpp")
    compiled = f", compiled in {row.compile_seconds:.1f} s" if row.compile_seconds is not None else ""
    cells = [
        row.subject,
        row.contestant,
        f"{row.boundary}, {row.n}{compiled}",
        _nanoseconds(row.ns, row.spread),
        f"{ours.boundary}, {ours.n}",
        *(_nanoseconds(entry.ns, entry.spread) if entry else "–" for entry in (asm, cpp)),
        *(_ratio(entry) if entry else "–" for entry in (asm, cpp)),
        "" if row.agreement is None else f"{100 * row.agreement:.4g} %",
        row.demand,
        row.verdict,
    ]
    return f"| {' | '.join(cells)} |"


def _nanoseconds(ns: float, spread: float) -> str:
    shown = f"{ns:,.0f}" if ns >= 1000 else f"{ns:.3g}"
    return f"{shown} ± {100 * spread:.0f} %"


def _ratio(entry: Ours) -> str:
    shown = f"{entry.ratio:,.0f}" if entry.ratio >= 1000 else f"{entry.ratio:.3g}"
    return f"{shown}× ± {100 * entry.ratio_spread:.0f} %"


def _conditions(peers: Mapping[str, Any]) -> list[str]:
    """What was measured on and with, and by which command, once for all peers that were measured alike."""
    groups: dict[tuple[str, str], list[str]] = {}
    for peer, result in peers.items():
        if "conditions" in result:
            c = result["conditions"]
            line = (
                f"{c['cpu']} ({c['cores']} cores, {c['affinity']}), {c['levels']}; {c['compiler']} {c['flags']}; "
                f"Python {c['python']}, NumPy {c['numpy']}, Gymnasium {c['gymnasium']}, "
                f"compute_layers {c['compute_layers']} ({c['commit']})."
            )
            groups.setdefault((result["options"], line), []).append(peer)
    lines = []
    for (options, line), measured in groups.items():
        versions = {name: n for peer in measured for name, n in peers[peer]["versions"].items()}
        told = ", ".join(f"{name} {number}" for name, number in versions.items())
        lines += [f"`benchmarks/peers/run {options}{' '.join(measured)}`: {told}. {line}", ""]
    return lines


def splice(page: str, generated: str) -> str:
    """The page with what stands between the markers replaced.

    Raises:
        ValueError: the page has not one marker of each kind, in this order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"the page must have the lines {BEGIN!r} and {END!r}, once each, in this order")
    return f"{before}{begin}\n{generated.rstrip()}\n{end}{after}"
