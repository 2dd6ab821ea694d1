"""The grasp scene's physics on Newton."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from isaaclab.scene import InteractiveScene
from isaaclab.sim import SimulationContext
from numpy.typing import NDArray
from rfs_sim_bridge.engine import Start

from rfs_isaaclab.contacts import ContactReader
from rfs_isaaclab.episode_physics import EpisodePhysics
from rfs_isaaclab.scene_cfg import object_key


class NewtonBackend:
    """Implements `PhysicsBackend` for any number of environments and objects."""

    def __init__(self, sim: SimulationContext, scene: InteractiveScene, objects: Sequence[str]) -> None:
        physics: Any = sim.cfg.physics
        self.substeps = int(physics.num_substeps)
        self._contacts = ContactReader(scene.num_envs, objects)
        self._physics = EpisodePhysics([scene[object_key(name)] for name in objects], objects)

    def begin(self, envs: NDArray[np.intp], chosen: NDArray[np.intp], starts: Sequence[Start]) -> None:
        self._physics.set(envs, chosen, starts)

    def contacts(self, active: NDArray[np.intp]) -> NDArray[np.bool_]:
        return self._contacts.read(active)
