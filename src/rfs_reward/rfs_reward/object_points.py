"""From a mask and registered depth to points of the object."""

import numpy as np
from numpy.typing import NDArray

from rfs_reward.frame import Frame

Array = NDArray[np.float64]


def object_pixels(frame: Frame, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(h, w) bool: the mask's pixels of known depth that do not show the robot."""
    return mask & ~frame.robot & np.isfinite(frame.depth)


def object_points(frame: Frame, mask: NDArray[np.bool_]) -> Array:
    """(n, 3) m, base frame: what depth says about the mask's pixels; perhaps none."""
    return frame.camera.points(frame.depth, object_pixels(frame, mask))
