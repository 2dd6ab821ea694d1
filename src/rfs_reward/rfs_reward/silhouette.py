"""Where an object cannot be: wherever the camera sees past it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from rfs_reward.object_points import View

Array = NDArray[np.float64]

_MARGIN = 0.5  # pixels: outlines are no sharper
_BEFORE = 0.010  # m: surfaces are no surer


class Silhouette:
    """What a picture leaves for the object: rays through its mask and the robot, from what is measured on."""

    def __init__(self, view: View):
        self._camera = view.camera
        outside = (~(view.mask | view.robot)).astype(np.uint8)
        self._depth = view.depth
        self._empty = bool(outside.all())
        self._distance, self._nearest = _ways_in(outside)
        self._inner = cv2.erode(1 - outside, np.ones((3, 3), np.uint8)).astype(bool)

    def pull(self, points: Array) -> Array:
        """(n, 3) m, for points (n, 3), m, base frame: the way back to where they may be; zero where they are.

        Beside the region it leads sideways, before a measured surface along the ray; not at the region's
        edge, where depth may be that of what lies behind.
        """
        if self._empty:
            return np.zeros_like(points)
        camera = self._camera
        pixels, depth = camera.project(points)
        u, v = np.rint(pixels).astype(np.intp).clip(0, [camera.width - 1, camera.height - 1]).T
        distance = self._distance[v, u]
        share = np.clip(1.0 - _MARGIN / np.maximum(distance, 1e-6), 0.0, 1.0)
        way = share[:, None] * (self._nearest[v, u] - np.column_stack([u, v]))
        focal = np.diag(camera.intrinsics)[:2]
        before = self._depth[v, u] - depth
        back = np.where(self._inner[v, u] & (before > _BEFORE), before, 0.0)
        return np.column_stack([way * depth[:, None] / focal, back]) @ camera.rotation.T


def _ways_in(outside: NDArray[np.uint8]) -> tuple[Array, Array]:
    """Distance (h, w), pixels, to the nearest pixel of value 0, and that pixel (h, w, 2) as x, y."""
    distance, labels = cv2.distanceTransformWithLabels(
        outside, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = np.asarray(labels, np.intp)
    rows, columns = np.nonzero(outside == 0)
    nearest = np.zeros((label.max() + 1, 2))
    nearest[label[rows, columns]] = np.column_stack([columns, rows])
    return np.asarray(distance, np.float64), nearest[label]
