"""The robot as a camera must see it at measured joints: depth and mask, from the description's shapes."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_description.robot import JOINTS

from rfs_reward.camera import PinholeCamera
from rfs_reward.robot_shapes import RobotShapes

Array = NDArray[np.float64]
Depth = NDArray[np.float32]
Mask = NDArray[np.bool_]

_POSITION_ERROR, _ROTATION_ERROR = 0.003, 0.004  # m, rad: how well a camera's place is known
_DISTANCE = 0.8  # m, usual distance of the hand, at which the errors count in pixels
_CLOSE = 0.012  # m: what lies nearer than this to the robot's surface may be the robot: noise and calibration
_RAYS_WIDE = 160  # pixels: larger pictures are rendered smaller and enlarged


class RobotView:
    """Renders the robot. Keeps nothing between calls."""

    def __init__(self) -> None:
        self._shapes = RobotShapes()

    def depth(self, camera: PinholeCamera, joints: ArrayLike) -> Depth:
        """(h, w) m along the optical axis at joints (23,), rad; NaN beside the robot.

        A picture wider than 160 pixels is rendered at a fraction of its size and enlarged.
        """
        self._shapes.place(_checked(joints))
        step = -(-camera.width // _RAYS_WIDE)
        small = _shrunk(camera, step)
        seen = self._near_shapes(small)
        depth = np.full((small.height, small.width), np.nan, np.float32)
        depth[seen] = self._shapes.cast(camera.position, small.rays[seen])
        if step == 1:
            return depth
        return depth.repeat(step, 0).repeat(step, 1)[: camera.height, : camera.width]

    def mask(self, camera: PinholeCamera, joints: ArrayLike, depth: Depth | None = None) -> Mask:
        """(h, w) pixels that show the robot at joints (23,), rad, with a rim for the calibration's error.

        With measured depth (h, w), m, NaN where unknown: without what is clearly nearer than the robot, and
        the rim only where it is as far away as the robot's edge, so that an object in the hand remains.
        """
        rendered = self.depth(camera, joints)
        margin = rim(camera)
        kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
        nearest = cv2.erode(np.where(np.isnan(rendered), np.inf, rendered), kernel)
        silhouette = np.isfinite(nearest)
        if depth is None:
            return silhouette
        if depth.shape != silhouette.shape:
            raise ValueError(f"depth has shape {depth.shape}, the camera's pictures have {silhouette.shape}")
        farthest = cv2.dilate(np.where(np.isnan(rendered), -np.inf, rendered), kernel)
        core = cv2.erode(np.isfinite(rendered).astype(np.uint8), kernel, borderValue=1).astype(bool)
        nearer = depth < nearest - _CLOSE
        beyond = ~core & (depth > farthest + _CLOSE)
        return silhouette & ~nearer & ~beyond

    def _near_shapes(self, camera: PinholeCamera) -> Mask:
        """(h, w) pixels in the rectangles around the shapes; the others need no ray."""
        centers, radii = self._shapes.spheres
        pixels, depth = camera.project(centers)
        seen = np.zeros((camera.height, camera.width), np.uint8)
        focal = camera.intrinsics[0, 0], camera.intrinsics[1, 1]
        for pixel, z, radius in zip(pixels, depth, radii, strict=True):
            if z > -radius:
                _fill(seen, pixel, np.multiply(focal, _widening(z, radius)))
        return seen.astype(bool)


def rim(camera: PinholeCamera) -> int:
    """Pixels by which the robot may appear beside its place: the calibration's errors at a usual distance."""
    return max(1, round((_POSITION_ERROR / _DISTANCE + _ROTATION_ERROR) * camera.intrinsics[0, 0]))


def _widening(z: float, radius: float) -> float:
    """Half the size of a sphere in a picture of focal length 1, from above; infinite around the camera."""
    return 2.0 * radius / (z - radius) if z > 2.0 * radius else np.inf


def _fill(seen: NDArray[np.uint8], pixel: Array, half: Array) -> None:
    """Set the rectangle of half size (2,) around a pixel x, y."""
    height, width = seen.shape
    with np.errstate(invalid="ignore"):
        low = np.nan_to_num(np.floor(pixel - half), nan=0, neginf=0).clip(0, [width, height]).astype(int)
        high = np.nan_to_num(np.ceil(pixel + half) + 1, nan=np.inf).clip(0, [width, height]).astype(int)
    seen[low[1] : high[1], low[0] : high[0]] = 1


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
