"""Point clouds of recorded poses: what the simulator's cameras would have seen of robot and object."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.cloud import CloudCaster
from rfs_sim_bridge.engine import Start
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.mujoco_engine import MujocoEngine
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.task_config import TaskConfig

from rfs_description import kinematics

Array = NDArray[np.float64]

_BLOCK = 32  # frames posed side by side


class PosedClouds:
    """Casts the clouds of episodes of a task with these settings."""

    def __init__(self, config: TaskConfig, threads: int = 1) -> None:
        self._config = config
        self._engine = MujocoEngine(_BLOCK, config.timestep, threads)
        self._caster = CloudCaster(config.cloud, _BLOCK, threads)

    def cast(self, name: str, seed: int, joints: Array, object_pose: Array) -> NDArray[np.float32]:
        """Clouds (T, points, 3) in m, base frame.

        seed: of the episode, which draws the cameras' errors and each frame's rays, as in `GraspTask`.
        joints (T, 23) rad; object_pose (T, 7) of the named object: m, quaternion xyzw, base frame.
        """
        episode = draw(seed, find_object(name), self._config)
        for row in range(_BLOCK):
            self._caster.reset(row, episode)
        blocks = []
        for begin in range(0, len(joints), _BLOCK):
            frames = np.minimum(np.arange(begin, begin + _BLOCK), len(joints) - 1)
            blocks.append(self._cast_block(episode.start, joints, object_pose, frames))
        return np.concatenate(blocks)[: len(joints)]

    def _cast_block(self, start: Start, joints: Array, pose: Array, frames: NDArray) -> NDArray[np.float32]:
        starts = [
            replace(
                start,
                joint_positions=joints[frame],
                object_position=pose[frame, :3],
                object_quaternion=pose[frame, 3:],
            )
            for frame in frames
        ]
        self._engine.reset(np.arange(_BLOCK), starts)
        palm, rotation = kinematics.forward(joints[frames, :7])
        return self._caster.cast(self._engine, palm, rotation, frames * self._config.substeps)
