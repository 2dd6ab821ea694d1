"""From a mask and registered depth to points of the object."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_WIDE = 160  # pixels of a row at most: more points say no more, and each costs time
_NEIGHBORS = 2  # within the distance of so many pixels; what has fewer hovers between two surfaces
_REACH = 3.0  # pixels


@dataclass(frozen=True, eq=False)
class View:
    """What one frame shows: camera, depth (h, w) m, the object's and the robot's pixels (h, w)."""

    camera: PinholeCamera
    depth: NDArray[np.float32]
    mask: Mask
    robot: Mask

    @classmethod
    def of(cls, frame: Frame, mask: Mask) -> Self:
        """Of a frame with the object's mask (h, w); wide pictures are thinned."""
        thin, step = frame.thinned(_WIDE), frame.camera.step(_WIDE)
        return cls(thin.camera, thin.depth, mask[::step, ::step], thin.robot)


def object_points(view: View) -> Array:
    """(n, 3) m, base frame: what depth says about the object; perhaps none.

    Without the robot's pixels, and without points that hover between two surfaces, as they come at edges.
    """
    points = view.camera.points(view.depth, view.mask & ~view.robot)
    if len(points) <= _NEIGHBORS:
        return points[:0]
    pixel = np.linalg.norm(np.median(points, 0) - view.camera.position) / view.camera.intrinsics[0, 0]
    distance, _ = KDTree(points).query(points, k=_NEIGHBORS + 1)
    return points[distance[:, -1] < _REACH * pixel]
