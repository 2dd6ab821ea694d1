"""What one robot is told: palm pose and fingers, and the arm's joints that would lead there."""

import numpy as np
from numpy.typing import NDArray

from rfs_control.command import Command, compose
from rfs_control.inverse_kinematics import solve
from rfs_control.limits import Limit, Limits


class Setpoint:
    """The command of one robot, latched at joint positions (23,) in rad; it moves by actions only."""

    def __init__(self, positions: NDArray[np.float64], limits: Limits) -> None:
        self.command = Command.from_joints(positions[None])
        self._arm = positions[None, :7].copy()
        self._limits = limits

    @property
    def palm_height(self) -> float:
        """Height of the commanded palm frame over the table's top, m."""
        return float(self.command.position[0, 2])

    def move(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], Limit]:
        """Apply an action (22,); returns the one that was really taken and the limits that acted."""
        self.command, executed, flags = compose(self.command, action[None], self._limits)
        self._arm, at_limit = solve(self._arm, self.command.position, self.command.rotation)
        limit = Limit(int(flags[0])) | (Limit.ARM_JOINT if at_limit[0] else Limit.NONE)
        return executed[0].astype(np.float32), limit

    def still(self) -> NDArray[np.float32]:
        """The action (22,) that changes nothing."""
        return np.concatenate([np.zeros(6), self.command.fingers[0]]).astype(np.float32)
