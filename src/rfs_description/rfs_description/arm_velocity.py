"""Joint velocity limits of the FR3, which shrink towards the ends of each joint's range.

Each is `sqrt(k * distance) - c` of the distance to a joint's end, and at most `robot.ARM_VELOCITY_LIMITS`:
"Limits for Franka Research 3" in Franka's FCI documentation, coefficients as in libfranka's rate_limiting.h.
"""

import numpy as np
from numpy.typing import NDArray

from rfs_description.robot import ARM_VELOCITY_LIMITS

Array = NDArray[np.float64]

_OFFSET = np.array([0.30, 0.20, 0.20, 0.30, 0.35, 0.35, 0.35])  # rad/s
_SLOPE = np.array([12.0, 5.17, 7.00, 8.00, 34.0, 11.0, 34.0])  # rad/s^2
_LOWER_END = np.array([-2.75010, -1.79180, -2.90650, -3.04810, -2.81010, 0.54092, -3.01960])  # rad
_UPPER_END = np.array([2.75010, 1.79180, 2.90650, -0.14580, 2.81010, 4.52050, 3.01960])  # rad


def limits(q_arm: Array) -> tuple[Array, Array]:
    """Lowest (<= 0) and highest velocity (>= 0), each (..., 7) in rad/s, at arm joints (..., 7) in rad."""
    return -_towards_end(q_arm - _LOWER_END), _towards_end(_UPPER_END - q_arm)


def _towards_end(distance: Array) -> Array:
    speed = np.sqrt(_SLOPE * np.maximum(distance, 0.0)) - _OFFSET
    return np.clip(speed, 0.0, ARM_VELOCITY_LIMITS)
