# SPDX-License-Identifier: MIT
"""Level python of the policies that plan, the executable specification of the native levels."""
