# SPDX-License-Identifier: MIT
"""Agents: what they take and give, at each level; policy files, whole and damaged."""

from __future__ import annotations

import copy
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.error import Error
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import compute_layers as cl
from compute_layers import registry
from compute_layers.agents import LAYERS, agent_file, check_tensors
from compute_layers.registry import games
from compute_layers.spec import Box, Discrete, Tuple
from conftest import AGENTS, KINDS_OF_AGENTS, LEVELS, Array, assert_same, observers, paced

INPUTS = {id: registry.game(id).observation.size for id in games()}
VECTORS = [id for id in games() if isinstance(registry.game(id).observation, Box)]


def agent_levels(id: str, name: str) -> list[cl.Level]:
    isas = agent_file(id, name).family.isas
    return [level for level in LEVELS if level.isa is None or level.isa in isas[level.name]]


def load(id: str, name: str, level: cl.Level, seed: int = 0) -> cl.Agent:
    return cl.load_agent(id, name, level=level.name, isa=level.isa, seed=seed)


@pytest.fixture(params=AGENTS, ids="/".join)
def shipped(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


EVERYWHERE = [(*entry, level) for entry in KINDS_OF_AGENTS for level in agent_levels(*entry)]


@pytest.fixture(params=EVERYWHERE, ids=lambda entry: "/".join(map(str, entry)))
def agent(request: pytest.FixtureRequest) -> cl.Agent:
    """Shipped agents of every kind at each level that their family is written for."""
    return load(*request.param)


def observations(id: str, n: int, seed: int = 0) -> Array:
    """Finite observations of any size, and some zeros."""
    rng = np.random.default_rng(seed)
    space = registry.game(id).observation
    if isinstance(space, Discrete):
        return rng.integers(0, space.n, n)
    if isinstance(space, Tuple):
        return np.stack([rng.integers(0, part.n, n) for part in space.spaces], axis=-1)
    return (rng.normal(size=(n, len(space.low))) * rng.choice([0, 1e-30, 0.1, 1, 1e9], (n, 1))).astype(
        np.float32
    )


def shipped_path(id: str, name: str) -> Path:
    return Path(cl.__file__).parent / "agents" / registry.game(id).stem / id / f"{name}.safetensors"


# ---- what there is ----


def test_every_game_ships_agents_on_known_layers(game: str) -> None:
    names = cl.agents(game)
    assert {"random"} <= set(names)
    assert cl.agents(registry.NAMESPACE + game) == names
    layers = [LAYERS.index(cl.load_agent(game, name).layer) for name in names]
    assert layers == sorted(layers)


def test_an_agent_says_what_it_is(agent: cl.Agent) -> None:
    assert agent.name in cl.agents(agent.game)
    assert agent.family in registry.families()
    assert agent.metadata["version"] == "1"
    assert agent.metadata["return"]
    assert agent.metadata.get("source") or agent.metadata["command"]
    for word in (agent.name, agent.family, agent.layer, agent.level):
        assert word in repr(agent)


def test_an_agent_returns_what_it_says(shipped: tuple[str, str]) -> None:
    file = copy.copy(agent_file(*shipped))
    file.metadata = dict(file.metadata)
    file.note_returns(cl.rollout(*shipped, episodes=1000).returns)
    assert file.metadata == agent_file(*shipped).metadata


# By hand: at least this mean over the evaluation seeds.
REACHED = {
    ("CartPole-v1", "pd"): 500.0,
    ("MountainCar-v0", "swing"): -99.0,
    ("MountainCarContinuous-v0", "swing"): 97.0,
    ("Pendulum-v1", "swing-up"): -150.0,
    ("Acrobot-v1", "swing"): -86.0,
    ("FrozenLake-v1", "arrows"): 0.7,
    ("FrozenLake8x8-v1", "edge"): 0.85,
    ("CliffWalking-v1", "straight"): -13.0,
    ("Taxi-v4", "shortest-way"): 7.8,
    ("Blackjack-v1", "basic-strategy"): -0.05,
}


@pytest.mark.parametrize("name", REACHED, ids="/".join)
def test_a_rule_by_hand_plays_well(name: tuple[str, str]) -> None:
    episodes = 100_000 if name[0] == "Blackjack-v1" else 1000  # a hand says little
    assert cl.rollout(*name, episodes=episodes).returns.mean() >= REACHED[name]


def test_a_shipped_file_is_small(shipped: tuple[str, str]) -> None:
    assert shipped_path(*shipped).stat().st_size <= 256 * 1024


# ---- what it takes and gives ----


def test_one_observation_gives_an_int_and_many_an_array(agent: cl.Agent) -> None:
    action = registry.game(agent.game).action
    one = agent(observations(agent.game, 1)[0])
    many = agent(observations(agent.game, 7))
    if isinstance(action, Discrete):
        assert type(one) is int
        assert 0 <= one < action.n
        assert (many.dtype, many.shape) == (np.int64, (7,))
        assert ((many >= 0) & (many < action.n)).all()
    else:
        assert (one.dtype, one.shape) == (np.float32, (len(action.low),))
        assert (many.dtype, many.shape) == (np.float32, (7, len(action.low)))
    assert agent(observations(agent.game, 0)).shape[0] == 0


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 64, 129, 1023])
def test_the_levels_agree(shipped: tuple[str, str], n: int) -> None:
    seen = observations(shipped[0], n, seed=n)
    python, *native = (load(*shipped, level, seed=5) for level in agent_levels(*shipped))
    rows = paced(*shipped, n, min(n, 65))
    for _ in range(3):  # stochastic ones go on in their streams
        expected, actions = python(seen[:rows]), [agent(seen) for agent in native]
        for agent, found in zip(native, actions, strict=True):
            assert_same(found[:rows], expected, "actions at", agent.level, agent.isa)
            assert_same(found, actions[0], "actions at", agent.level, agent.isa)


@pytest.mark.emulate
def test_a_row_depends_neither_on_n_nor_on_its_neighbours(agent: cl.Agent) -> None:
    seen = observations(agent.game, 67)
    agent.seed(3)
    whole = agent(seen)
    for n in (1, 2, 5, 8, 13, 64):
        agent.seed(3)
        assert_same(agent(seen[:n]), whole[:n], "first", n, "rows")
    agent.seed(3)
    assert_same(np.asarray(agent(seen[0]), whole.dtype)[()], whole[0], "the single observation")


def test_rows_of_a_stochastic_agent_have_streams_of_their_own(agent: cl.Agent) -> None:
    """Row i draws from SeedSequence(seed + i, spawn_key=(1,)), however many rows the calls before had."""
    family, action = registry.family(agent.family), registry.game(agent.game).action
    if agent.family != "random" or not isinstance(action, Discrete):
        assert family.spec.draws == (agent.family == "random")
        return
    sizes = [3, 8, 1, 20, 20, 2, 33]
    for seed in (0, 7, 2**64 - 3, 2**100):
        agent.seed(seed)
        numpy = [
            np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed + i, spawn_key=(1,))))
            for i in range(max(sizes))
        ]
        for n in sizes:
            expected = np.array([generator.integers(action.n) for generator in numpy[:n]])
            assert_same(agent(observations(agent.game, n)), expected, "rows", n, "seed", seed)
        one = agent(observations(agent.game, 1)[0])
        assert one == numpy[0].integers(action.n)


FORMS: dict[str, Callable[[Array], Any]] = {
    "a list": lambda a: a.tolist(),
    "a tuple": lambda a: tuple(map(tuple, a.tolist())) if a.ndim > 1 else tuple(a.tolist()),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "float64": lambda a: a.astype(np.float64),
    "big-endian float64": lambda a: a.astype(">f8"),
    "longdouble": lambda a: a.astype(np.longdouble),
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "Fortran order": np.asfortranarray,
    "columns of a larger array": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    **{
        f"misaligned by {k}": lambda a, k=k: np.frombuffer(b"x" * k + a.tobytes(), a.dtype, offset=k).reshape(
            a.shape
        )
        for k in (1, 2, 4, 8, 16, 20)
    },
}


@pytest.mark.parametrize("game", VECTORS, indirect=True)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_observations_of_every_form_are_read_rightly(game: str, form: Any, level: cl.Level) -> None:
    for name in observers(game):
        if level not in agent_levels(game, name):
            continue
        agent = load(game, name, level)
        for n in (1, 5, 16, 67)[: paced(game, name, 4, 2) if level.name == "python" else 4]:
            seen = observations(game, n)
            for value in (seen, *seen[:3]):
                agent.seed(0)
                expected = agent(value.copy())
                agent.seed(0)
                assert_same(agent(form(value)), expected, "actions of", name)


@pytest.mark.parametrize("game", VECTORS, indirect=True)
@pytest.mark.parametrize("dtype", ["f2", "f8", "i1", "i8", "u8", "?", ">i4"])
def test_other_real_dtypes_are_cast_to_float32(game: str, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 2, (33, INPUTS[game])).astype(dtype)
    for name in observers(game):
        for level in agent_levels(game, name):
            agent, plain = (load(game, name, level) for _ in range(2))
            assert_same(agent(values), plain(values.astype(np.float32)), name, level)


@pytest.mark.parametrize("game", VECTORS, indirect=True)
def test_float64_is_rounded_before_the_policy_sees_it(game: str) -> None:
    """A number that float32 rounds to zero counts as zero, as the batch's own observations would."""
    seen = np.full((8, INPUTS[game]), 1e-60) * np.array([1, -1] * 4)[:, None]
    for name in observers(game):
        for level in agent_levels(game, name):
            agent, plain = (load(game, name, level) for _ in range(2))
            assert_same(
                agent(seen), plain(np.zeros_like(seen, np.float32) * np.sign(seen).astype("f4")), name
            )


@pytest.mark.emulate
@given(data=st.data())
@settings(max_examples=60)
def test_the_levels_agree_on_any_float32(data: st.DataObject) -> None:
    id, name = data.draw(st.sampled_from([entry for entry in AGENTS if entry[0] in VECTORS]))
    n = data.draw(st.integers(1, 19))
    numbers = st.floats(width=32) | st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 3.4e38])
    seen = np.array(
        data.draw(st.lists(numbers, min_size=n * INPUTS[id], max_size=n * INPUTS[id])), np.float32
    )
    seen = seen.reshape(n, INPUTS[id])
    agents = [load(id, name, level) for level in agent_levels(id, name)]
    expected = agents[0](seen)
    for agent in agents[1:]:
        assert_same(agent(seen), expected, name, agent.level, agent.isa)


WRONG_TYPES: dict[str, Any] = {
    "None": None,
    "text": "0000",
    "objects": np.zeros(4, object),
    "Nones": [None] * 4,
    "bytes": b"0000",
    "texts": ["0"] * 4,
    "complex": np.zeros(4, complex),
    "dates": np.zeros(4, "datetime64[s]"),
    "records": np.zeros(4, [("a", "f4")]),
    "a dict": {"observation": 0},
    "ragged": [[0, 0], [0]],
}


@pytest.mark.parametrize("value", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_an_observation_of_a_wrong_type(agent: cl.Agent, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="^observation .*; allowed: "):
        agent(value)


def wrong_shapes(inputs: int) -> list[tuple[int, ...]]:
    return [
        (),
        (0,),
        (inputs - 1,),
        (inputs + 1,),
        (2, inputs + 1),
        (inputs, 1),
        (1, 2, inputs),
        (0, 0),
        (5, 0),
    ]


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("game", VECTORS, indirect=True)
def test_an_observation_of_a_wrong_shape(game: str, level: cl.Level) -> None:
    for name in observers(game):
        if level in agent_levels(game, name):
            agent = load(game, name, level)
            for shape in wrong_shapes(INPUTS[game]):
                with pytest.raises(ValueError, match=r"observation has shape \(.*; allowed: "):
                    agent(np.zeros(shape, np.float32))


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, 2**128])
def test_a_bad_seed(agent: cl.Agent, seed: Any) -> None:
    with pytest.raises((ValueError, Error), match="seed is .*; allowed: "):
        agent.seed(seed)


# ---- copies ----


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))])
def test_an_agent_may_be_copied(agent: cl.Agent, clone: Any) -> None:
    other = clone(agent)
    assert (other.name, other.level, other.isa) == (agent.name, agent.level, agent.isa)
    seen = observations(agent.game, 9)
    assert_same(other(seen), agent(seen), "actions")


def test_a_copy_goes_on_in_the_streams(agent: cl.Agent) -> None:
    agent.seed(11)
    seen = observations(agent.game, 9)
    agent(seen)
    other = copy.deepcopy(agent)
    assert_same([other(seen) for _ in range(8)], [agent(seen) for _ in range(8)], "actions")


# ---- files ----


def write(path: Path, source: tuple[str, str], **changes: Any) -> Path:
    """The shipped agent's file with other metadata (None takes an entry away) or tensors."""
    file = agent_file(*source)
    tensors = changes.pop("tensors", file.tensors)
    metadata = {**file.metadata, **changes}
    save_file(
        {name: np.ascontiguousarray(value) for name, value in tensors.items()},
        path,
        {key: value for key, value in metadata.items() if value is not None},
    )
    return path


def by_hand(path: Path, header: Any, data: bytes, length: int | None = None) -> Path:
    """A safetensors file from its parts: 8 bytes of length, the header, the numbers."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


PARAMETRIC = [entry for entry in AGENTS if agent_file(*entry).tensors]


@pytest.fixture(params=PARAMETRIC, ids="/".join)
def parametric(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each shipped agent that has parameters."""
    found: tuple[str, str] = request.param
    return found


def refused(path: Path, source: tuple[str, str], match: str) -> None:
    """Loading and rolling out name the file and the fault."""
    with pytest.raises(ValueError, match=match) as problem:
        cl.load_agent(source[0], path)
    assert str(path) in str(problem.value)
    with pytest.raises(ValueError, match=match):
        cl.rollout(source[0], path, episodes=1)


def test_a_file_is_an_agent(parametric: tuple[str, str], tmp_path: Path) -> None:
    path = write(tmp_path / "mine.safetensors", parametric)
    for form in (path, str(path)):
        agent = cl.load_agent(parametric[0], form)
        assert agent.name == "mine"
        seen = observations(parametric[0], 50)
        assert_same(agent(seen), cl.load_agent(*parametric)(seen), "actions")
    runs = [cl.rollout(parametric[0], which, episodes=5) for which in (path, parametric[1])]
    assert_same(runs[0].returns, runs[1].returns, "returns")


@pytest.mark.parametrize("name", ["family", "layer", "head", "version"])
def test_a_file_without_required_metadata(parametric: tuple[str, str], tmp_path: Path, name: str) -> None:
    refused(write(tmp_path / "a.safetensors", parametric, **{name: None}), parametric, f"no '{name}'")


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("family", "linaer", "linaer.*did you mean 'linear'"),
        ("layer", "subsymbolik", "layer is 'subsymbolik'.*did you mean 'subsymbolic'"),
        ("head", "argmin", "head is 'argmin'(.*did you mean 'argmax'|; allowed: (box|vote))"),
        ("head", "box", "head is 'box'; allowed: "),
        ("version", "2", "version is '2'; allowed: 1"),
        ("version", "", "version is ''"),
    ],
)
def test_a_file_with_unknown_metadata(
    parametric: tuple[str, str], tmp_path: Path, name: str, value: str, match: str
) -> None:
    if name == "head" and value == "box" and isinstance(registry.game(parametric[0]).action, Box):
        value, match = "threshold", "head is 'threshold'; allowed: "
    refused(write(tmp_path / "a.safetensors", parametric, **{name: value}), parametric, match)


def test_a_truncated_file(parametric: tuple[str, str], tmp_path: Path) -> None:
    whole = shipped_path(*parametric).read_bytes()
    for size in {*range(0, 24), *range(24, len(whole), 37), len(whole) - 1}:
        path = tmp_path / f"{size}.safetensors"
        path.write_bytes(whole[:size])
        refused(path, parametric, "not a safetensors file")
    path.write_bytes(whole + b"\0")
    refused(path, parametric, "not a safetensors file")


@given(data=st.data())
@settings(max_examples=150)
@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_a_damaged_byte_is_refused_or_harmless(tmp_path: Path, level: cl.Level, data: st.DataObject) -> None:
    """Whatever is loaded plays; nothing crashes."""
    id, name = data.draw(st.sampled_from(PARAMETRIC))
    whole = bytearray(shipped_path(id, name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(whole)
    try:
        agent = cl.load_agent(id, path, level=level.name, isa=level.isa)
    except (ValueError, cl.LevelUnavailable):
        return
    space = registry.game(id).action
    actions = agent(observations(id, 20))
    if isinstance(space, Discrete):
        assert ((actions >= 0) & (actions < space.n)).all()


def other_tensors(tensors: dict[str, Array]) -> dict[str, dict[str, Array]]:
    """Wrong sets of tensors, by what is wrong with them."""
    name = next(iter(tensors))
    value = tensors[name]
    kinds = {
        "longer": np.concatenate([value, value]),
        "empty": value[:0],
        "a dimension more": value[None],
        "flat": value.reshape(-1) if value.ndim > 1 else value.reshape(-1, 1),
        "int32": value.astype(np.int32),
        "float64": value.astype(np.float64),
        "float16": value.astype(np.float16),
        "bool": value.astype(bool),
    }
    found = {what: {**tensors, name: changed} for what, changed in kinds.items()}
    found["missing"] = {other: value for other, value in tensors.items() if other != name}
    found["one too many"] = {**tensors, "more": value}
    found["renamed"] = {**found["missing"], name + "x": value}
    return found


def test_a_file_with_wrong_tensors(parametric: tuple[str, str], tmp_path: Path) -> None:
    for what, tensors in other_tensors(agent_file(*parametric).tensors).items():
        path = write(tmp_path / f"{what}.safetensors", parametric, tensors=tensors)
        refused(path, parametric, "allowed: |the tensors are")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_file_with_numbers_that_are_not_finite(
    parametric: tuple[str, str], tmp_path: Path, number: float
) -> None:
    for name, value in agent_file(*parametric).tensors.items():
        if value.dtype.kind == "f":
            bad = value.copy()
            bad.flat[-1] = number
            tensors = {**agent_file(*parametric).tensors, name: bad}
            path = write(tmp_path / f"{name}.safetensors", parametric, tensors=tensors)
            refused(path, parametric, f"{name} has a number that is not finite")


@pytest.mark.parametrize("action", [-1, 2, 2**63 - 1, -(2**63)])
def test_a_constant_action_outside_the_space(tmp_path: Path, action: int) -> None:
    source = ("CartPole-v1", "always-right")
    path = write(tmp_path / "a.safetensors", source, tensors={"value": np.array([action])})
    refused(path, source, rf"value is .*{action}.*; allowed: 0 to 1")


def test_the_tensors_of_every_family_are_checked(game: str) -> None:
    for family in registry.families().values():
        with pytest.raises(ValueError, match="file: (head|the tensors) "):
            check_tensors(
                "file", registry.game(game), family, family.spec.heads[0], {"nonsense": np.zeros(1)}
            )


def header(parametric: tuple[str, str], **entry: Any) -> dict[str, Any]:
    file = agent_file(*parametric)
    name = next(iter(file.tensors))
    described = {"dtype": "F32", "shape": [1, 4], "data_offsets": [0, 16], **entry}
    return {"__metadata__": file.metadata, name: described}


HEADERS: dict[str, Any] = {
    "huge dimensions": {"shape": [2**62, 2**62]},
    "dimensions whose product wraps around": {"shape": [2**32, 2**32 + 1, 4]},
    "one huge dimension": {"shape": [2**64 - 1]},
    "a negative dimension": {"shape": [-1, 4]},
    "a fractional dimension": {"shape": [1.5]},
    "no shape": {"shape": None},
    "a zero among huge ones": {"shape": [0, 2**63]},
    "offsets past the end": {"data_offsets": [0, 2**40]},
    "offsets backwards": {"data_offsets": [16, 0]},
    "negative offsets": {"data_offsets": [-16, 0]},
    "an unknown dtype": {"dtype": "F31"},
    "bfloat16": {"dtype": "BF16", "shape": [2, 4]},
    "an 8-bit float": {"dtype": "F8_E4M3", "shape": [4, 4]},
}


@pytest.mark.parametrize("entry", HEADERS.values(), ids=HEADERS)
def test_a_hostile_header(parametric: tuple[str, str], tmp_path: Path, entry: dict[str, Any]) -> None:
    path = by_hand(tmp_path / "a.safetensors", header(parametric, **entry), b"\0" * 16)
    refused(path, parametric, "a.safetensors")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (b"", 0),
        (b"{}", None),
        (b"{}", 2**63),
        (b"{}", 2**64 - 1),
        (b"{}", 100),
        (b"[]", None),
        (b"\xff" * 8, None),
    ]
    + [(b'{"__metadata__": {"family": 3}}', None), (b'{"__metadata__": null}', None), (b"[" * 100_000, None)],
    ids=["nothing", "empty", "length 2**63", "length 2**64-1", "too long", "a list", "no text"]
    + ["metadata of numbers", "metadata null", "deeply nested"],
)
def test_a_hostile_beginning(
    parametric: tuple[str, str], tmp_path: Path, text: bytes, length: int | None
) -> None:
    refused(by_hand(tmp_path / "a.safetensors", text, b"", length), parametric, "a.safetensors")


def test_a_file_that_is_not_there(game: str, tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", str(tmp_path / "none.safetensors")):
        with pytest.raises(FileNotFoundError, match="none.safetensors"):
            cl.load_agent(game, path)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises((ValueError, OSError), match="folder.safetensors"):
        cl.load_agent(game, tmp_path / "folder.safetensors")


@pytest.mark.parametrize("name", ["pdd", "Random", "", None, 3, "no/such"])
def test_an_unknown_agent(game: str, name: Any) -> None:
    with pytest.raises(ValueError, match=f"agent of {game} is {name!r}; allowed: "):
        cl.load_agent(game, name)
    with pytest.raises(ValueError, match="agent of"):
        cl.rollout(game, name, episodes=1)


def test_the_nearest_agent_is_suggested() -> None:
    with pytest.raises(ValueError, match="did you mean 'always-right'"):
        cl.load_agent("CartPole-v1", "allways-right")


def test_a_path_elsewhere_is_no_name(game: str) -> None:
    """A name is looked up among the shipped agents only, never as a path."""
    with pytest.raises(ValueError, match="agent of"):
        cl.load_agent(game, "../../secrets")


# ---- the quick path of one observation ----


@pytest.mark.emulate
@pytest.mark.parametrize("id", VECTORS)
def test_one_observation_in_any_form_gives_the_same_action(id: str) -> None:
    """What is not float32, contiguous and of NumPy's own type takes the path that converts and checks."""
    for name in observers(id):
        if cl.load_agent(id, name).metadata["family"] == "random":
            continue
        agent = cl.load_agent(id, name)
        for row in observations(id, 20):
            action = agent(row)
            twice, swapped = np.repeat(row, 2), row.astype(">f4")
            unaligned = np.frombuffer(b"x" + row.tobytes(), np.float32, offset=1)
            forms = [row.tolist(), twice[::2], swapped, unaligned, row.astype(np.float64)]
            for form in forms:
                assert_same(agent(form), action, name, form)
            assert_same(agent(observation=row), action, name)


def test_an_agent_that_was_not_initialised_refuses(shipped: tuple[str, str]) -> None:
    empty = cl.Agent.__new__(cl.Agent)
    with pytest.raises(TypeError, match="not initialised"):
        empty(np.zeros(4, np.float32))
    for arguments in ((), (1, 2)):
        with pytest.raises(TypeError):
            cl.load_agent(*shipped)(*arguments)  # type: ignore[call-arg]
