# SPDX-License-Identifier: MIT
"""Games as Markov decision processes: the tables that planners plan on.

A tabular game is its own table. Blackjack becomes one: of the dealer's hidden card and of cards to come only the
probabilities matter, so that a state is what the player sees, and whether the hand is a natural, which is paid
differently from another 21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any, cast

from . import registry
from .games import blackjack
from .registry import Game, Setting
from .spec import Tuple
from .table import Outcome, Table


@dataclass(frozen=True, eq=False)
class Model:
    """A game as a Markov decision process.

    Attributes:
        game, arguments: whose it is, with these constructor arguments.
        rows: the outcomes, by state and action.
        starts: the probability of each state to be the first.
        observations: for each state what a policy sees in it, the number of an observation; others may see the same.
    """

    game: Game
    arguments: Mapping[str, Any]
    rows: Sequence[Sequence[tuple[Outcome, ...]]]
    starts: Sequence[float]
    observations: Sequence[int]

    @property
    def actions(self) -> int:
        """How many there are in each state."""
        return len(self.rows[0])


def model_of(game: str | Game, arguments: Mapping[str, Any]) -> Model:
    """The model of a game with these constructor arguments.

    Raises:
        ValueError: no such game, it has no table, or the table does not say all of it.
        TypeError: an argument that the game does not have.
    """
    found = registry.game(game)
    setting = found.setting(arguments)
    observations: Sequence[int]
    if setting.table is not None:
        if setting.params.get("fickle_passenger"):
            raise ValueError(
                "fickle_passenger is True; allowed: False, for the table knows of no other passenger"
            )
        table = setting.table
        observations = range(table.states)
    elif found.rules is blackjack:
        table, observations = _blackjack(setting)
    else:
        known = [id for id in registry.games() if has_model(registry.game(id))]
        raise ValueError(f"game is {found.id!r}; allowed: {', '.join(known)}, or a TabularGame")
    for s, actions in enumerate(table.rows):
        for a, row in enumerate(actions):
            for k, outcome in enumerate(row.outcomes[:-1]):
                if outcome.probability < 0.0:
                    raise ValueError(
                        f"P[{s}][{a}][{k}] has probability {outcome.probability!r}; allowed: from 0 on"
                    )
    # Behind the last outcome of a row stands the first one again, for draws.
    rows = [[row.outcomes[:-1] for row in actions] for actions in table.rows]
    return Model(found, arguments, rows, [float(p) for p in table.initial_state_distrib], observations)


def has_model(game: Game) -> bool:
    """Whether there is one of the game as its id has it."""
    return game.spec.table is not None or game.rules is blackjack


# ---- Blackjack ----

Weighted = list[tuple[float, int, float, bool]]  # a row of Gymnasium's P
CARD = 1.0 / len(blackjack.DECK)  # the probability of each in the deck


class _NextCard:
    """In place of a random stream: draws this card of the deck."""

    def __init__(self, index: int) -> None:
        self._index = index

    def integers(self, high: int) -> int:
        return self._index


def _dealers(up: int) -> list[tuple[float, int, int]]:
    """How the dealer who shows this card ends: probability, sum, and whether the first two cards are a natural."""
    ends: dict[tuple[int, int], float] = {}
    hands = [(CARD, *blackjack.two_cards(up, card)) for card in blackjack.DECK]
    while hands:
        probability, total, ace, natural = hands.pop()
        if total < 17:
            drawn = [blackjack.add_card(total, ace, card) for card in blackjack.DECK]
            hands += [(probability * CARD, *hand, 0) for hand in drawn]
        else:
            ends[total, natural] = ends.get((total, natural), 0.0) + probability
    return [(probability, *end) for end, probability in ends.items()]


def _blackjack(setting: Setting) -> tuple[Table, list[int]]:
    """The table, and the observation of each state: first come the observations in their order, then naturals by the
    card that the dealer shows."""
    space, p = setting.observation, SimpleNamespace(**setting.params)
    assert isinstance(space, Tuple)
    sums, cards, aces = (part.n for part in space.spaces)
    dealers = {card: _dealers(card) for card in set(blackjack.DECK)}

    def number(total: int, card: int, ace: int) -> int:
        return (total * cards + card) * aces + ace

    def hand(total: int, ace: int, natural: int, card: int, dealer: int = 4, dealer_natural: int = 0) -> Any:
        return blackjack.State(total, ace, natural, dealer, 0, dealer_natural, card, suit=0, face=0)

    def stick(total: int, ace: int, natural: int, card: int) -> Weighted:
        found: dict[float, float] = {}
        for probability, *dealer in dealers[card]:  # who has drawn: the rules draw nothing more
            state = hand(total, ace, natural, card, *dealer)
            _, reward, _ = blackjack.step(p, state, blackjack.STICK, cast(Any, None))
            found[reward] = found.get(reward, 0.0) + probability
        return [(probability, 0, reward, True) for reward, probability in found.items()]

    def hit(total: int, ace: int, natural: int, card: int) -> Weighted:
        found = []
        for index in range(len(blackjack.DECK)):
            state, reward, terminated = blackjack.step(
                p, hand(total, ace, natural, card), blackjack.HIT, cast(Any, _NextCard(index))
            )
            found.append((CARD, number(state.player_sum, card, state.player_ace), reward, terminated))
        return found

    def rows(total: int, ace: int, natural: int, card: int) -> list[Weighted]:
        return [stick(total, ace, natural, card), hit(total, ace, natural, card)]

    seen = list(product(range(sums), range(cards), range(aces)))
    observations = [*range(len(seen)), *(number(21, card, 1) for card in range(cards))]
    # What no hand is, and a bust one, after which nothing comes.
    over: list[Weighted] = [[(1.0, 0, 0.0, True)]] * 2
    P = [  # noqa: N806 - Gymnasium's name
        rows(total, ace, 0, card) if card and (12 if ace else 4) <= total <= 21 else over
        for total, card, ace in seen
    ]
    P += [rows(21, 1, 1, card) if card else over for card in range(cards)]  # noqa: N806

    starts = [0.0] * len(P)
    for first, second, card in product(blackjack.DECK, repeat=3):
        total, ace, natural = blackjack.two_cards(first, second)
        starts[len(seen) + card if natural else number(total, card, ace)] += CARD * CARD * CARD
    return Table(P, starts), observations
