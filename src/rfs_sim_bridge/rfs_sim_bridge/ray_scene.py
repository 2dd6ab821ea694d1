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
HIT_NOTHING, HIT_ROBOT, HIT_OBJECT = 0, 1, 2
_FAR = 5.0  # m


class RayScene:
    """Shapes of one environment: `place` them as in a pose of the full scene, then `cast`."""

    def __init__(self, name: str, timestep: float):
        self._model, self._geoms, self._kinds = _flat_scene(name, timestep)
        self._data = mujoco.MjData(self._model)

    def place(self, pose: mujoco.MjData) -> None:
        """Take over the shapes' poses from data of the full scene, kinematics computed."""
        self._data.geom_xpos[:] = pose.geom_xpos[self._geoms]
        self._data.geom_xmat[:] = pose.geom_xmat[self._geoms]

    def cast(self, origin: Array, directions: Array) -> tuple[Array, NDArray[np.int8]]:
        """Distances (m,) in lengths of the directions (m, 3), -1 for a miss, and what was hit (m,)."""
        count = len(directions)
        distance, geom = np.empty(count), np.empty(count, np.int32)
        rays = np.ascontiguousarray(directions).reshape(-1)
        mujoco.mj_multiRay(
            self._model, self._data, origin, rays, None, True, -1, geom, distance, None, count, _FAR
        )
        return distance, self._kinds[geom]


@cache
def _flat_scene(name: str, timestep: float) -> tuple[mujoco.MjModel, NDArray[np.intp], NDArray[np.int8]]:
    """A model of the visible shapes, their ids in the full scene, and what a hit on each means."""
    full = scene.compiled_scene(name, timestep)
    geoms = np.flatnonzero(np.isin(full.geom_group, (scene.ROBOT_GROUP, scene.OBJECT_GROUP)))
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body()
    for geom in geoms:
        body.add_geom(type=mujoco.mjtGeom(int(full.geom_type[geom])), size=full.geom_size[geom], mass=1.0)
    flat = spec.compile()
    flat.bvh_aabb[:, :3], flat.bvh_aabb[:, 3:] = 0.0, 1e3  # the sphere around the body holds every ray
    kinds = np.full(len(geoms) + 1, HIT_ROBOT, np.int8)
    kinds[:-1][full.geom_group[geoms] == scene.OBJECT_GROUP] = HIT_OBJECT
    kinds[-1] = HIT_NOTHING  # the entry that index -1, a miss, reads
    return flat, geoms, kinds
