# SPDX-License-Identifier: MIT
"""What each row must reach and what it aims at: at least a ratio, or at most so much of a unit. A row that
falls short is printed as such."""

from typing import Any

KERNEL: dict[str, Any] = {"least": 1.0}  # of assembly over cpp-native, where no row says more

BARS: dict[str, dict[str, dict[str, Any]]] = {
    "CartPole-v1": {
        "asm kernel with refill, n = 1024 / Gymnasium at its best n": {"least": 10, "aim": 15},
        "asm kernel with refill, n = 1024 / cpp-native": {"least": 1.3, "aim": 1.5},
        "asm kernel without resets, n = 1024 / cpp-native": {"least": 1.3, "aim": 1.5},
        "VectorEnv.step, n = 1024 / Gymnasium": {"least": 10, "aim": 15},
        "VectorEnv.step, n = 1 / Gymnasium": {"least": 25},
        "gym.make, level cpp / Gymnasium": {"least": 4},
        "rollout pd, asm x asm / the rule in Python on Gymnasium": {"least": 1500},
        "agent(obs), one observation, pd": {"most": 600, "unit": "ns over an empty call"},
        "rollout, 2 threads / 1 thread": {"least": 1.85},
        "rollout, 1M lanes / 1k lanes": {"most": 1.1, "unit": "of the cost per step"},
        "import and first step of 1024 lanes": {"most": 0.3, "unit": "s over import gymnasium"},
    },
}
