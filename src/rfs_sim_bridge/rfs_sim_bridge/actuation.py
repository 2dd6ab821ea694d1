"""What lies between joint targets and motors: nothing in the training robot, latency and lag in others."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_ARM = 7
_AT_ONCE = 1e-9  # s: a lag that no physics step notices, and that can be divided by


class Actuation:
    """Delays the joint targets of n environments by whole physics steps, and lets fingers lag behind them.

    Args:
        num_envs: n.
        timestep: of the physics, s.
        latency, hand_lag: the longest that any episode has, s. Without both, targets pass unchanged.
    """

    def __init__(self, num_envs: int, timestep: float, latency: float, hand_lag: float) -> None:
        self._timestep, self._lags = timestep, hand_lag > 0.0
        self._longest = round(latency / timestep)
        self._delay = np.zeros(num_envs, np.int64)
        self._follow = np.ones((num_envs, 1))
        self._pending = np.zeros((num_envs, self._longest, 23))
        self._fingers = np.zeros((num_envs, 16))

    def begin(self, ids: NDArray, latency: Array, hand_lag: Array) -> None:
        """Episodes in environments `ids`: seconds from a target to the motors, and time constants (s) with
        which fingers follow, each (len(ids),)."""
        self._delay[ids] = np.rint(latency / self._timestep)
        self._follow[ids, 0] = -np.expm1(-self._timestep / np.maximum(hand_lag, _AT_ONCE))

    def latch(self, ids: NDArray, joints: Array) -> None:
        """Environments `ids` stand still at `joints` (len(ids), 23), rad; nothing is under way."""
        self._pending[ids] = joints[:, None]
        self._fingers[ids] = joints[:, _ARM:]

    def reach(self, targets: Array) -> Array:
        """What the motors are told in the next k physics steps: of targets (n, k, 23), (n, k, 23) rad."""
        if self._longest:
            queue = np.concatenate([self._pending, targets], axis=1)
            first = self._longest - self._delay
            now = first[:, None] + np.arange(targets.shape[1])
            self._pending = queue[:, targets.shape[1] :]
            targets = queue[np.arange(len(queue))[:, None], now]
        return self._lagged(targets) if self._lags else targets

    def _lagged(self, targets: Array) -> Array:
        reached = targets.copy()
        for step in range(targets.shape[1]):
            self._fingers = self._fingers + self._follow * (targets[:, step, _ARM:] - self._fingers)
            reached[:, step, _ARM:] = self._fingers
        return reached
