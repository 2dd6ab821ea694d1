"""Simulates a demonstration again, to know where the object was: datasets keep clouds instead."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rfs_policy.layout import STATE_JOINTS
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig
from scipy.spatial.transform import Rotation

from rfs_learning.dataset import EpisodeData

Array = NDArray[np.float64]

_SAME_START = 1e-5  # rad: recorded joints are float32
_SAME_PATH = 0.01  # rad


class StateReplay:
    """Replays episodes of one task in C MuJoCo."""

    def __init__(self, config: TaskConfig) -> None:
        self._task = GraspTask(replace(config, engine="mujoco"), threads=1)

    def states(self, episode: EpisodeData) -> dict[str, Array]:
        """Arrays (T + 1, ...) by path in the scene of `rfs_isaaclab`, before each action and after the last.

        Only the first row where the same actions led elsewhere (contacts amplify the rounding of recorded
        actions), nothing where the episode did not begin as its seed says: it was not made by this task.
        """
        task = self._task
        task.reset([episode.seed], [episode.object])
        recorded = episode.state[:, STATE_JOINTS]
        if np.abs(task.joint_positions[0] - recorded[0]).max() > _SAME_START:
            return {}
        rows = [self._row(episode.object)]
        for step, action in enumerate(episode.executed):
            if np.abs(task.joint_positions[0] - recorded[step]).max() > _SAME_PATH:
                return {path: values[None] for path, values in rows[0].items()}
            task.step(action[None])
            rows.append(self._row(episode.object))
        return {path: np.stack([row[path] for row in rows]) for path in rows[0]}

    def _row(self, name: str) -> dict[str, Array]:
        task = self._task
        position, quaternion = (part[0] for part in task.object_pose)
        linear, angular = np.split(task.object_velocity[0], 2)  # the latter in the object's own frame
        turning = Rotation.from_quat(quaternion).apply(angular)
        robot, body = "articulation/robot", f"rigid_object/object_{name}"
        return {
            f"{robot}/root_pose": np.array([0.0, 0, 0, 0, 0, 0, 1]),
            f"{robot}/root_velocity": np.zeros(6),
            f"{robot}/joint_position": task.joint_positions[0].copy(),
            f"{robot}/joint_velocity": task.joint_velocities[0].copy(),
            f"{body}/root_pose": np.concatenate([position, quaternion]),
            f"{body}/root_velocity": np.concatenate([linear, turning]),
        }
