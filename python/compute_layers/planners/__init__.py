# SPDX-License-Identifier: MIT
"""Level python of the planners, the executable specification of the other levels."""
