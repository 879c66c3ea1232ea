# SPDX-License-Identifier: MIT
"""Policy files with anything wrong in them: reading one raises ValueError, or gives an agent that plays.

pytest tests/test_fuzz.py --hypothesis-profile=long    goes on for long, with new examples every time
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from compute_layers import check, registry
from compute_layers.agents import FORMAT_VERSION, LAYERS, Agent, AgentFile, heads
from compute_layers.registry import Family, Game
from compute_layers.spec import Discrete
from conftest import LEVELS, Array, assert_same

SLOW = 400  # parameters beyond which level python is left out
DTYPES = ("f4", "f8", "f2", "i8", "i4", "u1", "?")
NUMBERS = (0, 1, -1, 2, 3, 7, 100, 2**31 - 1, -(2**31), 2**31, 2**53, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 0.5, -1.5, 1e-45, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan)

Tensors = dict[str, Array]


@cache
def places(family: Family) -> list[Game]:
    """Games, real and made up, whose spaces the family serves."""
    every = check.spaces_of([registry.game(id) for id in registry.games()], True)
    return [game for game in every if check._serves(family, game)]


def sound(data: st.DataObject, family: Family, game: Game) -> tuple[dict[str, str], Tensors]:
    """Metadata and tensors without fault."""
    head = data.draw(st.sampled_from(heads(family, game.action)))
    about = {"family": family.stem, "layer": "algorithm", "head": head, "version": FORMAT_VERSION}
    for choice, names in family.spec.choices.items():
        about[choice] = data.draw(st.sampled_from(names))
    draw = check.Draw(data.draw(st.integers(0, 2**32)))
    kind = data.draw(st.sampled_from(("ordinary", "wild", "tied")))
    return about, check.tensors_of(family, head, game, draw, kind)


def change_metadata(data: st.DataObject, about: dict[str, str]) -> None:
    words = [
        *registry.families(),
        *LAYERS,
        "argmax",
        "threshold",
        "box",
        "vote",
        "1",
        "2",
        "",
        "\0",
        "é",
        "x" * 10**5,
    ]
    words += [
        name
        for family in registry.families().values()
        for names in family.spec.choices.values()
        for name in names
    ]
    key = data.draw(st.sampled_from([*about, "more"]))
    if data.draw(st.booleans()):
        about.pop(key, None)
    else:
        about[key] = data.draw(st.sampled_from(words))


def change_tensors(data: st.DataObject, tensors: Tensors) -> None:
    name = data.draw(st.sampled_from([*tensors, "more"]))
    array = tensors.get(name, np.zeros((2, 3), np.float32))
    integers = st.integers(0, max(array.size - 1, 0))
    kind = data.draw(
        st.sampled_from(("number", "dtype", "axis", "cut", "repeat", "drop", "rename", "reshape"))
    )
    if kind == "number" and array.size:
        array = array.copy()
        for _ in range(data.draw(st.integers(1, 3))):
            special = FLOATS if array.dtype.kind == "f" else NUMBERS
            number = data.draw(st.sampled_from(special) | st.integers(-5, max(5, array.size + 1)))
            with np.errstate(all="ignore"):
                array.flat[data.draw(integers)] = np.array(number).astype(array.dtype)
    elif kind == "dtype":
        with np.errstate(all="ignore"):
            array = array.astype(data.draw(st.sampled_from(DTYPES)))
    elif kind == "axis":
        array = array[None] if data.draw(st.booleans()) or not array.ndim else array.reshape(-1)
    elif kind in ("cut", "repeat") and array.ndim:
        axis = data.draw(st.integers(0, array.ndim - 1))
        length = data.draw(st.integers(0, array.shape[axis]))
        piece = np.take(array, range(length), axis)
        array = piece if kind == "cut" else np.concatenate([array, piece], axis)
    elif kind == "reshape" and array.ndim == 2:
        array = array.reshape(array.shape[::-1])
    if kind in ("drop", "rename"):
        tensors.pop(name, None)
    if kind == "rename":
        name = data.draw(st.sampled_from([name + "0", name[:-1], "W1", "b1", *tensors]))
    if kind != "drop":
        tensors[name] = np.ascontiguousarray(array)


def change_bytes(data: st.DataObject, file: bytearray) -> None:
    at = data.draw(st.integers(0, max(len(file) - 1, 0)))
    kind = data.draw(st.sampled_from(("set", "flip", "cut", "insert", "end")))
    if kind == "set" and file:
        file[at] = data.draw(st.integers(0, 255))
    elif kind == "flip" and file:
        file[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del file[at : at + data.draw(st.integers(1, 16))]
    elif kind == "insert":
        file[at:at] = data.draw(st.binary(min_size=1, max_size=16))
    else:
        del file[at:]


def change_header(data: st.DataObject, file: bytearray) -> None:
    """Another number in the description of a tensor: what the format's reader must see through."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    names = [name for name in header if name != "__metadata__"]
    if not names:
        return
    entry = header[data.draw(st.sampled_from(names))]
    numbers = st.sampled_from(
        (0, 1, 3, 4, 8, -1, 2**31, 2**32 + 1, 2**62, 2**63, 2**64 - 1, 2**64, 1.5, None, "4")
    )
    where = data.draw(st.sampled_from(("shape", "data_offsets")))
    if entry[where]:
        entry[where][data.draw(st.integers(0, len(entry[where]) - 1))] = data.draw(numbers)
    text = json.dumps(header).encode()
    file[: 8 + length] = len(text).to_bytes(8, "little") + text


def plays(file: AgentFile) -> None:
    """Every level of the agent decides, within its space and alike."""
    space = file.game.action
    seen = check.observations_of(file.game.observation, check.Draw(1), 11)
    size = sum(tensor.size for tensor in file.tensors.values())
    expected: Any = None
    for level in LEVELS:
        if level.isa is None and size > SLOW:
            continue
        if level.isa is not None and level.isa not in file.family.isas[level.name]:
            continue
        agent = Agent(file, level.name, level.isa, 3)
        found = agent(seen), agent(seen[0])
        if isinstance(space, Discrete):
            assert ((found[0] >= 0) & (found[0] < space.n)).all()
        expected = expected or found
        assert_same(found, expected, file.family.stem, level)


@pytest.mark.parametrize("stem", registry.families())
@given(data=st.data())
def test_a_policy_file_is_refused_or_plays(tmp_path: Path, stem: str, data: st.DataObject) -> None:
    family = registry.family(stem)
    game = data.draw(st.sampled_from(places(family)))
    about, tensors = sound(data, family, game)
    changes = data.draw(st.lists(st.sampled_from(("metadata", "tensors", "header", "bytes")), max_size=4))
    for _ in range(changes.count("metadata")):
        change_metadata(data, about)
    for _ in range(changes.count("tensors")):
        change_tensors(data, tensors)
    content = bytearray(save(tensors, about))
    if "header" in changes:
        change_header(data, content)
    for _ in range(changes.count("bytes")):
        change_bytes(data, content)
    path = tmp_path / "changed.safetensors"
    path.write_bytes(content)
    try:
        file = AgentFile.read(path, game)
    except ValueError as refusal:
        assert changes
        assert str(path) in str(refusal)
        return
    plays(file)
