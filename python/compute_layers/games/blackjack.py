# SPDX-License-Identifier: MIT
"""Blackjack: take cards until you dare no more, without passing 21, and beat the dealer.

## Description
The dealer has one card face up and one face down, the player two face up. Number cards count as they say, jack,
queen and king 10, an ace 1, or 11 (it is *usable* then) while that does not take the hand past 21. Cards come
from an infinite deck: each of the thirteen ranks is drawn with the same probability every time. The player hits
until satisfied or bust; then the dealer draws up to 17 or more, a usable ace included. Example 5.1 of Sutton and
Barto, "Reinforcement Learning: An Introduction" (2018); the order of operations is that of
``gymnasium/envs/toy_text/blackjack.py`` (1.4).

## Action Space
``Discrete(2)``: 0 sticks, 1 hits.

## Observation Space
``Tuple(Discrete(32), Discrete(11), Discrete(2))``: the player's sum (a usable ace counts 11), the dealer's card
(an ace is 1), whether the player has a usable ace. One observation is a tuple of three ints, a batch a tuple of
three int64 arrays.

## Rewards
0 for a hit that does not bust, -1 for one that does. After sticking 1 if the player's sum is higher or the dealer
is bust, 0 if the sums are equal, -1 if the dealer's is higher. A *natural* is an ace and a ten as the first two
cards. With ``sab=True`` the player's natural wins 1 against anything but the dealer's. With ``natural=True`` and
``sab=False`` a natural that wins pays 1.5.

## Starting State
Four cards: the dealer's two, of which the first one is up, then the player's. Then the suit of the card that is
up, and, if that card counts 10, whether it is a jack, a queen or a king, for the picture alone. A natural is not
settled before the first action.

Each draw takes 32 bits of a 64-bit output, so that the half that is left over goes on into the next episode.

## Episode End
Terminated by sticking and by a bust. No time limit.

## Arguments
``natural=False``, ``sab=False``; the id ``Blackjack-v1`` sets ``sab=True``, under which ``natural`` counts for
nothing. Both are attributes that may be set; as a number, anything but 0 is true, and they read as 0.0 and 1.0.

## Differences from Gymnasium
The cards themselves are not kept, only what the rules need to know of them: there are no attributes ``player``
and ``dealer``. The picture is the same. A player who goes on hitting after a bust leaves the observation space,
as in Gymnasium.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, get_type_hints

from ..pcg64 import PCG64
from ..spec import Discrete, Id, Spec, Tuple


class Params(Protocol):
    natural: float
    sab: float


class State(NamedTuple):
    player_sum: int  # a usable ace counts 11
    player_ace: int  # whether one is usable
    player_natural: int
    dealer_sum: int
    dealer_ace: int
    dealer_natural: int
    dealer_card: int  # the one that is up
    suit: int  # its position in SUITS
    face: int  # its position in FACES, if it counts 10


DECK = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10)
SUITS = ("C", "D", "H", "S")
FACES = ("J", "Q", "K")

STICK, HIT = 0, 1


def params(natural: bool = False, sab: bool = False) -> dict[str, float | str]:
    return {"natural": natural, "sab": sab}


def pose(params: Mapping[str, Any], state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Hands with the same sum and usable ace, which is all that is drawn of them."""
    total, card = state["player_sum"], state["dealer_card"]
    value = {1: "A", 10: FACES[state["face"]]}.get(card, str(card))
    return {
        "player": [1, total - 11] if state["player_ace"] else [total],
        "dealer": [card],
        "dealer_top_card_suit": SUITS[state["suit"]],
        "dealer_top_card_value_str": value,
    }


SPEC = Spec(
    ids={"Blackjack-v1": Id(kwargs={"sab": True, "natural": False})},
    state=get_type_hints(State),
    observation=Tuple((Discrete(32), Discrete(11), Discrete(2))),
    action=Discrete(2),
    params=params,
    render_fps=4,
    bounds={
        "player_sum": (
            4,
            127,
        ),  # at most 31 in play; far beyond for whoever hits again and again after a bust
        "player_ace": (0, 1),
        "player_natural": (0, 1),
        "dealer_sum": (4, 26),
        "dealer_ace": (0, 1),
        "dealer_natural": (0, 1),
        "dealer_card": (1, 10),
        "suit": (0, 3),
        "face": (0, 2),
    },
    pose=pose,
    step_draws=True,
)


def draw_card(rng: PCG64) -> int:
    return DECK[rng.integers(13)]


def add_card(total: int, ace: int, card: int) -> tuple[int, int]:
    """Sum and usable ace of a hand with one card more. An ace that is not usable never becomes so again."""
    hard = (total - 10 * ace) + card
    usable = int((ace == 1 or card == 1) and hard + 10 <= 21)
    return hard + 10 * usable, usable


def two_cards(first: int, second: int) -> tuple[int, int, int]:
    """Sum, usable ace and whether it is a natural. An ace among two cards is always usable."""
    ace = int(first == 1 or second == 1)
    total = first + second + 10 * ace
    return total, ace, int(total == 21)


def reset(p: Params, options: object, rng: PCG64) -> State:
    dealer_card, dealer_second = draw_card(rng), draw_card(rng)
    player_first, player_second = draw_card(rng), draw_card(rng)
    suit = rng.integers(len(SUITS))
    face = rng.integers(len(FACES)) if dealer_card == 10 else 0
    player, dealer = two_cards(player_first, player_second), two_cards(dealer_card, dealer_second)
    return State(*player, *dealer, dealer_card, suit, face)


def step(p: Params, state: State, action: int, rng: PCG64) -> tuple[State, float, bool]:
    player, player_ace, player_natural = state.player_sum, state.player_ace, state.player_natural
    dealer, dealer_ace = state.dealer_sum, state.dealer_ace

    # [1] cards
    if action == HIT:
        player, player_ace = add_card(player, player_ace, draw_card(rng))
        player_natural = 0
    else:
        while dealer < 17:
            dealer, dealer_ace = add_card(dealer, dealer_ace, draw_card(rng))

    # [2] termination and reward
    bust = player > 21
    terminated = action == STICK or bust
    if action == HIT:
        reward = -1.0 if bust else 0.0
    else:
        # A hand that is bust scores 0.
        player_score, dealer_score = (0 if bust else player), (0 if dealer > 21 else dealer)
        reward = float(player_score > dealer_score) - float(player_score < dealer_score)
        if p.sab and player_natural and not state.dealer_natural:
            reward = 1.0
        elif not p.sab and p.natural and player_natural and reward == 1.0:
            reward = 1.5

    moved = state._replace(
        player_sum=player,
        player_ace=player_ace,
        player_natural=player_natural,
        dealer_sum=dealer,
        dealer_ace=dealer_ace,
    )
    return moved, reward, terminated


# [3] observation
def observe(p: Params, state: State) -> tuple[int, ...]:
    return state.player_sum, state.dealer_card, state.player_ace
