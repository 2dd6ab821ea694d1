"""The grasp scene's physics on PhysX, for Isaac Sim with a GPU: type-checked, never run where it was made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import warp as wp
from isaaclab.scene import InteractiveScene
from numpy.typing import NDArray
from rfs_sim_bridge.engine import Start
from rfs_sim_bridge.scene import CONTACT_BODIES

from rfs_isaaclab.newton_shapes import hand_part
from rfs_isaaclab.scene_cfg import object_key
from rfs_isaaclab.touch_sensors import touch_bodies


class PhysxBackend:
    """Implements `PhysicsBackend` for one object: nothing is parked, so all that lies there has weight."""

    substeps = 1

    def __init__(self, scene: InteractiveScene, objects: Sequence[str]) -> None:
        if len(objects) != 1:
            raise ValueError(f"on PhysX an environment has one object, not {', '.join(objects)}: name one")
        self._object: Any = scene[object_key(objects[0])]
        self._sensors = {key: hand_part(path) for key, path in touch_bodies().items()}
        self._scene = scene
        self._mass = self._object.data.body_mass.torch.clone()
        self._inertia = self._object.data.body_inertia.torch.clone()
        self._friction = self._materials().clone()

    def begin(self, envs: NDArray[np.intp], chosen: NDArray[np.intp], starts: Sequence[Start]) -> None:
        ids = torch.as_tensor(envs, dtype=torch.int32, device=self._mass.device)
        mass = torch.tensor([start.mass_scale for start in starts], device=self._mass.device)[:, None]
        self._object.set_masses_index(masses=mass * self._mass[envs], env_ids=ids)
        inertia = mass[..., None] * self._inertia[envs].reshape(len(starts), 1, 9)
        self._object.set_inertias_index(inertias=inertia, env_ids=ids)
        materials = self._materials()
        for env, start in zip(envs.tolist(), starts, strict=True):
            materials[env, :, :2] = start.friction_scale * self._friction[env, :, :2]
        self._object.root_view.set_material_properties(wp.from_torch(materials), wp.from_torch(ids.cpu()))

    def _materials(self) -> torch.Tensor:
        """(n, shapes, 3): static and dynamic friction, restitution."""
        return wp.to_torch(self._object.root_view.get_material_properties())

    def contacts(self, active: NDArray[np.intp]) -> NDArray[np.bool_]:
        flags = np.zeros((self._scene.num_envs, len(CONTACT_BODIES)), bool)
        for key, part in self._sensors.items():
            sensor: Any = self._scene[key]
            force = sensor.data.force_matrix_w.torch.reshape(self._scene.num_envs, -1)
            flags[:, part] |= (force.abs().sum(-1) > 0.0).cpu().numpy()
        return flags
