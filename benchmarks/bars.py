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
        "agent(obs), one observation, mlp-64x64": {"most": 800, "unit": "ns over an empty call"},
        "rollout, 2 threads / 1 thread": {"least": 1.85},
        "rollout, 1M lanes / 1k lanes": {"most": 1.1, "unit": "of the cost per step"},
        "import and first step of 1024 lanes": {"most": 0.3, "unit": "s over import gymnasium"},
        "train linear from a cold start": {"most": 2, "unit": "s"},
    },
}

# The rows of benchmarks/peers, by what is measured, our boundary, and the contestant that must be beaten.
PEER_BARS: dict[str, dict[str, float]] = {
    "mlp 4-64-64-2 tanh, call from Python, n = 1 / onnxruntime": {"least": 20},
    "mlp 4-64-64-2 tanh, call from Python, n = 1 / PyTorch eager": {"least": 50},
    "mlp 4-64-64-2 tanh, call from Python, n = 1024 / onnxruntime": {"least": 1.35, "aim": 1.6},
    "tree of depth 8, call from Python, n = 1 / scikit-learn predict": {"least": 200},
    "tree of depth 8, call from Python, n = 1024 / the better of tree_.apply and m2cgen C": {
        "least": 1.5,
        "aim": 2,
    },
    "rollout of mlp-64x64, rollout, n = 256 / cpp environment + onnxruntime": {"least": 1.3},
}
