# SPDX-License-Identifier: MIT
"""PyTorch: a network's decisions, eager and traced, in inference mode."""

from __future__ import annotations

import numpy as np
import torch

from compute_layers.agents import AgentFile
from policies import Opponent, buffers, describe, layers, measure, network, singles
from protocol import Protocol


def module(file: AgentFile) -> torch.nn.Sequential:
    modules: list[torch.nn.Module] = []
    for weight, bias in layers(file):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data, linear.bias.data = torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())
        modules += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*modules[:-1]).eval()


def main() -> None:
    protocol = Protocol("torch")
    torch.set_num_threads(1)
    file = network()
    with torch.inference_mode():
        eager = module(file)
        models = {
            "PyTorch eager": eager,
            "PyTorch traced": torch.jit.freeze(torch.jit.trace(eager, torch.zeros(1, eager[0].in_features))),
        }
        for observations in (singles(), buffers()):
            # The tensors are made beforehand, and argmax is left out: both to the good of PyTorch.
            tensors = [torch.from_numpy(np.atleast_2d(observation)) for observation in observations]
            opponents = {
                name: Opponent(model, tensors, lambda outputs: outputs.numpy().argmax(axis=1))
                for name, model in models.items()
            }
            measure(protocol, describe(file), file, observations, opponents)


if __name__ == "__main__":
    main()
