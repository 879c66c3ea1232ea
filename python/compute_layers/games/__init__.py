# SPDX-License-Identifier: MIT
"""Level python of the games: one file of rules each, the executable specification of the other levels."""
