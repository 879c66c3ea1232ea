# SPDX-License-Identifier: MIT
"""Level python of the learners, the executable specification of the other levels."""
