# SPDX-License-Identifier: MIT
"""The ladder: the same agents at every level, return against nanoseconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from . import registry
from .agents import LAYERS, Agent, AgentFile, agent_file, agents
from .batch import Batch, rows_of
from .measure import Contestant, Interleaved, Timing, conditions, conditions_line, progress_bar, short, timed
from .registry import Game, Level, LevelUnavailable
from .rollout import DEFAULT_LIMIT, rollout
from .statistics import interquartile_mean
from .vector import VectorEnv

SCHEMA = "compute_layers/ladder/2"
GYMNASIUM = "gymnasium"  # the row of Gymnasium's own environments
LEFT = ("agent", "level", "preparation", "log(ns/step)", "boundary", "game \\ policy")  # columns of words
BAR = 20  # characters
COLUMNS = {  # of the ladder, and how wide a terminal must be to have them
    "agent": 0,
    "level": 0,
    "return ± 95 %": 0,
    "episodes": 100,
    "ns/decision": 0,
    "ns/step": 0,
    "steps/s": 90,
    "× python": 0,
    "preparation": 112,
    "log(ns/step)": 136,
}
LANES = 256  # environments that a rollout steps together
PYTHON_LANES = 8  # the same at level python
TURN = 0.05  # seconds of work in a turn, where whole episodes take longer
LONG_EPISODE = 500  # steps
LONG_PLAN = 0.1  # seconds of a plan that is not timed in turn
SEARCH_SHARE = 5  # times the seconds of level python, for a native level of a policy that plans
SEARCH_EPISODES = 20  # and at least so many episodes
BOUNDARY_SIZES = (1, 8, 64, 1024)
SYNC_LANES = 64  # for Gymnasium's games without a vector environment of their own
VECTOR_LANES = (1024, 4096, 16384)  # for the others: the best counts


@dataclass(frozen=True)
class Effort:
    """How much is played and measured."""

    episodes: int = 1000  # of a native level, seeds 0, 1, …
    python_seconds: float = 1.5  # of play at level python, for each agent; its episodes are the first seeds
    rounds: int = 25
    chunk: float = 0.02


FULL = Effort()
QUICK = Effort(episodes=200, python_seconds=0.2, rounds=5, chunk=0.005)


@dataclass
class Row:
    """An agent at a level.

    Attributes:
        returns: of seeds 0, 1, …; None if the level is unavailable for it.
        decision, step: nanoseconds of a decision alone, and of an environment step with its decision.
        reason: why it is unavailable.
    """

    agent: str
    layer: str
    level: str
    preparation: str
    returns: NDArray[np.float64] | None = None
    decision: Timing | None = None
    step: Timing | None = None
    reason: str = ""

    @property
    def interval(self) -> float:
        """Half the 95 % interval of the mean return, from the normal distribution."""
        if self.returns is None or len(self.returns) < 2:
            return math.nan
        return float(1.96 * self.returns.std(ddof=1) / math.sqrt(len(self.returns)))

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "agent": self.agent,
            "layer": self.layer,
            "level": self.level,
            "preparation": self.preparation,
            "unavailable": self.reason or None,
        }
        if self.returns is not None:
            found["episodes"] = len(self.returns)
            found["return_mean"] = float(self.returns.mean())
            found["return_interval_95"] = None if math.isnan(self.interval) else self.interval
            found["return_iqm"] = float(interquartile_mean(self.returns))
        for name, timing in (("ns_per_decision", self.decision), ("ns_per_step", self.step)):
            found[name] = None if timing is None else asdict(timing)
        return found


@dataclass
class Ladder:
    """A measured ladder; ``print`` draws it, ``as_dict`` is the JSON."""

    game: str
    effort: Effort
    rows: list[Row] = field(default_factory=list)
    matrix_agent: str = ""
    matrix: dict[tuple[str, str], Timing] = field(default_factory=dict)
    boundary_level: str = ""
    boundary: dict[tuple[str, int], Timing] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)
    unequal: list[str] = field(default_factory=list)
    as_gymnasium: dict[str, tuple[int, int]] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The ladder for a program; see ``schema``."""
        return {
            "schema": SCHEMA,
            "game": self.game,
            "conditions": conditions(),
            "rows": [row.as_dict() for row in self.rows],
            "matrix": {
                "agent": self.matrix_agent,
                "ns_per_step": [
                    {"game_level": game, "policy_level": policy, **asdict(timing)}
                    for (game, policy), timing in self.matrix.items()
                ],
            },
            "boundary": {
                "level": self.boundary_level,
                "ns_per_step": [
                    {"boundary": kind, "num_envs": n, **asdict(timing)}
                    for (kind, n), timing in self.boundary.items()
                ],
            },
            "compared_episodes": self.compared,
            "unequal_returns": self.unequal,
            "equal_to_gymnasium": {
                name: {"equal": equal, "episodes": count}
                for name, (equal, count) in self.as_gymnasium.items()
            },
            "seconds": self.seconds,
        }

    def timings(self) -> dict[str, Timing]:
        """Every timing, by a name that says where it stands."""
        found = {}
        for row in self.rows:
            for what, timing in (("", row.step), (" decision", row.decision)):
                if timing is not None:
                    found[f"{row.agent} {row.level}{what}"] = timing
        found |= {f"{game} × {policy}": timing for (game, policy), timing in self.matrix.items()}
        return found | {f"{kind} n = {n}": timing for (kind, n), timing in self.boundary.items()}

    def print(self, console: Console) -> None:
        """The tables, with colours and bars on a terminal, plain in a pipe."""
        picture = _Picture(self, console)
        console.print(picture.tables())
        for note in picture.notes():
            console.print(note, soft_wrap=True)


def measure_ladder(
    game_id: str,
    agent_names: Sequence[str] = (),
    level_names: Sequence[str] = (),
    *,
    effort: Effort = FULL,
    console: Console | None = None,
) -> Ladder:
    """Play, compare and time agents at all levels.

    Args:
        game_id: the id.
        agent_names: shipped agents or policy files; empty for all that are shipped.
        level_names: ``LEVEL`` or ``LEVEL:ISA``, or ``gymnasium``; empty for all that this machine serves.
        effort: how much.
        console: for progress.

    Raises:
        ValueError: an unknown game, agent or level.
        LevelUnavailable: a level that was named cannot be served here.
    """
    start = time.perf_counter()
    console = console or Console(stderr=True)
    game = registry.game(game_id)
    ladder = Ladder(game.id, effort)
    files = [agent_file(game.id, name) for name in agent_names or agents(game.id)]
    files.sort(key=lambda file: LAYERS.index(file.layer))
    reference = not level_names or GYMNASIUM in level_names
    named = [name for name in level_names if name != GYMNASIUM]
    chosen = registry.choose_levels(named) if named or not level_names else []
    wanted = [level for level in chosen if level.available]

    contestants: dict[Any, Contestant] = {}
    with progress_bar(console, f"{game.id}: playing", len(files) * (len(wanted) + reference)) as advance:
        for file in files:
            _play(ladder, game, file, wanted, reference, contestants, advance)
    _compare(ladder)
    _matrix(ladder, game, files, wanted, contestants)
    _boundary(ladder, game, wanted, contestants)

    interleaved = Interleaved(contestants, effort.chunk)
    with progress_bar(console, f"{game.id}: timing", len(contestants) * (effort.rounds + 1)) as advance:
        timings = interleaved.run(effort.rounds, advance)
    for row in ladder.rows:
        row.decision = timings.get(("decision", row.agent, row.level), row.decision)
        row.step = timings.get(("step", row.agent, row.level), row.step)
    ladder.matrix = {key[1:]: timing for key, timing in timings.items() if key[0] == "matrix"}
    ladder.boundary = {key[1:]: timing for key, timing in timings.items() if key[0] == "boundary"}
    ladder.seconds = time.perf_counter() - start
    return ladder


def _play(
    ladder: Ladder,
    game: Game,
    file: AgentFile,
    wanted: Sequence[Level],
    reference: bool,
    contestants: dict[Any, Contestant],
    advance: Callable[[], None],
) -> None:
    effort = ladder.effort
    preparation = file.metadata.get("preparation", "none")
    observations: NDArray[Any] | None = None
    for level in wanted:
        if not _has_row(level, game, file):
            advance()
            continue
        row = Row(file.name, file.layer, str(level), preparation)
        ladder.rows.append(row)
        try:
            agent = Agent(file, level.name, level.isa, seed=0)
            registry.resolve(level.name, _isa_of(game, level), game.isas, game.id)
        except LevelUnavailable as problem:
            row.reason = str(problem)
            advance()
            continue
        play = _player(game, agent, level)
        searches = file.family.spec.searches
        if level.name == "python" or searches:
            # A plan is many steps: as many episodes as there is time for, and at level python one may take long.
            share, first = (1, 2) if level.name == "python" else (SEARCH_SHARE, SEARCH_EPISODES)
            first = 1 if searches and level.name == "python" else min(first, effort.episodes)
            run = play(first)
            seconds = share * effort.python_seconds
            affordable = min(effort.episodes, int(seconds / max(run.seconds / first, 1e-6)))
            if affordable > first:
                run = play(affordable)
        else:
            run = play(effort.episodes)
        row.returns, cost = run.returns, run.seconds / run.steps
        if observations is None:
            observations = _observations(game, file)
        if searches:
            _time_search(row, play, agent, observations, cost, contestants)
        else:
            contestants["step", file.name, str(level)] = _rollout_contestant(play, level, cost)
            contestants["decision", file.name, str(level)] = _decision_contestant(agent, observations, cost)
        advance()
    if reference and file.family.spec.searches:  # a plan needs copies of the game
        advance()
    elif reference:
        row = Row(file.name, file.layer, GYMNASIUM, preparation)
        ladder.rows.append(row)
        agent = Agent(file, "auto", None, seed=0)
        row.returns = _reference_returns(game, file, effort)
        contestants["step", file.name, GYMNASIUM] = _reference_contestant(game, agent)
        advance()


def _has_row(level: Level, game: Game, file: AgentFile) -> bool:
    """Whether a level has a row for an agent: not an isa wider than all that the policy's kernels have, unless
    it is the game's too and the policy has none at all."""
    if level.isa is None or level.isa in file.isas[level.name]:
        return True
    return not file.isas[level.name] and level.isa in game.isas[level.name]


def _isa_of(game: Game, level: Level) -> str | None:
    """The isa of the game where the policy runs at this level: the same, or the game's widest."""
    return level.isa if level.isa in game.isas.get(level.name, ()) else None


def _player(game: Game, agent: Agent, level: Level) -> Callable[..., Any]:
    def play(episodes: int, max_episode_steps: int | None = None) -> Any:
        return rollout(
            game.id,
            agent,
            episodes=episodes,
            level=level.name,
            isa=_isa_of(game, level),
            num_envs=LANES if level.name != "python" else PYTHON_LANES,
            max_episode_steps=max_episode_steps,
        )

    return play


def _rollout_contestant(play: Callable[..., Any], level: Level, cost: float) -> Contestant:
    """Whole episodes; where a step takes `cost` seconds, only as much of them as fits a turn."""
    # Many more episodes than lanes, so that the last ones, which leave lanes idle, weigh little.
    episodes = 8 * LANES if level.name != "python" else 4
    limit = None
    if cost * episodes * LONG_EPISODE > TURN:
        episodes = min(episodes, LANES)
        limit = max(8, int(TURN / cost / episodes))

    def run(times: int) -> tuple[float, float]:
        run = play(times * episodes, limit)
        return run.seconds, float(run.steps)

    return run


def _time_search(
    row: Row,
    play: Callable[..., Any],
    agent: Agent,
    states: NDArray[Any],
    cost: float,
    contestants: dict[Any, Contestant],
) -> None:
    """Whole plans and the steps that they serve. One that takes long is timed as it was played, once: `cost` is the
    seconds of a step, beside which those of the game alone are nothing."""
    tensors = agent.file.tensors
    steps = int(tensors["hold"][0] * tensors["commit"][0])
    plans = max(1, int(TURN / (cost * steps)))
    if cost * steps > LONG_PLAN:
        row.step = row.decision = Timing(cost * 1e9, 0.0, 1)
        return

    def run(times: int) -> tuple[float, float]:
        run = play(times * plans, steps)
        return run.seconds, float(run.steps)

    rows = states[:plans].copy()
    contestants["step", row.agent, row.level] = run
    contestants["decision", row.agent, row.level] = lambda times: (
        agent.repeat(rows, times),
        float(times * len(rows) * steps),
    )


def _observations(game: Game, file: AgentFile) -> NDArray[Any]:
    """Rows that the agent really sees: the first 16 steps of 256 environments. Of a policy that plans, states on the way
    of random actions."""
    envs = VectorEnv(LANES, game=game.id)
    spec, agent = file.family.spec, Agent(file, "auto", None, seed=0)
    envs.action_space.seed(0)
    observation, _ = envs.reset(seed=0)
    seen = []
    for t in range(16):
        if spec.searches:
            seen.append(np.stack([*envs.get_state()["state"].values()], axis=-1).astype(np.float64))
            action = envs.action_space.sample()
        else:
            seen.append(observation)
            action = _decide(agent, observation, t)
        observation = envs.step(action)[0]
    if spec.searches:
        return np.concatenate(seen)
    return np.concatenate([rows_of(batch) for batch in seen])


def _decide(agent: Agent, observation: Any, elapsed: int) -> Any:
    """The action; `elapsed`: the steps since the reset, which not every policy sees."""
    return agent(observation, elapsed=elapsed) if agent.file.family.spec.sees_time else agent(observation)


def _decision_contestant(agent: Agent, observations: NDArray[Any], cost: float) -> Contestant:
    rows = observations[: max(8, int(TURN / cost) // 8 * 8)].copy()
    return lambda times: (agent.repeat(rows, times), float(times * len(rows)))


def _reference_returns(game: Game, file: AgentFile, effort: Effort) -> NDArray[np.float64]:
    """Gymnasium's own episodes of seeds 0, 1, …, with the agent's streams restarted for each."""
    env = gym.make(game.id)
    agent = Agent(file, "auto", None, seed=0)
    limit = game.entry.max_episode_steps or DEFAULT_LIMIT
    returns: list[float] = []
    stop = time.perf_counter() + effort.python_seconds
    while len(returns) < 2 or (len(returns) < effort.episodes and time.perf_counter() < stop):
        observation, _ = env.reset(seed=len(returns))
        agent.seed(len(returns))
        total = 0.0
        for t in range(limit):
            observation, reward, terminated, truncated, _ = env.step(_decide(agent, observation, t))
            total += float(reward)
            if terminated or truncated:
                break
        returns.append(total)
    env.close()
    return np.array(returns)


def _reference_contestant(game: Game, agent: Agent) -> Contestant:
    """Steps of Gymnasium's vector environment at its best size, with the agent's actions."""
    own = gym.spec(game.id).vector_entry_point is not None
    best: tuple[float, Contestant] | None = None
    for n in VECTOR_LANES if own else (SYNC_LANES,):
        envs = gym.make_vec(game.id, num_envs=n, vectorization_mode=None if own else "sync")
        first = envs.reset(seed=0)[0]
        state = [first if isinstance(first, tuple) else np.ascontiguousarray(first)]

        def work(envs: Any = envs, state: list[Any] = state) -> None:
            state[0] = envs.step(_decide(agent, state[0], 0))[0]

        contestant = timed(work, n)
        contestant(2)
        seconds, units = contestant(8)
        if best is None or seconds / units < best[0]:
            best = (seconds / units, contestant)
    assert best is not None
    return best[1]


def _compare(ladder: Ladder) -> None:
    """Per-episode returns of the seeds that all levels played must be equal; of Gymnasium's it is counted how
    many are, since its sine and cosine are not ours."""
    for name in dict.fromkeys(row.agent for row in ladder.rows):
        played = {
            row.level: row.returns for row in ladder.rows if row.agent == name and row.returns is not None
        }
        theirs = played.pop(GYMNASIUM, None)
        if not played:
            continue
        first = next(iter(played))
        common = ladder.compared[name] = min(len(returns) for returns in played.values())
        for level, returns in played.items():
            if returns[:common].tobytes() != played[first][:common].tobytes():
                ladder.unequal.append(f"{name}: {level} differs from {first}")
        if theirs is not None:
            ours = max(played.values(), key=len)[: len(theirs)]
            equal = int((theirs[: len(ours)] == ours).sum())
            ladder.as_gymnasium[name] = (equal, len(ours))


def _matrix(
    ladder: Ladder,
    game: Game,
    files: Sequence[AgentFile],
    wanted: Sequence[Level],
    contestants: dict[Any, Contestant],
) -> None:
    """Every level of the game with every level of the policy, for the best agent that has them all."""
    served = [level for level in wanted if level.isa is None or level.isa in game.isas[level.name]]
    names = list(dict.fromkeys(level.name for level in served))
    means = {row.agent: row.returns.mean() for row in ladder.rows if row.returns is not None}
    full = [file for file in files if file.name in means and not file.family.spec.searches and all(
        name == "python" or file.isas[name] for name in names)]  # fmt: skip
    if not full or len(names) < 2:
        return
    file = max(full, key=lambda file: means[file.name])
    ladder.matrix_agent = file.name

    def widest(name: str, isas: Mapping[str, tuple[str, ...]]) -> Level:
        return [level for level in wanted if level.name == name and level.isa in (None, *isas.get(name, ()))][
            -1
        ]

    for name in names:
        level = widest(name, game.isas)
        for other in names:
            policy = widest(other, file.isas)
            play = _player(game, Agent(file, policy.name, policy.isa, seed=0), level)
            cost = 0.0
            if "python" in (name, other):
                first = play(1)
                cost = first.seconds / first.steps
            contestants["matrix", str(level), str(policy)] = _rollout_contestant(play, level, cost)


def _boundary(
    ladder: Ladder, game: Game, wanted: Sequence[Level], contestants: dict[Any, Contestant]
) -> None:
    """The same steps as a native loop, as calls of the native batch, and through Gymnasium's interface."""
    served = [level for level in wanted if level.isa is None or level.isa in game.isas[level.name]]
    if not served:
        return
    level = served[-1]
    ladder.boundary_level = str(level)
    limit = game.entry.max_episode_steps
    for n in BOUNDARY_SIZES:
        envs = VectorEnv(n, game=game.id, level=level.name, isa=level.isa, max_episode_steps=limit)
        envs.action_space.seed(0)
        batch = Batch(game, n, level.name, level.isa, limit, AutoresetMode.NEXT_STEP, True, {})
        actions = np.stack([envs.action_space.sample() for _ in range(64)])
        envs.reset(seed=0)
        batch.start(np.arange(n), range(n), batch.parse_options(None))
        contestants["boundary", "kernel", n] = _kernel_contestant(batch, actions)
        contestants["boundary", "batch call", n] = timed(_calls(batch.step, actions), 64 * n)
        contestants["boundary", "Gymnasium call", n] = timed(_calls(envs.step, actions), 64 * n)


def _kernel_contestant(batch: Batch, actions: NDArray[Any]) -> Contestant:
    return lambda times: (batch.repeat(actions, times), float(times * actions.shape[0] * actions.shape[1]))


def _calls(step: Callable[[Any], Any], actions: NDArray[Any]) -> Callable[[], None]:
    rows = list(actions)

    def work() -> None:
        for row in rows:
            step(row)

    return work


class _Picture:
    """The ladder as tables."""

    def __init__(self, ladder: Ladder, console: Console) -> None:
        self.ladder = ladder
        self.plain = not console.is_terminal
        longest = max((len(row.preparation) for row in ladder.rows), default=0)
        room = console.width - max(0, longest - len("preparation"))
        self._columns = [
            column
            for column, width in COLUMNS.items()
            if width <= (room if width >= COLUMNS["preparation"] else console.width)
        ]
        if self.plain:
            self._columns.remove("log(ns/step)")

    def tables(self) -> Group:
        parts: list[RenderableType] = [*self._rows()]
        if self.ladder.matrix:
            parts += ["", *self._matrix()]
        if self.ladder.boundary:
            parts += ["", *self._boundary()]
        return Group(*parts, "")

    def _table(self, *columns: str) -> Table:
        table = Table(
            box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="" if self.plain else "bold"
        )
        for column in columns:
            table.add_column(column, justify="left" if column in LEFT else "right", no_wrap=True)
        return table

    def _heading(self, words: str) -> Text:
        return Text(words, style="" if self.plain else "bold cyan")

    def _rows(self) -> list[RenderableType]:
        parts: list[RenderableType] = []
        slowest = max((row.step.median for row in self.ladder.rows if row.step), default=1.0)
        for layer in LAYERS:
            rows = [row for row in self.ladder.rows if row.layer == layer]
            if not rows:
                continue
            table = self._table(*self._columns)
            for i, row in enumerate(rows):
                first = i == 0 or rows[i - 1].agent != row.agent
                if first and i:
                    table.add_row()
                self._add(table, row, first, slowest)
            parts += [self._heading(f"{self.ladder.game}: layer {layer}"), table, ""]
        return parts[:-1]

    def _add(self, table: Table, row: Row, first: bool, slowest: float) -> None:
        name = row.agent if first else ""
        if row.returns is None or row.step is None:
            table.add_row(name, escape(row.level), "unavailable")
            return
        python = next(
            (r.step for r in self.ladder.rows if r.agent == row.agent and r.level == "python" and r.step),
            None,
        )
        share = math.log(max(row.step.median, 1.0)) / math.log(max(slowest, 2.0))
        cells = {
            "agent": name,
            "level": escape(row.level),
            "return ± 95 %": f"{row.returns.mean():.2f}{f' ± {row.interval:.2f}' if len(row.returns) > 1 else ''}",
            "episodes": str(len(row.returns)),
            "ns/decision": _ns(row.decision),
            "ns/step": _ns(row.step),
            "steps/s": short(1e9 / row.step.median),
            "× python": _digits(python.median / row.step.median) if python else "",
            "preparation": row.preparation,
            "log(ns/step)": "█" * max(1, round(BAR * share)),
        }
        table.add_row(*(cells[column] for column in self._columns))

    def _matrix(self) -> list[RenderableType]:
        names = list(dict.fromkeys(policy for _, policy in self.ladder.matrix))
        table = self._table("game \\ policy", *map(escape, names))
        for level in dict.fromkeys(game for game, _ in self.ladder.matrix):
            table.add_row(escape(level), *(_ns(self.ladder.matrix.get((level, policy))) for policy in names))
        title = f"{self.ladder.matrix_agent}: ns/step for each level of the game and of the policy"
        return [self._heading(title), table]

    def _boundary(self) -> list[RenderableType]:
        table = self._table("boundary", *(f"n = {n}" for n in BOUNDARY_SIZES))
        for kind in dict.fromkeys(kind for kind, _ in self.ladder.boundary):
            table.add_row(kind, *(_ns(self.ladder.boundary.get((kind, n))) for n in BOUNDARY_SIZES))
        title = f"The price of the boundary: ns/step at level {self.ladder.boundary_level}, random actions"
        return [self._heading(title), table]

    def notes(self) -> list[Text]:
        """What was compared, what to distrust, and the conditions, a line each."""
        notes: list[Text] = []
        if self.ladder.unequal:
            notes += [Text(f"RETURNS DIFFER: {line}", style="bold red") for line in self.ladder.unequal]
        elif self.ladder.compared:
            counts = ", ".join(f"{name} {count}" for name, count in self.ladder.compared.items())
            notes.append(
                Text(f"Equal returns at all levels, episode by episode of the common seeds: {counts}.")
            )
        if self.ladder.as_gymnasium:
            counts = ", ".join(
                f"{name} {equal} of {count}" for name, (equal, count) in self.ladder.as_gymnasium.items()
            )
            notes.append(Text(f"Returns equal to Gymnasium's: {counts}."))
        notes += [Text(f"{row.agent}: {row.reason}") for row in self.ladder.rows if row.reason]
        timings = self.ladder.timings()
        wide = [name for name, timing in timings.items() if timing.wide]
        if wide:
            notes.append(Text(f"Warning: rounds spread by more than 10 %: {', '.join(wide)}."))
        rounds = min((timing.rounds for timing in timings.values() if timing.rounds > 1), default=0)
        notes.append(
            Text(
                "ns/step is an environment step with its decision, ns/decision the decision alone; "
                f"medians of {rounds} interleaved rounds, one thread, {self.ladder.seconds:.0f} s in all."
            )
        )
        notes.append(Text(conditions_line()))
        return notes


def _digits(value: float) -> str:
    if value >= 1e6:
        return short(value)
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ns(timing: Timing | None) -> str:
    return "" if timing is None else _digits(timing.median)
