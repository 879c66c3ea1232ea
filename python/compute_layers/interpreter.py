# SPDX-License-Identifier: MIT
"""Level python: runs a rules file, lane by lane, over the same arrays that the native kernels use.

The methods are the kernels of ``cpp/batch.hpp``; what they get is its struct, with memoryviews for arrays.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from numpy.typing import NDArray

from . import _core
from .learners import temporal_difference as td
from .pcg64 import PCG64, load
from .registry import Family, Learner, Setting
from .spec import Box, Discrete, Space

ROW = 8  # numbers in a row of action values, kLanes of cpp/batch.hpp


class GameInterpreter:
    """The kernels of one game."""

    def __init__(self, setting: Setting) -> None:
        game = setting.game
        self._setting = setting
        self._spec = game.spec
        self._rules = game.rules
        self._integers = [kind is int for kind in game.spec.state.values()]
        self._params_type: Any = namedtuple("Params", [*setting.params, "table"])  # type: ignore[misc]
        self._options: Any = namedtuple("Options", list(game.spec.options))  # type: ignore[misc]

    def _params(self, batch: _core.BatchView) -> Any:
        return self._params_type(*batch.params, self._setting.table)

    def _fields(self, batch: _core.BatchView) -> list[memoryview]:
        return [batch.field(f, integers) for f, integers in enumerate(self._integers)]

    def step(self, batch: _core.BatchView) -> None:
        p = self._params(batch)
        fields, stream, stride = self._fields(batch), batch.stream, batch.stride
        info = [batch.info(k) for k in range(len(self._spec.info))]
        action, reward, elapsed = batch.action, batch.reward, batch.elapsed
        terminated, truncated = batch.terminated, batch.truncated
        state_type, step, draws = self._rules.State, self._rules.step, self._spec.step_draws
        discrete = isinstance(self._setting.action, Discrete)
        width = self._setting.action.size
        for lane in range(batch.valid):
            if elapsed[lane] < 0:
                elapsed[lane] = 0
                reward[lane] = 0.0
                terminated[lane] = truncated[lane] = 0
                for said in info:
                    said[lane] = 1.0
                continue
            state = state_type._make(field[lane] for field in fields)
            rng = load(stream, stride, lane) if draws else None
            chosen = action[lane] if discrete else tuple(action[lane * width : (lane + 1) * width])
            state, reward[lane], ended, *more = step(p, state, chosen, rng)
            for said, value in zip(info, more, strict=True):
                said[lane] = value
            if rng is not None:
                rng.store(stream, stride, lane)
            for field, value in zip(fields, state, strict=True):
                field[lane] = value
            now = elapsed[lane] + 1
            late = now >= batch.limit
            terminated[lane], truncated[lane] = ended, late
            elapsed[lane] = -1 if ended or late else now
        self.observe(batch, range(batch.valid))

    def reset(self, batch: _core.BatchView, lanes: Sequence[int], options: memoryview) -> None:
        p, o = self._params(batch), self._options._make(options)
        fields, stream, stride = self._fields(batch), batch.stream, batch.stride
        for lane in lanes:
            rng = load(stream, stride, lane)
            for field, value in zip(fields, self._rules.reset(p, o, rng), strict=True):
                field[lane] = value
            rng.store(stream, stride, lane)

    def observe(self, batch: _core.BatchView, lanes: Sequence[int]) -> None:
        p = self._params(batch)
        fields, observation = self._fields(batch), batch.observation
        state_type, observe = self._rules.State, self._rules.observe
        for lane in lanes:
            seen = observe(p, state_type._make(field[lane] for field in fields))
            for k, value in enumerate(seen, start=lane * len(seen)):
                observation[k] = value


class PolicyInterpreter:
    """A policy, as ``act`` sees it, and the kernel that calls ``act``.

    The parameters are flat tuples under their names, and ``shapes`` has their shapes; of a layered family
    either is a tuple with an entry for each layer. ``choices`` has the names chosen.
    """

    def __init__(
        self,
        family: Family,
        head: str,
        inputs: int,
        action: Space,
        tensors: Mapping[str, NDArray[Any]],
        choices: Mapping[str, str],
    ) -> None:
        self.head = head
        self.inputs = inputs
        self.action = action
        self.outputs = action.n if isinstance(action, Discrete) else action.size
        self.choices = choices
        self.shapes: dict[str, Any] = {}
        self._family = family
        for name in family.spec.tensors:
            if family.spec.layered:
                found = [tensors[f"{name}{k}"] for k in range(len(tensors) // len(family.spec.tensors))]
                self.shapes[name] = tuple(tensor.shape for tensor in found)
                setattr(self, name, tuple(tuple(tensor.ravel().tolist()) for tensor in found))
            else:
                self.shapes[name] = tensors[name].shape
                setattr(self, name, tuple(tensors[name].ravel().tolist()))

    def __call__(self, batch: _core.PolicyView) -> None:
        act, draws = self._family.rules.act, self._family.spec.draws
        observation, action, stride, inputs = batch.observation, batch.action, batch.stride, self.inputs
        for row in range(batch.valid):
            rng = load(batch.stream, stride, row) if draws else None
            chosen = act(self, observation[row * inputs : (row + 1) * inputs].tolist(), rng)
            if rng is not None:
                rng.store(batch.stream, stride, row)
            if isinstance(self.action, Box):
                for k, value in enumerate(chosen, start=row * self.outputs):
                    action[k] = value
            else:
                action[row] = chosen


class LearnerInterpreter:
    """The kernel of one learner."""

    def __init__(self, learner: Learner) -> None:
        self._bootstrap = learner.rules.bootstrap

    def __call__(self, step: _core.TdView) -> None:
        values, end, lanes = step.values, step.end, range(step.valid)
        cells, next_cells, targets = step.cells, step.next_cells, step.target
        for lane in lanes:
            first = step.seen[lane] * ROW
            row = values[first : first + step.actions].tolist()
            greedy, chosen = td.choose(row, step.epsilon, step.uniform[lane])
            step.action[lane] = chosen
            next_cells[lane] = end + lane if step.elapsed[lane] < 0 else first + chosen
            value = row[self._bootstrap(greedy, chosen)]
            targets[lane] = td.target(value, step.reward[lane], bool(step.terminated[lane]), step.gamma)
        for lane in lanes:
            values[cells[lane]] = td.update(values[cells[lane]], targets[lane], step.alpha)


class SearchInterpreter:
    """A policy that plans, as ``plan`` sees it: its settings under their names, and the game to play in."""

    def __init__(
        self, family: Family, setting: Setting, params: Sequence[float], tensors: Mapping[str, NDArray[Any]]
    ) -> None:
        self.action = setting.action
        self.hold = 1
        self.commit = 1
        for name, tensor in tensors.items():
            setattr(self, name, int(tensor[0]))
        spec = setting.game.spec
        self._family, self._rules = family, setting.game.rules
        self._draws = spec.step_draws
        self._integers = [kind is int for kind in spec.state.values()]
        self._params = SimpleNamespace(**dict(zip(setting.params, params, strict=True)), table=setting.table)

    def play(self, state: Any, sequence: Sequence[Any], noise: int) -> float:
        rng = PCG64.from_seed(noise) if self._draws else None
        step, p = self._rules.step, self._params
        total = 0.0
        for action in sequence:
            for _ in range(self.hold):
                state, reward, terminated, *_ = step(p, state, action, rng)
                total += reward
                if terminated:
                    return total if total == total else -math.inf
        return total if total == total else -math.inf

    def __call__(
        self,
        floats: memoryview,
        integers: memoryview,
        goes_on: bool,
        plan: memoryview,
        stream: memoryview,
        stride: int,
        lane: int,
    ) -> None:
        """Make a plan in place of the one before. The state's fields are in one view of its words or the other."""
        state = self._rules.State._make(
            integers[f] if integer else floats[f] for f, integer in enumerate(self._integers)
        )
        numbers, size = plan.tolist(), self.action.size
        before: list[Any] = numbers
        if isinstance(self.action, Box):
            before = [tuple(numbers[i : i + size]) for i in range(0, len(numbers), size)]
        rng = load(stream, stride, lane)
        chosen = self._family.rules.plan(self, state, before[self.commit :] if goes_on else [], rng)
        rng.store(stream, stride, lane)
        for place, action in enumerate(chosen):
            for k, number in enumerate(action if isinstance(self.action, Box) else (action,), place * size):
                plan[k] = number
