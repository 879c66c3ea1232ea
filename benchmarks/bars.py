# SPDX-License-Identifier: MIT
"""What each row must reach and what it aims at: at least a ratio, or at most so much of a unit. A row that
falls short is printed as such."""

from typing import Any

KERNEL: dict[str, Any] = {"least": 1.0}  # of assembly over cpp-native, where no row says more

# The kernel over Gymnasium's sync vector environment, which is all that Gymnasium has for these games.
SYNC: dict[str, float] = {
    "MountainCar-v0": 3000,
    "MountainCarContinuous-v0": 3000,
    "Pendulum-v1": 2500,
    "Acrobot-v1": 2000,
    "FrozenLake-v1": 1500,
    "FrozenLake8x8-v1": 1500,
    "Taxi-v4": 1500,
    "CliffWalking-v1": 1500,
    "CliffWalkingSlippery-v1": 1500,
    "Blackjack-v1": 1500,
}
SYNC_CALL = 200  # the same, where both are called from Python with 1024 environments

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
    **{
        game: {
            "asm kernel with refill, n = 1024 / Gymnasium at its best n": {"least": least},
            "VectorEnv.step, n = 1024 / Gymnasium": {"least": SYNC_CALL},
        }
        for game, least in SYNC.items()
    },
}

# The rows of benchmarks/peers, by what is measured, our boundary, and the contestant that must be beaten. An aim
# over gymnax is a multiple of Operant, which cannot be installed here (peers/README.md): elsewhere it took a seventh
# (MountainCar) and a tenth (Pendulum) of gymnax's time, and 2.5 and 1.5 times its speed are aimed at.
PEER_BARS: dict[str, dict[str, float]] = {
    **{f"{game}, kernel / SyncVectorEnv": {"least": least} for game, least in SYNC.items()},
    **{f"{game}, Gymnasium call, n = 1024 / SyncVectorEnv": {"least": SYNC_CALL} for game in SYNC},
    "MountainCar-v0, kernel / gymnax": {"least": 12, "aim": 17.5},
    "MountainCarContinuous-v0, kernel / gymnax": {"least": 10},
    "Pendulum-v1, kernel / gymnax": {"least": 14, "aim": 15},
    "Acrobot-v1, kernel / gymnax": {"least": 8},
    "FrozenLake-v1, kernel / EnvPool": {"least": 90},
    "FrozenLake8x8-v1, kernel / EnvPool": {"least": 90},
    "Taxi-v4, kernel / EnvPool": {"least": 90},
    "CliffWalking-v1, kernel / EnvPool": {"least": 90},
    "CliffWalkingSlippery-v1, kernel / EnvPool": {"least": 90},
    "Blackjack-v1, kernel / EnvPool": {"least": 50},
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
