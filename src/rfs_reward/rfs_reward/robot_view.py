"""The robot as a camera must see it at measured joints: depth and mask, from the description's shapes."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_description.robot import JOINTS

from rfs_reward.camera import PinholeCamera
from rfs_reward.camera_registration import POSITION_ERROR, ROTATION_ERROR, register
from rfs_reward.robot_shapes import RobotShapes

Array = NDArray[np.float64]
Depth = NDArray[np.float32]
Mask = NDArray[np.bool_]

_DISTANCE = 0.8  # m, usual distance of the hand, at which the errors count in pixels
_CLOSE = 0.008  # m: what lies nearer than this to the robot's surface may be the robot
_RAYS_WIDE = 320  # pixels: larger pictures are rendered smaller and enlarged
_REGISTERED_WIDE = 80  # pixels, the same for registration


class RobotView:
    """Renders the robot. Keeps nothing between calls."""

    def __init__(self) -> None:
        self._shapes = RobotShapes()

    def depth(self, camera: PinholeCamera, joints: ArrayLike) -> Depth:
        """(h, w) m along the optical axis at joints (23,), rad; NaN beside the robot.

        A picture wider than 320 pixels is rendered at a fraction of its size and enlarged.
        """
        self._shapes.place(_checked(joints))
        return self._render(camera)

    def mask(self, camera: PinholeCamera, joints: ArrayLike, depth: Depth | None = None) -> Mask:
        """(h, w) pixels that show the robot at joints (23,), rad.

        Without measured depth, with a rim for the calibration's error. With it (h, w), m, NaN where unknown:
        the calibration is first corrected until the depth shows the robot in its place; then without what is
        clearly nearer than the robot, so that an object in front of it remains.

        Raises:
            ValueError: joints are missing or not finite, or the depth is of another size.
        """
        self._shapes.place(_checked(joints))
        if depth is None:
            return _widened(np.isfinite(self._render(camera)), rim(camera))
        if depth.shape != (camera.height, camera.width):
            raise ValueError(
                f"depth has shape {depth.shape}, the camera's pictures have {(camera.height, camera.width)}"
            )
        step = camera.step(_REGISTERED_WIDE)
        moved = register(self._shapes, camera.thinned(step), depth[::step, ::step])
        rendered = self._render(replace(camera, position=moved.position, rotation=moved.rotation))
        return np.isfinite(rendered) & ~(depth < rendered - _CLOSE)

    def _render(self, camera: PinholeCamera) -> Depth:
        """(h, w) m of the shapes as they are placed."""
        step = camera.step(_RAYS_WIDE)
        small = _shrunk(camera, step)
        seen = self._shapes.near(small)
        depth = np.full((small.height, small.width), np.nan, np.float32)
        depth[seen] = self._shapes.cast(camera.position, small.rays[seen])
        if step == 1:
            return depth
        return depth.repeat(step, 0).repeat(step, 1)[: camera.height, : camera.width]


def rim(camera: PinholeCamera) -> int:
    """Pixels by which the robot may appear beside its place: the calibration's errors at a usual distance."""
    return max(1, round((POSITION_ERROR / _DISTANCE + ROTATION_ERROR) * camera.intrinsics[0, 0]))


def _widened(mask: Mask, margin: int) -> Mask:
    size = 2 * margin + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)).astype(bool)


def _shrunk(camera: PinholeCamera, step: int) -> PinholeCamera:
    """The same camera with pixels `step` times as large; its last ones may reach over the edge."""
    if step == 1:
        return camera
    scale = np.array([[1 / step, 0, 0.5 / step - 0.5], [0, 1 / step, 0.5 / step - 0.5], [0, 0, 1]])
    size = -(-camera.width // step), -(-camera.height // step)
    return PinholeCamera(scale @ camera.intrinsics, camera.position, camera.rotation, *size)


def _checked(joints: ArrayLike) -> Array:
    values = np.asarray(joints, np.float64)
    if values.shape != (len(JOINTS),) or not np.isfinite(values).all():
        raise ValueError(f"the robot's view needs {len(JOINTS)} finite joints, got {values}")
    return values
