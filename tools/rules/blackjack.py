# SPDX-License-Identifier: MIT
"""Basic strategy for hit and stick against a dealer who stands on a soft 17, cards with replacement.

R. Baldwin, W. Cantey, H. Maisel, J. McDermott, "The Optimum Strategy in Blackjack" (1956), and the exact solution
of these rules, which it equals.
"""

ACE = 1
STICK, HIT = 0, 1


def action(player: int, dealer: int, usable_ace: int) -> int:
    """What to do with this sum against the card that the dealer shows."""
    weak = 2 <= dealer <= 6  # a dealer who often goes bust
    if usable_ace:
        stays = player >= 19 or (player == 18 and dealer not in (9, 10, ACE))
    elif player == 12:
        stays = 4 <= dealer <= 6
    else:
        stays = player >= 17 or (player >= 13 and weak)
    return STICK if stays else HIT
