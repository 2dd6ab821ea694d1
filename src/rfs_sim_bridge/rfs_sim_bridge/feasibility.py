"""Poses of arm and fingers that count as a grasp at all (paper, appendix A.2.3)."""

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import ARM_LOWER, ARM_UPPER

from rfs_sim_bridge.engine import Array
from rfs_sim_bridge.interpenetration import interpenetration
from rfs_sim_bridge.task_config import SuccessConfig


def joint_margin(joints: Array) -> Array:
    """(n,) rad to the nearest arm joint limit, of joints (n, 23) rad."""
    arm = joints[:, :7]
    return np.minimum(arm - ARM_LOWER, ARM_UPPER - arm).min(axis=1)


def feasible(joints: Array, success: SuccessConfig) -> NDArray[np.bool_]:
    """(n,): the arm is away from its limits and the fingers do not sink into each other."""
    depth = interpenetration(joints[:, 7:])
    return (joint_margin(joints) > success.joint_margin) & (depth <= success.max_interpenetration)
