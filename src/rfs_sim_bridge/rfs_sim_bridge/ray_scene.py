"""The visible shapes of hand and object in one flat body, for casting many rays quickly.

`mj_multiRay` tests every ray against a sphere around each body first, about thirty here, and does not turn
that sphere with the body. With all shapes in one body it goes straight to the bounds of each shape, which
are right.
"""

from functools import cache

import mujoco
import numpy as np
from numpy.typing import NDArray

from rfs_sim_bridge import scene

Array = NDArray[np.float64]
_FAR = 5.0  # m


class RayScene:
    """Shapes of one environment: `place` them as in a pose of the full scene, then `cast`."""

    def __init__(self, name: str, timestep: float):
        self._model, self._geoms = _flat_scene(name, timestep)
        self._data = mujoco.MjData(self._model)

    def place(self, pose: mujoco.MjData) -> None:
        """Take over the shapes' poses from data of the full scene, kinematics computed."""
        self._data.geom_xpos[:] = pose.geom_xpos[self._geoms]
        self._data.geom_xmat[:] = pose.geom_xmat[self._geoms]

    def cast(self, origins: Array, directions: Array, distances: Array) -> None:
        """Write distances (c, m), in lengths of the directions (c, m, 3) from origins (c, 3); negative: a
        miss.

        Little Python runs between the casts, which release the interpreter: two threads hardly meet.
        """
        cameras, count = distances.shape
        rays, hit = directions.reshape(cameras, -1), np.empty(count, np.int32)
        for camera in range(cameras):
            mujoco.mj_multiRay(
                self._model,
                self._data,
                origins[camera],
                rays[camera],
                None,
                True,
                -1,
                hit,
                distances[camera],
                None,
                count,
                _FAR,
            )


@cache
def _flat_scene(name: str, timestep: float) -> tuple[mujoco.MjModel, NDArray[np.intp]]:
    """A model of the visible shapes, and their ids in the full scene."""
    full = scene.compiled_scene(name, timestep)
    geoms = np.flatnonzero(np.isin(full.geom_group, (scene.ROBOT_GROUP, scene.OBJECT_GROUP)))
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body()
    for geom in geoms:
        body.add_geom(type=mujoco.mjtGeom(int(full.geom_type[geom])), size=full.geom_size[geom], mass=1.0)
    flat = spec.compile()
    flat.bvh_aabb[:, :3], flat.bvh_aabb[:, 3:] = 0.0, 1e3  # the sphere around the body holds every ray
    return flat, geoms
