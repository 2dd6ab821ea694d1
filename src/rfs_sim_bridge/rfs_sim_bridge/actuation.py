"""What lies between joint targets and motors: nothing in the training robot, latency and lag in others."""

import math

import numpy as np
from numpy.typing import NDArray

from rfs_sim_bridge.robot_shift import RobotShift

Array = NDArray[np.float64]
_ARM = 7


class Actuation:
    """Delays the joint targets of n environments by whole physics steps, and lets fingers lag behind them.

    Args:
        num_envs: n.
        timestep: of the physics, s.
        shift: its `latency` and `hand_lag`; without both, targets pass unchanged.
    """

    def __init__(self, num_envs: int, timestep: float, shift: RobotShift) -> None:
        self._delay = round(shift.latency / timestep)
        self._follow = -math.expm1(-timestep / shift.hand_lag) if shift.hand_lag else 1.0
        self._pending = np.zeros((num_envs, self._delay, 23))
        self._fingers = np.zeros((num_envs, 16))

    def latch(self, ids: NDArray, joints: Array) -> None:
        """Environments `ids` stand still at `joints` (len(ids), 23), rad; nothing is under way."""
        self._pending[ids] = joints[:, None]
        self._fingers[ids] = joints[:, _ARM:]

    def reach(self, targets: Array) -> Array:
        """What the motors are told in the next k physics steps: of targets (n, k, 23), (n, k, 23) rad."""
        if self._delay:
            queue = np.concatenate([self._pending, targets], axis=1)
            targets, self._pending = queue[:, : targets.shape[1]], queue[:, targets.shape[1] :]
        return targets if self._follow == 1.0 else self._lagged(targets)

    def _lagged(self, targets: Array) -> Array:
        reached = targets.copy()
        for step in range(targets.shape[1]):
            self._fingers = self._fingers + self._follow * (targets[:, step, _ARM:] - self._fingers)
            reached[:, step, _ARM:] = self._fingers
        return reached
