"""A rectangle of a frame, ready for comparing pixels with the object: points, heights, robot, colors."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.robot_view import rim
from rfs_reward.surfaces import filled
from rfs_reward.table import Table
from rfs_reward.trackers.color_model import Bins, color_bins

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Window = tuple[slice, slice]

_NOTHING = (slice(0, 0), slice(0, 0))


@dataclass(frozen=True, eq=False)
class Patch:
    """Pixels (h, w) of a frame.

    window: rows and columns in the frame, with steps. points (h, w, 3), m, base frame, and heights over the
    table, m: NaN where the depth is unknown. robot: the frame's robot mask; core: without its rim. noise:
    standard deviation of heights on the table, m.
    """

    window: Window
    bins: Bins
    points: NDArray[np.float32]
    heights: NDArray[np.float32]
    robot: Mask
    core: Mask
    noise: float

    @classmethod
    def of(cls, frame: Frame, table: Table, window: Window, core: Mask) -> Self:
        """This window of a frame."""
        depth = filled(frame.depth[window])
        points = frame.camera.position + frame.camera.rays[window] * depth[..., None]
        return cls(
            window,
            color_bins(frame.color[window]),
            points.astype(np.float32),
            table.heights(points).astype(np.float32),
            frame.robot[window],
            core[window],
            table.noise,
        )

    def distances(self, center: Array) -> NDArray[np.float32]:
        """(h, w) m from a center (3,) to the points; NaN where the depth is unknown."""
        way = self.points - center.astype(np.float32)
        return np.sqrt(np.einsum("ijk,ijk->ij", way, way))


def robot_core(frame: Frame) -> Mask:
    """(h, w) robot pixels without the rim that allows for the calibration's error."""
    size = 2 * rim(frame.camera) + 1
    eroded = cv2.erode(frame.robot.astype(np.uint8), np.ones((size, size), np.uint8), borderValue=1)
    return eroded.astype(bool)


def around(camera: PinholeCamera, center: Array, radius: float) -> Window:
    """The pixels in which a sphere may be seen, m, base frame; none if the camera is in it or before it."""
    pixels, depth = camera.project(center[None])
    if not depth[0] > 2.0 * radius:
        return _NOTHING
    half = camera.intrinsics[0, 0] * radius / (depth[0] - radius) + 1.0
    low = np.clip(np.floor(pixels[0] - half), 0, [camera.width, camera.height]).astype(int)
    high = np.clip(np.ceil(pixels[0] + half) + 1, 0, [camera.width, camera.height]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])
