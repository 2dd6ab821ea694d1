"""What the grasp task needs of a physics engine; MuJoCo implements it, others may follow."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rfs_sim_bridge.objects import ObjectSpec

Array = NDArray[np.float64]


@dataclass
class EngineState:
    """Arrays of n environments in the base frame; an engine owns them and updates them in place.

    joint_positions, joint_velocities: (n, 23) rad, rad/s, order of `rfs_description.robot.JOINTS`.
    object_position (n, 3) m, object_quaternion (n, 4) xyzw, object_velocity (n, 6) linear m/s, angular rad/s.
    fingertips: (n, 4, 3) m, order of `robot.FINGERTIPS`.
    contacts: (n, 5) bool, object touches index, middle, ring finger, thumb, palm.
    unstable: (n,) bool, the simulation blew up since the last reset; what it shows means nothing.
    """

    joint_positions: Array
    joint_velocities: Array
    object_position: Array
    object_quaternion: Array
    object_velocity: Array
    fingertips: Array
    contacts: NDArray[np.bool_]
    unstable: NDArray[np.bool_]


@dataclass(frozen=True)
class Start:
    """How one environment's episode begins: what lies where, and how this episode's physics differ."""

    object: ObjectSpec
    joint_positions: Array
    object_position: Array
    object_quaternion: Array
    mass_scale: float = 1.0
    friction_scale: float = 1.0


class Engine(Protocol):
    """n independent copies of the scene. Equal starts and equal controls give equal states, bit for bit."""

    num_envs: int
    timestep: float
    state: EngineState

    def reset(self, env_ids: NDArray[np.intp], starts: list[Start]) -> None:
        """Begin new episodes in these environments."""
        ...

    def step(self, targets: Array, torques: Array) -> None:
        """Simulate k substeps: joint targets (n, k, 23) in rad and disturbing joint torques (n, k, 23) in N
        m."""
        ...

    def raycast(self, envs: range, origins: Array, directions: Array) -> Array:
        """Distances (b, c, m) to robot or object along directions (b, c, m, 3), in their lengths.

        Environments `envs` (b of them), c cameras at origins (c, 3). Negative where nothing was hit; the
        table is transparent. Thread safe for environments that do not overlap.
        """
        ...
