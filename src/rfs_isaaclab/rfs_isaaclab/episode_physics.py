"""How an episode's physics differ: mass and friction of the object, and which object has weight at all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from isaaclab_newton.physics import NewtonManager
from newton import ModelFlags
from numpy.typing import NDArray
from rfs_sim_bridge.engine import Start

from rfs_isaaclab.newton_shapes import geom_bodies, model, object_bodies, solver


class EpisodePhysics:
    """Sets them in Isaac Lab's objects, one RigidObject for each name, and in Newton's model."""

    def __init__(self, objects: Sequence[Any], names: Sequence[str]) -> None:
        self._objects, self._bodies = objects, object_bodies(names)
        self._shape_body = model().shape_body.numpy()
        self._friction = model().shape_material_mu.numpy().copy()
        self._geom_body = geom_bodies()
        self._geom_friction = solver().mj_model.geom_friction[:, 0].copy()
        self._mass = [item.data.body_mass.torch.clone() for item in objects]
        self._inertia = [item.data.body_inertia.torch.clone() for item in objects]

    def set(self, envs: NDArray[np.intp], chosen: NDArray[np.intp], starts: Sequence[Start]) -> None:
        """Begin episodes in `envs` (k,) with object number `chosen` (k,)."""
        for env, number, start in zip(envs.tolist(), chosen.tolist(), starts, strict=True):
            self._scale_mass(env, number, start.mass_scale)
            self._scale_friction(env, number, start.friction_scale)
        self._float_the_others(envs, chosen)
        NewtonManager.add_model_change(ModelFlags.BODY_INERTIAL_PROPERTIES)
        NewtonManager.add_model_change(ModelFlags.SHAPE_PROPERTIES)

    def _scale_mass(self, env: int, number: int, scale: float) -> None:
        item, where = self._objects[number], torch.tensor([env], dtype=torch.int32, device=self._device)
        item.set_masses_index(masses=scale * self._mass[number][[env]], env_ids=where)
        inertia = scale * self._inertia[number][[env]].reshape(1, 1, 9)
        item.set_inertias_index(inertias=inertia, env_ids=where)

    @property
    def _device(self) -> torch.device:
        return self._mass[0].device

    def _scale_friction(self, env: int, number: int, scale: float) -> None:
        """Newton hands it on to MuJoCo Warp; MuJoCo in C must be told besides."""
        body = self._bodies[env, number]
        friction = model().shape_material_mu.numpy()
        shapes = self._shape_body == body
        friction[shapes] = scale * self._friction[shapes]
        model().shape_material_mu.assign(friction)
        if solver().use_mujoco_cpu:
            geoms = self._geom_body == body
            solver().mj_model.geom_friction[geoms, 0] = scale * self._geom_friction[geoms]

    def _float_the_others(self, envs: NDArray[np.intp], chosen: NDArray[np.intp]) -> None:
        """Parked objects are weightless, so they stay where they are and touch nothing."""
        compensation = model().mujoco.gravcomp
        values = compensation.numpy()
        values[self._bodies[envs]] = 1.0
        values[self._bodies[envs, chosen]] = 0.0
        compensation.assign(values)
