# SPDX-License-Identifier: MIT
"""Level python of the policy families, the executable specification of the other levels."""
