# SPDX-License-Identifier: MIT
"""ONNX Runtime, with NumPy beside it: a network's decisions, and whole episodes in our C++ environments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import compute_layers as cl
from compute_layers.agents import Agent, AgentFile
from compute_layers.measure import Contestant, timed
from contestants import environments, widest
from policies import (
    GAME,
    NETWORK,
    Array,
    Opponent,
    buffers,
    describe,
    layers,
    measure,
    network,
    singles,
)
from protocol import Key, Protocol

ROLLOUT = "rollout"
LANES = 256
LOOP_SIZES = (64, 256, 1024, 4096, 16384)


def exported(file: AgentFile, decide: bool) -> bytes:
    """The network in ONNX: Gemm and Tanh for each layer; with ``decide`` ArgMax at the end."""
    nodes, weights, x = [], [], "observation"
    last = len(layers(file)) - 1
    for i, (weight, bias) in enumerate(layers(file)):
        weights += [numpy_helper.from_array(weight, f"W{i}"), numpy_helper.from_array(bias, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [x, f"W{i}", f"b{i}"], [f"y{i}"], transB=1))
        x = f"y{i}"
        if i < last:
            nodes.append(helper.make_node("Tanh", [x], [f"x{i}"]))
            x = f"x{i}"
    inputs, outputs = layers(file)[0][0].shape[1], len(layers(file)[-1][1])
    result = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", outputs])
    if decide:
        nodes.append(helper.make_node("ArgMax", [x], ["action"], axis=1, keepdims=0))
        result = helper.make_tensor_value_info("action", TensorProto.INT64, ["n"])
    observation = helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["n", inputs])
    graph = helper.make_graph(nodes, "policy", [observation], [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def session(file: AgentFile, decide: bool) -> Callable[[dict[str, Array]], list[Array]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    opened = onnxruntime.InferenceSession(exported(file, decide), options, providers=["CPUExecutionProvider"])
    return partial(opened.run, None)


def in_numpy(file: AgentFile) -> Callable[[Array], Array]:
    *hidden, (last, last_bias) = [(weight.T.copy(), bias) for weight, bias in layers(file)]

    def outputs(x: Array) -> Array:
        for weight, bias in hidden:
            x = np.tanh(x @ weight + bias)
        return x @ last + last_bias

    return outputs


def decisions(protocol: Protocol, file: AgentFile) -> None:
    outputs, head, plain = session(file, decide=False), session(file, decide=True), in_numpy(file)
    for observations in (singles(), buffers()):
        rows = [np.atleast_2d(observation) for observation in observations]
        feeds = [{"observation": row} for row in rows]
        opponents = {
            "onnxruntime": Opponent(outputs, feeds, lambda found: found[0].argmax(axis=1)),
            "onnxruntime with ArgMax": Opponent(head, feeds, lambda found: found[0]),
            "NumPy": Opponent(plain, rows, lambda found: found.argmax(axis=1)),
        }
        measure(protocol, describe(file), file, observations, opponents)


def episodes(file: AgentFile, level: cl.Level) -> Contestant:
    """Whole episodes, native from the first reset to the last step."""
    agent = Agent(file, level.name, level.isa, seed=0)

    def run(times: int) -> tuple[float, float]:
        played = cl.rollout(GAME, agent, episodes=LANES * times, level=level.name, num_envs=LANES)
        return played.seconds, float(played.steps)

    return run


def loop(decide: Callable[[dict[str, Array]], list[Array]], n: int) -> Contestant:
    """Steps of our C++ environments with the actions of ONNX Runtime, from a loop in Python."""
    envs = environments(GAME, n, "cpp", copy=False)
    state: list[Any] = [envs.reset(seed=0)[0]]

    def work() -> None:
        state[0] = envs.step(decide({"observation": state[0]})[0])[0]

    return timed(work, n)


def rollouts(protocol: Protocol, file: AgentFile) -> None:
    name = "cpp environment + onnxruntime"
    levels = [widest(file.family.isas, level) for level in ("asm", "cpp")]
    ours: dict[Key, Contestant] = {
        (str(level), ROLLOUT, LANES): episodes(file, level) for level in levels if level is not None
    }
    decide = session(file, decide=True)
    theirs: dict[Key, Contestant] = {(name, "loop in Python", n): loop(decide, n) for n in LOOP_SIZES}
    measurement = protocol.measure(ours | theirs)
    measurement.row(f"rollout of {NETWORK}", measurement.best(name), list(ours))


def main() -> None:
    protocol = Protocol("onnxruntime")
    file = network()
    decisions(protocol, file)
    rollouts(protocol, file)


if __name__ == "__main__":
    main()
