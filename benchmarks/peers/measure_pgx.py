# SPDX-License-Identifier: MIT
"""pgx: board games in JAX. There is no game yet that both have."""

from __future__ import annotations

import re

import pgx

import compute_layers as cl
from protocol import Protocol, absent


def plain(name: str) -> str:
    """A game's name without version, case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"-v\d+$", "", name).lower())


def main() -> None:
    Protocol("pgx", "jax")
    theirs = {plain(name): name for name in pgx.available_envs()}
    common = [game for game in cl.games() if plain(game) in theirs]
    if common:
        raise NotImplementedError(
            f"{', '.join(common)}: pgx has these too, and this script must measure them"
        )
    absent(f"no common game yet; pgx has {len(theirs)}, and of ours ({', '.join(cl.games())}) none")


if __name__ == "__main__":
    main()
