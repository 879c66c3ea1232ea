# SPDX-License-Identifier: MIT
"""The methods of training, a module each; what they have in common is in ``run.py``, their table in ``../train.py``."""
