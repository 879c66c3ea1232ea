# SPDX-License-Identifier: MIT
"""``python -m compute_layers``: the command ``compute-layers``."""

from .cli import app

app(prog_name="compute-layers")
