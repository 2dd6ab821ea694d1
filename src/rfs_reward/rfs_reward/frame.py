"""One moment as the trackers see it: picture, registered depth, camera and robot of the same time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfs_reward.camera import PinholeCamera


@dataclass(frozen=True, eq=False)
class Frame:
    """What was measured at `stamp` (ns), at the camera's resolution (h, w).

    color: (h, w, 3) uint8, RGB. depth: (h, w) float32, m along the optical axis, NaN where unknown.
    joints: (23,) measured, rad, in the order of JOINTS. robot: (h, w) bool, pixels that show the robot at
    these joints. segmentation: (h, w) uint8 as in `rfs_sim_bridge.pictures`, from a simulator alone.
    """

    stamp: int
    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    camera: PinholeCamera
    joints: NDArray[np.float64]
    robot: NDArray[np.bool_]
    segmentation: NDArray[np.uint8] | None = None

    def thinned(self, widest: int) -> "Frame":
        """The frame with evenly chosen pixels, at most `widest` in a row; itself where it is no wider."""
        step = self.camera.step(widest)
        if step == 1:
            return self
        thin = slice(None, None, step), slice(None, None, step)
        pictures = self.color[thin], self.depth[thin], self.camera.thinned(step)
        segmentation = None if self.segmentation is None else self.segmentation[thin]
        return Frame(self.stamp, *pictures, self.joints, self.robot[thin], segmentation)
