"""What the robot is told at present, as it enters the policy's state. Only a message's fields are used: no
ROS.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from rfs_policy.stamps import nanoseconds


@dataclass(frozen=True)
class CommandState:
    """Palm position (3,) m, rotation (3, 3), fingers (16,) rad; `stamp` (ns) of the observation it answers.

    `latched`: it answers none, but was latched from the joint states of that stamp.
    """

    stamp: int
    position: NDArray[np.float64]
    rotation: NDArray[np.float64]
    fingers: NDArray[np.float64]
    latched: bool = False

    def precedes(self, observation: int, period: float) -> bool:
        """Whether this is the command that stood when an observation of a stamp (ns) was made, where time
        advances by `period` (s) with each command."""
        age = observation - self.stamp
        return age == 0 if self.latched else 0 < age < 1.5e9 * period  # stamps are sums of rounded periods


def read_command(message: Any) -> CommandState:
    """The command that an `rfs_msgs/ExecutedAction` tells of; the node and whoever reads a bag share this.

    Raises:
        ValueError: it is no pose, or a number is not finite.
    """
    p, q = message.target_pose.position, message.target_pose.orientation
    position, quaternion = np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w])
    fingers = np.array(message.target_joints)
    if not np.isfinite([*position, *quaternion, *fingers]).all() or not quaternion.any():
        raise ValueError("executed action: the command has a number that is not finite, or no orientation")
    return CommandState(
        stamp=nanoseconds(message.header.stamp),
        position=position,
        rotation=Rotation.from_quat(quaternion).as_matrix(),
        fingers=fingers,
        latched=not len(message.executed),
    )
