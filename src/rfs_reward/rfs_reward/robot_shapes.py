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

    @property
    def spheres(self) -> tuple[Array, Array]:
        """Centers (g, 3) and radii (g,), m, of spheres around the shapes, base frame."""
        return self._scene.geom_xpos, self._flat.geom_rbound

    def cast(self, origin: Array, rays: Array) -> Array:
        """Distances (n,), in lengths of the rays (n, 3) from an origin (3,); NaN where nothing is hit."""
        count = len(rays)
        distance, geom = np.empty(count), np.empty(count, np.int32)
        flat = np.ascontiguousarray(rays, np.float64).ravel()
        mujoco.mj_multiRay(
            self._flat, self._scene, origin, flat, None, True, -1, geom, distance, None, count, _FAR
        )
        distance[geom < 0] = np.nan
        return distance


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
