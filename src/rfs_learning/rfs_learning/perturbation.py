"""Disturbing the demonstrator: the robot executes a perturbed action, the clean one is the label.

The states that a learner's own errors lead to then appear in the data with the right answer (DART, Laskey et
al. 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PerturbationConfig:
    """Stray movements: now and then, for a few steps, the palm drifts and turns or the fingers close by
    themselves.

    chance: per step and environment that one begins; steps: its length range; speed m/s and turn rad/s:
    largest drift; squeeze: share of the hand's flexion range added; jitter: white noise on every step (m/s,
    rad/s, rad).
    """

    chance: float = 0.06
    steps: tuple[int, int] = (2, 5)
    speed: float = 0.20
    turn: float = 0.6
    squeeze: float = 0.35
    squeeze_share: float = 0.25
    jitter: tuple[float, float, float] = (0.02, 0.06, 0.02)


_FLEXION = np.array([1.2, 0.0, 1.0, 0.5] * 3 + [0.0, 0.0, 0.3, 1.0])


class Perturbation:
    """Adds stray movements to actions (n, 22) of n environments, each from its own stream."""

    def __init__(self, num_envs: int, period: float, config: PerturbationConfig | None = None):
        self.config, self._period = config or PerturbationConfig(), period
        self._rngs = [np.random.default_rng(0)] * num_envs
        self._left = np.zeros(num_envs, int)
        self._stray = np.zeros((num_envs, 22))
        self._level = np.ones(num_envs)

    def reset(self, env_ids: Sequence[int] | NDArray, seeds: Sequence[int] | NDArray) -> None:
        """Begin new episodes; a third of the episodes stay undisturbed."""
        for env, seed in zip(env_ids, seeds, strict=True):
            rng = self._rngs[env] = np.random.default_rng([7, int(seed)])
            self._left[env] = 0
            self._level[env] = rng.uniform(0.3, 1.0) if rng.random() > 1 / 3 else 0.0

    def apply(self, action: Array, closure: Array) -> Array:
        """Perturbed copy of action (n, 22). Once a hand is closing (closure (n,)), its fingers are left
        alone."""
        c, jitter = self.config, np.repeat(self.config.jitter, [3, 3, 16])
        jitter[:6] *= self._period
        out = action.copy()
        for env, rng in enumerate(self._rngs):
            draws = rng.standard_normal(22)
            if self._left[env] == 0 and rng.random() < c.chance * self._period / 0.1:
                self._begin(env, rng)
            out[env] += self._level[env] * jitter * draws
            if self._left[env] > 0:
                self._left[env] -= 1
                out[env, :6] += self._level[env] * self._stray[env, :6]
                if closure[env] < 0.3:
                    out[env, 6:] += self._level[env] * self._stray[env, 6:]
        return out

    def _begin(self, env: int, rng: np.random.Generator) -> None:
        c = self.config
        low, high = c.steps
        self._left[env] = round(rng.integers(low, high + 1) * 0.1 / self._period)
        self._stray[env] = 0.0
        if rng.random() < c.squeeze_share:
            self._stray[env, 6:] = c.squeeze * rng.uniform(0.5, 2.0) * _FLEXION
        else:
            direction = rng.standard_normal((2, 3))
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            rates = np.array([c.speed, c.turn]) * rng.uniform(0.3, 1.0, 2) * self._period
            self._stray[env, :6] = (rates[:, None] * direction).reshape(6)
