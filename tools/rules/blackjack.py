# SPDX-License-Identifier: MIT
"""Rules for Blackjack by hand."""

from compute_layers.games.blackjack import HIT, STICK

ACE = 1


def basic_strategy(player: int, dealer: int, usable_ace: int) -> int:
    """Basic strategy for hit and stick (Baldwin, Cantey, Maisel, McDermott 1956), the exact solution of these rules:
    stay on 17, or a usable ace's 19, and earlier against a card with which the dealer often goes bust."""
    if usable_ace:
        stays = player >= 19 or (player == 18 and dealer not in (9, 10, ACE))
    elif player == 12:
        stays = 4 <= dealer <= 6
    else:
        stays = player >= 17 or (player >= 13 and 2 <= dealer <= 6)
    return STICK if stays else HIT
