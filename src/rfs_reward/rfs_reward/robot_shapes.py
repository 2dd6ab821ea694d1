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
        seen = np.zeros((camera.height, camera.width), bool)
        for left, top, right, bottom in _rectangles(camera, self._scene.geom_xpos, self._flat.geom_rbound):
            seen[top:bottom, left:right] = True
        return seen


def _rectangles(camera: PinholeCamera, centers: Array, radii: Array) -> list[list[int]]:
    """left, top, right, bottom around spheres, m, that are not behind the camera; all if it is in one."""
    pixels, depth = camera.project(centers)
    size = np.array([camera.width, camera.height])
    focal = np.diag(camera.intrinsics)[:2]
    inside = np.abs(depth) <= 2.0 * radii
    half = focal * (2.0 * radii / np.where(inside, 1.0, depth - radii))[:, None] + 1.0
    low = np.where(inside[:, None], 0.0, np.clip(pixels - half, 0, size))
    high = np.where(inside[:, None], size, np.clip(pixels + half + 1.0, 0, size))
    before = depth > -2.0 * radii
    return np.hstack([np.floor(low), np.ceil(high)])[before].astype(int).tolist()


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
