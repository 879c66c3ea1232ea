# SPDX-License-Identifier: MIT
"""How many processes run the tests."""

from __future__ import annotations

import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """The whole suite takes every core. What is named on the command line runs in one process, where ``-s`` prints and
    where the benchmarks have the machine to themselves."""
    return 0 if config.args_source is pytest.Config.ArgsSource.ARGS else None
