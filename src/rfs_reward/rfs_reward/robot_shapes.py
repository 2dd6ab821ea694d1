"""The robot's shapes in one flat body, for casting many rays quickly.

`mj_multiRay` tests every ray against a sphere around each body first, some thirty here, and does not turn
that sphere with the body. With all shapes in one body it goes straight to the bounds of each shape, which
are right.
"""

from functools import cache

import mujoco
import numpy as np
from numpy.typing import NDArray
from rfs_description.mjcf import robot_spec
from rfs_description.robot import JOINTS

from rfs_reward.camera import PinholeCamera

Array = NDArray[np.float64]
_FAR = 5.0  # m


class RobotShapes:
    """All shapes of arm and hand: `place` them, then `cast`."""

    def __init__(self) -> None:
        self._robot, self._flat = _models()
        self._pose, self._scene = mujoco.MjData(self._robot), mujoco.MjData(self._flat)

    def place(self, joints: Array) -> None:
        """Move the shapes to joints (23,), rad."""
        self._pose.qpos[:] = joints
        mujoco.mj_kinematics(self._robot, self._pose)
        self._scene.geom_xpos[:] = self._pose.geom_xpos
        self._scene.geom_xmat[:] = self._pose.geom_xmat

    def cast(self, origin: Array, rays: Array) -> Array:
        """Distances (n,), in lengths of the rays (n, 3) from an origin (3,); NaN where nothing is hit."""
        return self._cast(origin, rays, None)

    def cast_with_normals(self, origin: Array, rays: Array) -> tuple[Array, Array]:
        """The same, and the surfaces' unit normals (n, 3) where the rays hit."""
        normals = np.zeros((len(rays), 3))
        return self._cast(origin, rays, normals), normals

    def _cast(self, origin: Array, rays: Array, normals: Array | None) -> Array:
        count = len(rays)
        distance, geom = np.empty(count), np.empty(count, np.int32)
        flat = np.ascontiguousarray(rays, np.float64).ravel()
        out = None if normals is None else normals.reshape(-1)
        mujoco.mj_multiRay(
            self._flat, self._scene, origin, flat, None, True, -1, geom, distance, out, count, _FAR
        )
        distance[geom < 0] = np.nan
        return distance

    def near(self, camera: PinholeCamera) -> NDArray[np.bool_]:
        """(h, w) pixels in the rectangles around the shapes; the others need no ray."""
        pixels, depth = camera.project(self._scene.geom_xpos)
        seen = np.zeros((camera.height, camera.width), np.uint8)
        focal = camera.intrinsics[0, 0], camera.intrinsics[1, 1]
        for pixel, z, radius in zip(pixels, depth, self._flat.geom_rbound, strict=True):
            if z > -radius:
                _fill(seen, pixel, np.multiply(focal, _widening(z, radius)))
        return seen.astype(bool)


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


@cache
def _models() -> tuple[mujoco.MjModel, mujoco.MjModel]:
    """The robot, and its shapes in one body in the same order."""
    robot = robot_spec().compile()
    if robot.nq != len(JOINTS):
        raise ValueError(f"the robot's model has {robot.nq} joints, {len(JOINTS)} are expected")
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body()
    for kind, size in zip(robot.geom_type, robot.geom_size, strict=True):
        body.add_geom(type=mujoco.mjtGeom(int(kind)), size=size, mass=1.0)
    flat = spec.compile()
    flat.bvh_aabb[:, :3], flat.bvh_aabb[:, 3:] = 0.0, 1e3  # the sphere around the body holds every ray
    return robot, flat
