"""Whether a camera's depth allows an object to be where it is believed to be."""

import numpy as np
from numpy.typing import NDArray

from rfs_reward.object_points import View

Array = NDArray[np.float64]

_THROUGH = 0.02  # m: a camera that sees so much farther sees through the place


def seen_through(points: Array, view: View) -> float:
    """Share of the points (n, 3), m, base frame, at which the camera sees something farther away.

    Points outside the picture, hidden or without known depth count as not seen through.
    """
    measured, depth, robot = _measured(points, view)
    with np.errstate(invalid="ignore"):
        return float(((measured > depth + _THROUGH) & ~robot).mean())


def _measured(points: Array, view: View) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Measured depth (n,), NaN outside the picture, the points' own, and whether the robot is there."""
    camera = view.camera
    pixels, depth = camera.project(points)
    inside = ((pixels > -0.5) & (pixels < [camera.width - 0.5, camera.height - 0.5])).all(1) & (depth > 0)
    u, v = np.rint(np.where(inside[:, None], pixels, 0)).astype(np.intp).T
    return np.where(inside, view.depth[v, u], np.nan), depth, inside & view.robot[v, u]
