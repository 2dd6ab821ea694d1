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
    """Palm position (3,) m, rotation (3, 3), fingers (16,) rad; `stamp` (ns) of the command."""

    stamp: int
    position: NDArray[np.float64]
    rotation: NDArray[np.float64]
    fingers: NDArray[np.float64]


def read_command(message: Any) -> CommandState:
    """The command that an `rfs_msgs/ExecutedAction` tells of; the node and whoever reads a bag share this."""
    p, q = message.target_pose.position, message.target_pose.orientation
    return CommandState(
        stamp=nanoseconds(message.header.stamp),
        position=np.array([p.x, p.y, p.z]),
        rotation=Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(),
        fingers=np.array(message.target_joints),
    )
