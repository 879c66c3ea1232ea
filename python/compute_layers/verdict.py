# SPDX-License-Identifier: MIT
"""The verdict on a ladder: the cheapest agent that plays as well as the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .ladder import GYMNASIUM, Ladder, Row
from .measure import Timing, conditions_line
from .rollout import rollout
from .statistics import Estimate, bootstrap, difference, interquartile_mean

RANDOM = "random"  # every game's agent where the range begins
MARGIN = 0.05  # of the range
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Standing:
    """How an agent stands to the best one.

    Attributes:
        mean, interquartile_mean: of its returns.
        difference: its mean less the best agent's, on common seeds.
        within: whether it is within 5 % of the best; see :func:`judge`.
        level: the one here at which its decisions take the least time, ``decision``.
    """

    agent: str
    layer: str
    mean: Estimate
    interquartile_mean: Estimate
    difference: Estimate
    within: bool
    level: str
    decision: Timing


@dataclass(frozen=True)
class Verdict:
    """The result of :func:`judge`.

    Attributes:
        episodes: which all have played, seeds 0 to episodes - 1; the others count for nothing here.
        random: mean return of the random agent.
        standings: of the ladder's agents that could be played and timed, in its order.
        best: the agent with the highest mean, of equal ones the cheapest.
        cheapest: the agent with the fewest nanoseconds a decision among those within 5 % of the best.
    """

    game: str
    episodes: int
    random: Estimate
    standings: Mapping[str, Standing]
    best: str
    cheapest: str

    def as_dict(self) -> dict[str, Any]:
        """The verdict for a program, under ``verdict`` in the ladder's JSON."""
        return {
            "episodes": self.episodes,
            "confidence": CONFIDENCE,
            "margin": MARGIN,
            "random": asdict(self.random),
            "best": self.best,
            "cheapest": self.cheapest,
            "agents": [asdict(standing) for standing in self.standings.values()],
        }


def judge(ladder: Ladder) -> Verdict:
    """Find the best agent of a ladder, and the cheapest that plays as well.

    An agent A is *within 5 %* of the best agent B if its return is shown to keep 95 % of what B gains over the random
    agent R. Seed by seed (A - B) + 0.05 (B - R) is what A has to spare; A counts if the lower end of the 95 % bootstrap
    interval of its mean is not below 0. So it is not enough that A's mean is near: as in a test of non-inferiority, A
    is taken for worse until the episodes show otherwise, and an agent that falls short counts with a probability of
    at most about 2.5 %. Too few episodes leave B alone, which counts always. The interval is of a single comparison, not
    corrected for their number, and B is the best of these seeds.

    Everybody is judged by the seeds that all have played; R plays them too, be it in the ladder or not. Costs are those
    of each agent's fastest level in the ladder.

    Raises:
        ValueError: no agent was played and timed at one of our levels.
        gymnasium.error.DependencyNotInstalled: the extra ``stats`` is not installed.
    """
    fastest: dict[str, Row] = {}
    played: dict[str, NDArray[np.float64]] = {}
    for row in ladder.rows:
        if row.level == GYMNASIUM or row.returns is None or row.decision is None:
            continue
        if row.agent not in fastest or row.decision.median < _cost(fastest[row.agent]):
            fastest[row.agent] = row
        # Levels have equal returns and differ in how many seeds they had time for.
        played[row.agent] = max(played.get(row.agent, row.returns), row.returns, key=len)
    if not fastest:
        raise ValueError(f"{ladder.game}: no agent was played at a level of ours, so there is none to judge")
    episodes = min(map(len, played.values()))
    returns = {agent: of_all[:episodes] for agent, of_all in played.items()}
    random = rollout(ladder.game, RANDOM, episodes=episodes).returns

    best = max(fastest, key=lambda agent: (returns[agent].mean(), -_cost(fastest[agent])))
    gain = returns[best] - random
    standings = {}
    for agent, row in fastest.items():
        assert row.decision is not None
        spare = (returns[agent] - returns[best]) + MARGIN * gain
        standings[agent] = Standing(
            agent,
            row.layer,
            bootstrap(returns[agent], confidence=CONFIDENCE),
            bootstrap(returns[agent], interquartile_mean, confidence=CONFIDENCE),
            difference(returns[agent], returns[best], confidence=CONFIDENCE),
            agent == best or bootstrap(spare, confidence=CONFIDENCE).low >= 0.0,
            row.level,
            row.decision,
        )
    cheapest = min((agent for agent in fastest if standings[agent].within), key=lambda a: _cost(fastest[a]))
    return Verdict(ladder.game, episodes, bootstrap(random, confidence=CONFIDENCE), standings, best, cheapest)


def _cost(row: Row) -> float:
    assert row.decision is not None
    return row.decision.median


# ---- the table ----

COLUMNS = {  # of the table, and in which order they go where a terminal is narrow: the highest first
    "game": 0,
    "random": 4,
    "best": 0,
    "return [95 %]": 3,
    "IQM": 8,
    "its ns": 5,
    "within 5 %": 0,
    "layer": 7,
    "difference [95 %]": 2,
    "ns/decision": 0,
    "level": 6,
    "× cheaper": 1,
}
WORDS = ("game", "best", "within 5 %", "layer", "level")


def print_verdicts(verdicts: Sequence[Verdict], console: Console) -> None:
    """A table of a row for each game: the random agent, the best one, and the cheapest within 5 % of the best; with
    colours on a terminal, plain in a pipe."""
    rows = [_cells(verdict) for verdict in verdicts]
    columns = list(COLUMNS)
    table = _table(columns, rows, console)
    # What a table would take on a console without end.
    endless = console.options.update(width=10**6)
    while console.measure(table, options=endless).maximum > console.width:
        last = max(columns, key=COLUMNS.__getitem__)
        if not COLUMNS[last]:
            break
        columns.remove(last)
        table = _table(columns, rows, console)
    console.print(table)
    console.print()
    for note in _notes(verdicts):
        console.print(note, soft_wrap=True)


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, str]], console: Console) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold" if console.is_terminal else "",
    )
    for column in columns:
        table.add_column(escape(column), justify="left" if column in WORDS else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(row[column]) for column in columns))
    return table


def _cells(verdict: Verdict) -> dict[str, str]:
    best, cheapest = verdict.standings[verdict.best], verdict.standings[verdict.cheapest]
    places = 2 if abs(best.mean.value - verdict.random.value) >= 10.0 else 4

    def number(value: float) -> str:
        return f"{value:.{places}f}"

    def estimate(of: Estimate) -> str:
        return f"{number(of.value)} [{number(of.low)}, {number(of.high)}]"

    return {
        "game": verdict.game,
        "random": number(verdict.random.value),
        "best": best.agent,
        "return [95 %]": estimate(best.mean),
        "IQM": number(best.interquartile_mean.value),
        "its ns": f"{best.decision.median:.3g}",
        "within 5 %": cheapest.agent,
        "layer": cheapest.layer,
        "difference [95 %]": estimate(cheapest.difference),
        "ns/decision": f"{cheapest.decision.median:.3g}",
        "level": cheapest.level,
        "× cheaper": f"{best.decision.median / cheapest.decision.median:.3g}",
    }


def _notes(verdicts: Sequence[Verdict]) -> list[Text]:
    """What the columns mean, what to distrust, and the conditions, a line each."""
    counts = ", ".join(str(count) for count in sorted({verdict.episodes for verdict in verdicts}))
    notes = [
        Text(
            "within 5 %: of the agents shown to keep 95 % of what the best gains over random (the lower end of the "
            "paired 95 % bootstrap interval decides), the one with the fewest ns/decision at its fastest level here."
        ),
        Text(
            "difference: its mean return less the best one's, on common seeds. IQM: the best one's interquartile mean. "
            f"Episodes: seeds from 0 on, {counts}."
        ),
    ]
    wide = [
        f"{verdict.game} {standing.agent} {standing.level}"
        for verdict in verdicts
        for standing in verdict.standings.values()
        if standing.decision.wide and standing.agent in (verdict.best, verdict.cheapest)
    ]
    if wide:
        notes.append(Text(f"Warning: rounds of ns/decision spread by more than 10 %: {', '.join(wide)}."))
    return [*notes, Text(conditions_line())]
