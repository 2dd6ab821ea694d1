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
        self._camera, self._depth = view.camera, view.depth
        outside = (~(view.mask | view.robot)).astype(np.uint8)
        self._empty = bool(outside.all())
        distance, label = cv2.distanceTransformWithLabels(
            outside, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        self._distance, self._label = np.asarray(distance, np.float32), np.asarray(label, np.intp)
        self._inner = cv2.erode(1 - outside, np.ones((3, 3), np.uint8)).astype(bool)
        rows, columns = np.nonzero(outside == 0)
        self._nearest = np.zeros((len(rows) + 1, 2))
        self._nearest[self._label[rows, columns]] = np.column_stack([columns, rows])

    def pull(self, points: Array) -> Array:
        """(n, 3) m, for points (n, 3), m, base frame: the way back to where they may be; zero where they are.

        Beside the region it leads sideways, before a measured surface along the ray; not at the region's
        edge, where depth may be that of what lies behind.
        """
        if self._empty:
            return np.zeros_like(points)
        camera = self._camera
        pixels, depth = camera.project(points)
        pixels = np.rint(pixels).clip(0, [camera.width - 1, camera.height - 1])
        u, v = pixels.astype(np.intp).T
        distance = np.maximum(self._distance[v, u], _MARGIN)
        way = (depth * (1.0 - _MARGIN / distance))[:, None] * (self._nearest[self._label[v, u]] - pixels)
        before = self._depth[v, u] - depth
        back = np.where(self._inner[v, u] & (before > _BEFORE), before, 0.0)
        return np.column_stack([way / camera.intrinsics.diagonal()[:2], back]) @ camera.rotation.T
