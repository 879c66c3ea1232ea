# SPDX-License-Identifier: MIT
"""Plays what others have published and writes the table of docs/verdict.md: theirs, ours, and whether they agree.

    python tools/reproduce.py            write the table
    python tools/reproduce.py --check    exit with 1 and print the differences if it would change

The agents are made here, or are shipped. Episodes are those of the seeds 0, 1, …; no figure depends on the machine.
"""

from __future__ import annotations

import argparse
import difflib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pages import table, text_of

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import FORMAT_VERSION, Agent, AgentFile, tensor_forms
from compute_layers.planning import value_iteration

PAGE = Path(__file__).parents[1] / "docs" / "verdict.md"
BEGIN, END = "<!-- reproduced: written by tools/reproduce.py -->", "<!-- end of reproduced -->"
CONFIDENCE = 0.99

GYMNASIUM = "Gymnasium 1.4, 300 to 1000 episodes"
EXACT = "exact"
XIAO = "Xiao, 100,000 episodes"

# As many as theirs have; more of what is cheap and where theirs is exact.
SAMPLED, MANY, HANDS = 1000, 100_000, 1_000_000


@dataclass(frozen=True)
class Figure:
    """A published mean return, and what plays for it here.

    Attributes:
        agent: in words. player: a loaded agent, or the name of a shipped one.
        theirs: with as many digits as were published.
        arguments: of the game.
    """

    game: str
    agent: str
    theirs: str
    source: str
    player: Agent | str
    episodes: int = SAMPLED
    arguments: dict[str, Any] = field(default_factory=dict)


# ---- agents ----


def temporary(id: str, family: str, head: str, choices: dict[str, str], **tensors: ArrayLike) -> Agent:
    """An agent that is no file."""
    found = registry.game(id)
    forms = tensor_forms(
        found, registry.family(family), head, {name: np.shape(value) for name, value in tensors.items()}
    )
    metadata = {"family": family, "layer": "algorithm", "head": head, "version": FORMAT_VERSION, **choices}
    arrays = {name: np.array(value, forms[name][0]) for name, value in tensors.items()}
    return Agent(AgentFile("temporary", found, metadata, arrays), "auto", None, seed=0)


def push_right_if(*weights: float) -> Agent:
    """CartPole: right if the weighted sum of x, x_dot, theta and theta_dot is above 0."""
    return temporary("CartPole-v1", "linear", "threshold", {}, W=[weights], b=[0])


def stump(id: str, feature: int, threshold: float, low: int, high: int) -> Agent:
    """Action `high` if a number of the observation is above the threshold, else `low`."""
    return temporary(
        id,
        "tree",
        "vote",
        {},
        feature=[feature, -2, -2],
        threshold=[threshold, 0, 0],
        left=[1, -1, -1],
        right=[2, -1, -1],
        leaf=[0, low, high],
    )


def full_force_if_either() -> Agent:
    """MountainCarContinuous: force 1 if position + 4 velocity > 0 or 13 velocity - 0.6 - position > 0, else -1; that is
    the sign of the larger one, b + relu(a - b), as a large multiple that is clipped."""
    large = 1e6
    return temporary(
        "MountainCarContinuous-v0",
        "mlp",
        "box",
        {"activation": "relu"},
        W0=[[-1, 13], [1, -13], [2, -9]],  # b, -b, a - b
        b0=[-0.6, 0.6, 0.6],
        W1=[[large, -large, large]],
        b1=[0],
    )


def solved(id: str, discount: float = 1.0, **arguments: Any) -> Agent:
    """The table that value iteration finds, the first of the best actions in each state."""
    plan = value_iteration(id, gamma=discount, **arguments)
    return temporary(id, "table", "vote", {}, actions=plan.actions)


def figures() -> list[Figure]:
    """All of them."""
    cart, car, lake = "CartPole-v1", "MountainCar-v0", "FrozenLake-v1"
    below_zero = float(np.nextafter(np.float32(0), np.float32(-1)))
    plain, natural = {"sab": False, "natural": False}, {"sab": False, "natural": True}
    rain = {"is_rainy": True}
    return [
        Figure(cart, "random", "22.2", GYMNASIUM, "random"),
        Figure(cart, "theta > 0", "41.7", GYMNASIUM, push_right_if(0, 0, 1, 0)),
        Figure(cart, "theta_dot > 0", "198", GYMNASIUM, push_right_if(0, 0, 0, 1)),
        Figure(cart, "theta + theta_dot > 0", "482", GYMNASIUM, push_right_if(0, 0, 1, 1)),
        Figure(cart, "3 theta + theta_dot > 0: `pd`", "500.0", GYMNASIUM, "pd"),
        Figure(
            cart,
            "0.05 x + 0.1 x_dot + theta + theta_dot > 0",
            "500.0",
            GYMNASIUM,
            push_right_if(0.05, 0.1, 1, 1),
        ),
        Figure(
            cart, "theta > 0 ? theta_dot > -0.5 : theta_dot > 0.5: `tree-2`", "500.0", GYMNASIUM, "tree-2"
        ),
        Figure(car, "random", "-200", GYMNASIUM, "random"),
        Figure(
            car, "sign of the velocity, right at rest", "-119.6", GYMNASIUM, stump(car, 1, below_zero, 0, 2)
        ),
        Figure(car, "sign of the velocity, left at rest", "-129.2", GYMNASIUM, stump(car, 1, 0, 0, 2)),
        Figure(
            "MountainCarContinuous-v0",
            "1 if position > -4 velocity or position < 13 velocity - 0.6, else -1",
            "93.357",
            XIAO,
            full_force_if_either(),
            MANY,
        ),
        Figure("Acrobot-v1", "random", "-499", GYMNASIUM, "random"),
        Figure("Acrobot-v1", "-sign(theta_dot1): `swing`", "-84.4", GYMNASIUM, "swing"),
        Figure("Pendulum-v1", "random", "-1225", GYMNASIUM, "random"),
        Figure(lake, "random", "0.0139", EXACT, "random", MANY),
        Figure(lake, "value iteration", "0.7402", EXACT, solved(lake, 0.999), MANY),
        Figure(lake, "best under the time limit: `optimal`", "0.7442", EXACT, "optimal", MANY),
        Figure(
            "FrozenLake8x8-v1", "value iteration", "0.886", EXACT, solved("FrozenLake8x8-v1", 0.999), MANY
        ),
        Figure("FrozenLake8x8-v1", "best under the time limit: `optimal`", "0.9132", EXACT, "optimal", MANY),
        Figure("Taxi-v4", "value iteration", "7.93", EXACT, solved("Taxi-v4"), MANY),
        Figure("Taxi-v4", "the shortest way: `shortest-way`", "7.93", EXACT, "shortest-way", MANY),
        Figure("Taxi-v4", "value iteration, is_rainy", "3.955", EXACT, solved("Taxi-v4", **rain), MANY, rain),
        Figure("CliffWalking-v1", "value iteration", "-13", EXACT, solved("CliffWalking-v1"), MANY),
        Figure(
            "CliffWalkingSlippery-v1",
            "value iteration",
            "-64.71",
            EXACT,
            solved("CliffWalkingSlippery-v1"),
            MANY,
        ),
        Figure("Blackjack-v1", "`basic-strategy`", "-0.0431", EXACT, "basic-strategy", HANDS),
        Figure("Blackjack-v1", "the same, sab=False", "-0.0466", EXACT, "basic-strategy", HANDS, plain),
        Figure(
            "Blackjack-v1",
            "the same, sab=False, natural=True",
            "-0.0257",
            EXACT,
            "basic-strategy",
            HANDS,
            natural,
        ),
    ]


# ---- the table ----


def half_interval(returns: NDArray[np.float64]) -> float:
    """Half the interval of the mean, from the normal distribution."""
    deviations = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    return float(deviations * returns.std(ddof=1) / math.sqrt(len(returns)))


def decimals(published: str) -> int:
    return len(published.partition(".")[2])


def agrees(published: str, mean: float, half: float) -> bool:
    """Whether a number that rounds to the published one lies in the interval."""
    rounding = 0.5 * 10.0 ** -decimals(published)
    return abs(mean - float(published)) <= half + rounding


def row(figure: Figure) -> tuple[str, ...]:
    """Play a figure's episodes; its row of the table."""
    run = cl.rollout(figure.game, figure.player, episodes=figure.episodes, **figure.arguments)
    mean, half = float(run.returns.mean()), half_interval(run.returns)
    places = decimals(figure.theirs) + 1
    return (
        figure.game,
        figure.agent,
        figure.theirs,
        figure.source,
        f"{mean:.{places}f}",
        f"{mean - half:.{places}f} to {mean + half:.{places}f}",
        f"{figure.episodes:,}",
        "inside" if agrees(figure.theirs, mean, half) else "OUTSIDE",
    )


def with_table(text: str) -> str:
    """The page with its table made anew.

    Raises:
        ValueError: the marks around the table are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks {BEGIN} or {END}")
    head = ("game", "agent", "theirs", "from", "ours", "99 % interval", "episodes", "theirs is")
    return f"{before}{begin}\n{text_of([table(head, map(row, figures()))])}{end}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the table, or says what would change."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the table differs"
    )
    check = parser.parse_args(arguments).check
    old = PAGE.read_text(encoding="utf-8")
    new = with_table(old)
    if check:
        lines = list(difflib.unified_diff(old.split("\n"), new.split("\n"), PAGE.name, "played", lineterm=""))
        print(*(lines or [f"{PAGE.name}: {len(figures())} figures, none has changed"]), sep="\n")
        return int(bool(lines))
    PAGE.write_text(new, encoding="utf-8")
    print(f"{PAGE}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
