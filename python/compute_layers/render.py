# SPDX-License-Identifier: MIT
"""Drawing, through Gymnasium's renderers: an environment of Gymnasium's takes on our state and draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from .registry import Setting


class Renderer:
    """Gymnasium's picture of a game's state. Needs the extra ``render`` (pygame)."""

    def __init__(self, setting: Setting, mode: str) -> None:
        self._pose = setting.game.spec.pose
        made = gym.make(setting.game.id, render_mode=mode, disable_env_checker=True, **setting.arguments)
        self._env: Any = made.unwrapped

    def draw(self, params: Mapping[str, float | str], state: Mapping[str, float | int]) -> Any:
        """The frame for this state: an array for ``rgb_array``, None for ``human``, which shows a window.

        Raises:
            gymnasium.error.DependencyNotInstalled: pygame is missing.
        """
        for name, value in params.items():
            if hasattr(self._env, name):
                setattr(self._env, name, value)
        for name, value in self._pose(params, state).items():
            setattr(self._env, name, value)
        return self._env.render()

    def close(self) -> None:
        self._env.close()
