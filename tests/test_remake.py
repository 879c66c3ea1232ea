# SPDX-License-Identifier: MIT
"""The shipped agents come out of their commands again; `python tools/remake.py` makes all of them."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import remake

import compute_layers as cl
from compute_layers.agents import AgentFile, agent_file

CHEAP = ("Pendulum-v1/swing-up", "Blackjack-v1/basic-strategy", "FrozenLake-v1/value-iteration")


@pytest.mark.parametrize("id", cl.games())
def test_every_agent_says_how_it_was_made(id: str) -> None:
    for name in cl.agents(id):
        command = agent_file(id, name).metadata["command"]
        assert command.startswith(("compute-layers ", "python tools/write_agent.py ")), name
        assert f" {name} " in command or command.endswith(f" --save {name}.safetensors"), command


def test_cheap_ones_come_out_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert remake.main([*CHEAP]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(CHEAP)
    assert all(": the same (" in line for line in lines), lines


def test_a_game_stands_for_its_agents() -> None:
    assert remake.names(["Taxi-v4"]) == [("Taxi-v4", name) for name in cl.agents("Taxi-v4")]
    assert len(remake.names([])) == sum(len(cl.agents(id)) for id in cl.games())
    with pytest.raises(ValueError, match="agent of Taxi-v4 is 'nobody'; allowed:"):
        remake.names(["Taxi-v4/nobody"])


def changed(file: AgentFile, **metadata: str) -> AgentFile:
    other = copy.deepcopy(file)
    other.metadata |= metadata
    return other


def test_what_counts_as_the_same() -> None:
    shipped = agent_file("CartPole-v1", "linear")
    spent = shipped.metadata["preparation"]
    assert " s, " in spent
    assert remake.verdict(shipped, changed(shipped, preparation=spent.replace(" s, ", "7 s, "))) == "the same"
    assert remake.verdict(shipped, changed(shipped, steps="1")) == "DIFFERS: steps"
    other = copy.deepcopy(shipped)
    other.tensors["b"] = np.nextafter(other.tensors["b"], np.float32(9))
    assert remake.verdict(shipped, other) == "DIFFERS: b"
    other = changed(other, blas="openblas 1.0 Zen", **{"return": "497.5000 over seeds 0 to 999"})
    assert remake.verdict(shipped, other) == "other packages or BLAS: return 497.5, at least 495.0"
    other = changed(other, **{"return": "400.0000 over seeds 0 to 999"})
    assert remake.verdict(shipped, other) == "other packages or BLAS: return 400.0, BELOW 495.0"


def test_a_difference_is_an_exit_code_until_it_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = agent_file("CartPole-v1", "pd")
    monkeypatch.setattr(remake, "agent_file", lambda id, name: changed(shipped, source="from nowhere"))
    root = tmp_path / "cartpole" / "CartPole-v1"
    root.mkdir(parents=True)
    monkeypatch.setattr(remake.write_agent, "ROOT", tmp_path)
    assert remake.main(["CartPole-v1/pd"]) == 1
    assert not list(root.iterdir())
    assert remake.main(["CartPole-v1/pd", "--write"]) == 0
    assert (root / "pd.safetensors").exists()
    assert capsys.readouterr().out.count("CartPole-v1/pd: DIFFERS: source") == 2


@pytest.mark.parametrize("write", [[], ["--write"]])
def test_a_command_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], write: list[str]
) -> None:
    shipped = changed(agent_file("CartPole-v1", "linear"), command="compute-layers train CartPole-v9")
    monkeypatch.setattr(remake, "agent_file", lambda id, name: shipped)
    assert remake.main(["CartPole-v1/linear", *write]) == 1
    assert "CartPole-v1/linear: FAILED: compute-layers train CartPole-v9: exit 2: " in capsys.readouterr().out
