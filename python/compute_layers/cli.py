# SPDX-License-Identifier: MIT
"""The command ``compute-layers``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from gymnasium.error import DependencyNotInstalled
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import _core, registry
from .agents import agent_file, agents
from .registry import LevelUnavailable

if TYPE_CHECKING:
    from .lower import Lowering
    from .train import Training

PIPE_WIDTH = 200  # columns of a table that no terminal limits

app = typer.Typer(
    help="The same games and agents as inline assembly, C++ and Python: what each layer costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH, highlight=False)


def _plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Errors that a user can mend are one line, not a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError, LevelUnavailable, DependencyNotInstalled) as problem:
            print(f"compute-layers: {problem}", file=sys.stderr)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return run


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _version(wanted: bool) -> None:
    if wanted:
        print(_core.__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("games")
@_plainly
def _games() -> None:
    """The games, and the levels that this machine serves."""
    table = _table("game", "stem", "limit", "agents", "levels")
    for id in registry.games():
        game = registry.game(id)
        served = [
            str(level)
            for level in registry.levels()
            if level.available and (level.isa is None or level.isa in game.isas[level.name])
        ]
        limit = game.entry.max_episode_steps
        table.add_row(id, game.stem, str(limit or "none"), str(len(agents(id))), escape(", ".join(served)))
    _console().print(table)


@app.command("agents")
@_plainly
def _agents(game: Annotated[str | None, typer.Argument(help="A game's id; all if left out.")] = None) -> None:
    """The agents that are shipped, with their layer, family and measured return."""
    table = _table("game", "agent", "layer", "family", "return", "from")
    for id in registry.games() if game is None else [game]:
        for name in agents(id):
            file = agent_file(id, name)
            said = file.metadata
            table.add_row(
                file.game.id,
                name,
                file.layer,
                file.family.stem,
                said.get("return", ""),
                said.get("source") or said.get("command", ""),
            )
    _console().print(table)


@app.command("levels")
@_plainly
def _levels() -> None:
    """The levels, whether this machine can serve them, and why not."""
    table = _table("level", "available", "why not")
    for level in registry.levels():
        table.add_row(escape(str(level)), "yes" if level.available else "no", level.reason)
    _console().print(table)


@app.command("ladder")
@_plainly
def _ladder(
    game: Annotated[str | None, typer.Argument(help="A game's id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All games, one after the other.")] = False,
    agent: Annotated[
        str | None,
        typer.Option("--agents", help="Names or policy files, separated by commas; all if left out."),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option("--levels", help="LEVEL, LEVEL:ISA or gymnasium, separated by commas; all if left out."),
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(min=2, help="Episodes of a native level; level python plays fewer.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer episodes and rounds: seconds, not minutes.")
    ] = False,
    verdict: Annotated[
        bool,
        typer.Option(
            "--verdict",
            help="Instead of the tables, a row a game: the best agent, and the cheapest within 5 % of it.",
        ),
    ] = False,
    to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """The same agents at every level: return against nanoseconds."""
    from dataclasses import replace

    from .ladder import FULL, GYMNASIUM, QUICK, measure_ladder
    from .statistics import require_scipy
    from .verdict import judge, print_verdicts

    if (game is None) != everything:
        raise ValueError(f"game is {game!r}, --all is {everything}; allowed: the id of a game, or --all")
    if to is not None and not to.parent.is_dir():  # not only after minutes of measuring
        raise FileNotFoundError(f"--json is {str(to)!r}; there is no directory {str(to.parent)!r}")
    level_names = level.split(",") if level else []
    if verdict:
        require_scipy()
        if level_names and set(level_names) == {GYMNASIUM}:
            raise ValueError(f"--levels is {level!r}; allowed with --verdict: at least one level of ours")
    effort = QUICK if quick else FULL
    if episodes is not None:
        effort = replace(effort, episodes=episodes)
    console = _console()
    found = []
    verdicts = []
    unequal = []
    for id in registry.games() if game is None else [game]:
        ladder = measure_ladder(
            id,
            agent.split(",") if agent else (),
            level_names,
            effort=effort,
            console=_console(stderr=True),
        )
        found.append(ladder.as_dict())
        if verdict:
            verdicts.append(judge(ladder))
            found[-1]["verdict"] = verdicts[-1].as_dict()
        else:
            ladder.print(console)
        unequal += [f"{id}: {line}" for line in ladder.unequal]
        if to is not None:
            to.write_text(json.dumps(found[0] if game else found, indent=1) + "\n")
    if verdict:
        print_verdicts(verdicts, console)
        for line in unequal:
            console.print(f"RETURNS DIFFER: {line}", style="bold red", markup=False, soft_wrap=True)
    if unequal:
        raise typer.Exit(1)


@app.command("train")
@_plainly
def _train(
    game: Annotated[str, typer.Argument(help="A game's id.")],
    family: Annotated[str, typer.Option(help="linear, mlp, tree or table: what kind of policy.")],
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")],
    method: Annotated[
        str | None,
        typer.Option(
            help="cma-es, openai-es, threshold-search, ppo, q-learning or sarsa; the first that trains the family if left out."
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="argmax, threshold or box; the first that fits the game if left out.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Rows of the hidden layers of mlp, 64,64 if left out.")
    ] = None,
    activation: Annotated[str | None, typer.Option(help="Of mlp: tanh, relu or sigmoid.")] = None,
    depth: Annotated[
        int | None, typer.Option(help="Comparisons of a tree's decision, 4 if left out: threshold-search.")
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(
            help="Candidates to evaluate at most, 10,000 if left out: all but ppo; of a table parts of its steps, of 20."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Steps to learn from: at most 100,000 of ppo, 1,000,000 of a table, if left out."),
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="Of a table: the step size at first, 0.1.")] = None,
    gamma: Annotated[float | None, typer.Option(help="Of a table: the discount, 0.999.")] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Of a table: the probability of random actions at first, 1.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Seconds to train at most.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the agent to this .safetensors file.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Write what --resume needs to this file at the end.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="A checkpoint to go on from; all but the budget as it was.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Train an agent. Ctrl-C ends it with the best agent so far."""
    from .measure import short
    from .train import train
    from .training.run import Progress

    _check_outputs(save, to, checkpoint)
    options = {
        "depth": depth,
        "evaluations": evaluations,
        "steps": steps,
        "alpha": alpha,
        "gamma": gamma,
        "epsilon": epsilon,
    }
    with _reports(f"{game}/{family}", seconds) as show:

        def report(at: Progress) -> None:
            show(
                at.seconds,
                at.best,
                at.share,
                f"return {at.recent:.1f}, best {at.best:.1f}",
                f"{at.evaluations} evaluations, {short(at.steps)} steps: return {at.best:.2f}",
            )

        training = train(
            game,
            family,
            seed=seed,
            method=method,
            head=head,
            layers=None if layers is None else _numbers("--layers", layers),
            choices={} if activation is None else {"activation": activation},
            seconds=seconds,
            checkpoint=checkpoint,
            resume=resume,
            report=report,
            **{name: value for name, value in options.items() if value is not None},
        )
    _hand_over(training, save, to)


@contextmanager
def _reports(what: str, seconds: float | None) -> Iterator[Callable[[float, float, float, str, str], None]]:
    """A bar that shows how much of the budget is spent, and a line whenever there is a better agent.

    Args:
        seconds: the budget of time, if there is one.

    Yields:
        What is called with the seconds and the best return so far, the share of the other budgets that is spent, and
        the words for the bar and the line.
    """
    from .measure import progress_bar

    console = _console(stderr=True)
    with progress_bar(console, what, 1.0) as advance:
        shown, best = 0.0, -inf

        def show(at: float, reached: float, spent: float, short: str, long: str) -> None:
            nonlocal shown, best
            share = max(spent, at / seconds if seconds else 0.0)
            advance(share - shown, f"{what}: {short}")
            if reached > best:
                console.print(f"{at:.2f} s, {long}")
            shown, best = share, reached

        yield show


def _hand_over(made: Training | Lowering, save: Path | None, to: Path | None) -> None:
    """Write what came out, and print it."""
    if save is not None:
        made.save(save)
    if to is not None:
        to.write_text(json.dumps(made.as_dict(), indent=1) + "\n")
    made.print(_console())
    if made.stopped == "interrupted":
        raise typer.Exit(130)


def _check_outputs(save: Path | None, to: Path | None = None, checkpoint: Path | None = None) -> None:
    """Refuse files that cannot be written, not only after minutes of work."""
    for name, file in (("--save", save), ("--json", to), ("--checkpoint", checkpoint)):
        if file is not None and not file.parent.is_dir():
            raise FileNotFoundError(f"{name} is {str(file)!r}; there is no directory {str(file.parent)!r}")
    if save is not None and save.suffix != ".safetensors":
        raise ValueError(f"--save is {str(save)!r}; allowed: a name that ends in .safetensors")


def _numbers(name: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{name} is {text!r}; allowed: integers separated by commas") from None


@app.command("lower")
@_plainly
def _lower(
    agent: Annotated[str, typer.Argument(help="The teacher: a shipped agent's name or a policy file.")],
    game: Annotated[str, typer.Option(help="The game's id.")],
    to: Annotated[str, typer.Option(help="The family: tree, linear, mlp or table.")] = "tree",
    depth: Annotated[
        int | None, typer.Option(help="Comparisons of a tree's decision at most, 4 if left out.")
    ] = None,
    leaves: Annotated[int | None, typer.Option(help="Leaves of a tree at most.")] = None,
    layers: Annotated[
        str | None, typer.Option(help="Rows of the hidden layers of an mlp, 16 if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    rounds: Annotated[int | None, typer.Option(help="Of play and fitting, 4 if left out.")] = None,
    evaluations: Annotated[
        int | None, typer.Option(help="Candidates of the search at most, 20,000 if left out.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Seconds at most.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the agent to this .safetensors file.")] = None,
    to_json: Annotated[
        Path | None, typer.Option("--json", help="Also write the report to this file.")
    ] = None,
) -> None:
    """Make a cheaper agent that plays as a given one does. Ctrl-C ends it with the best so far."""
    from .lower import EVALUATIONS, ROUNDS, Progress, lower

    _check_outputs(save, to_json)
    most = ROUNDS if rounds is None else rounds
    budget = EVALUATIONS if evaluations is None else evaluations
    with _reports(f"{game}/{agent}", seconds) as show:

        def report(at: Progress) -> None:
            show(
                at.seconds,
                at.best,
                (at.rounds + at.evaluations / max(budget, 1)) / (most + 1),
                f"return {at.best:.2f} of {at.goal:.2f}",
                f"round {at.rounds}, {at.evaluations} evaluations: return {at.best:.3f} of {at.goal:.3f}",
            )

        lowering = lower(
            agent,
            game,
            to,
            depth=depth,
            leaves=leaves,
            layers=None if layers is None else _numbers("--layers", layers),
            seed=seed,
            rounds=most,
            evaluations=budget,
            seconds=seconds,
            report=report,
        )
    _hand_over(lowering, save, to_json)


@app.command("plan")
@_plainly
def _plan(
    game: Annotated[str, typer.Argument(help="A tabular game's id, or Blackjack-v1.")],
    method: Annotated[
        str, typer.Option(help="value-iteration, policy-iteration or backward-induction.")
    ] = "value-iteration",
    gamma: Annotated[
        float | None,
        typer.Option(help="The discount, 0 to 1; 0.999 if left out, of backward induction 1."),
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="By which values may still move; 1e-10 if left out.")
    ] = None,
    level: Annotated[str, typer.Option(help="LEVEL or LEVEL:ISA.")] = "auto",
    save: Annotated[Path | None, typer.Option(help="Write the agent to this .safetensors file.")] = None,
) -> None:
    """Find the best policy on a game's table, by dynamic programming."""
    from .planning import BACKWARD_INDUCTION, METHODS, Plan, agent_of, backward_induction

    methods: dict[str, Callable[..., Plan]] = {**METHODS, BACKWARD_INDUCTION: backward_induction}
    if method not in methods:
        raise registry.unknown("--method", method, methods)
    if method == BACKWARD_INDUCTION and tolerance is not None:
        raise ValueError(f"--tolerance is {tolerance}; {method} has none: it makes as many sweeps as steps")
    _check_outputs(save)
    name, _, isa = level.partition(":")
    given: dict[str, Any] = {"gamma": gamma, "tolerance": tolerance}
    plan = methods[method](
        game,
        **{option: value for option, value in given.items() if value is not None},
        level=name,
        isa=isa or None,
    )
    file = agent_of(plan, save)
    if save is not None:
        file.save(save)
    said, ran = file.metadata, registry.Level(plan.level, plan.isa)
    for line in (
        f"{file.game.id}/{file.name}: return {said['return']}; {said['exact']}",
        f"{said['preparation']} at {ran}",
        said["command"],
    ):
        _console().print(line, soft_wrap=True, markup=False)


@app.command("show")
@_plainly
def _show(game: Annotated[str, typer.Argument(help="A game's id or stem.")]) -> None:
    """A game's rules at every level, side by side."""
    from .show import show

    show(game, _console())


@app.command("check")
@_plainly
def _check(
    game: Annotated[
        list[str] | None, typer.Option("--game", help="An id; all if left out. May be repeated.")
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option("--level", help="LEVEL or LEVEL:ISA; all if left out. May be repeated."),
    ] = None,
    bench: Annotated[bool, typer.Option("--bench", help="After the checks the quick ladder.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the random part.")] = 0,
    update: Annotated[
        bool, typer.Option("--update", help="Write the digests instead of comparing them.")
    ] = False,
) -> None:
    """Whether all levels give the same bytes on this machine."""
    from .check import check
    from .ladder import QUICK, measure_ladder

    console = _console()
    report = check(game or (), level or (), seed=seed, update=update, console=console)
    if not report.ok:
        raise typer.Exit(1)
    if bench:
        for id in game or registry.games():
            measure_ladder(id, (), level or (), effort=QUICK, console=_console(stderr=True)).print(console)
