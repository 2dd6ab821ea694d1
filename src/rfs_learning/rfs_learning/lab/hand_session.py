"""A session of a bare human hand as a demonstration: retargeted, then executed by the robot in simulation.

The recording says how hand and object moved, not what a robot's joints and contacts would have been; so the
object is put where it stood, the robot follows the hand's path as fast as it may, and squeezes what it
touches, which positions of a hand do not tell. What then succeeds is kept.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import HAND_CLOSING
from rfs_policy.observation import WORKSPACE_BOX
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.task_config import TaskConfig
from scipy.spatial.transform import Rotation

from rfs_description import rotations
from rfs_learning.dataset import EpisodeData
from rfs_learning.lab.demo_file import LabDemo
from rfs_learning.lab.hand_keypoints import find_hand
from rfs_learning.lab.leap_retargeting import LeapRetargeting
from rfs_learning.lab.scene_states import base_pose, object_pose

Array = NDArray[np.float64]

_THERE = 0.03, 0.3  # m, rad: the robot is where the hand was, the next moment may come
_SQUEEZE, _CLOSING, _OPENING = 0.4, 0.1, 0.02  # rad at most, and per step
_TAIL = 3  # steps kept after success: a student should learn to hold still


class HandSession:
    """Executes recorded hands in simulation."""

    def __init__(self, config: TaskConfig) -> None:
        self._config = config

    def demonstrate(self, demo: LabDemo, name: str, seed: int) -> EpisodeData:
        """The episode in which the robot did with the named object what the hand did.

        seed: of what the recording does not tell: where the robot starts, mass, friction, cameras' errors.

        Raises:
            ValueError: no hand, no object, the object out of reach, or the grasp did not hold.
        """
        pose = object_pose(demo, name)[0]
        _require_reachable(pose[:3], demo.name)
        keypoints = find_hand(demo)
        if keypoints is None:
            raise ValueError(f"{demo.name} has no human hand")
        base = base_pose(demo)
        turn = Rotation.from_quat(base[3:]).inv().as_matrix()
        fingers, position, axes = LeapRetargeting().retarget((keypoints - base[:3]) @ turn.T)
        task = self._begin(name, seed, pose, len(keypoints))
        rows = _follow(task, fingers, position, axes)
        if rows is None:
            raise ValueError(
                f"{demo.name}: in simulation the retargeted grasp did not lift the {name} and hold it"
            )
        arrays = (np.stack(column).astype(np.float32) for column in zip(*rows, strict=True))
        return EpisodeData(*arrays, object=name, seed=seed, success=True)

    def _begin(self, name: str, seed: int, pose: Array, frames: int) -> GraspTask:
        seconds = self._config.episode_seconds + 3.0 * frames * self._config.period
        config = replace(self._config, episode_seconds=seconds)
        task = GraspTask(config, 1, [name], threads=1)
        task.reset([seed])
        start = draw(seed, find_object(name), config).start
        start = replace(start, object_position=pose[:3], object_quaternion=pose[3:])
        task.engine.reset(np.arange(1), [start])
        return task


def _follow(task: GraspTask, fingers: Array, position: Array, axes: Array) -> list | None:
    """Rows (cloud, state, action, executed) of an episode along that path; None if the grasp failed."""
    rows, moment, squeeze, tail = [], 0, 0.0, _TAIL
    while tail >= 0 and task.steps[0] < task.config.max_steps:
        before, touching = squeeze, bool(task.engine.state.contacts[0].any())
        squeeze = _next_squeeze(squeeze, touching)
        gap = position[moment] - task.command.position[0]
        turn = rotations.to_vector(axes[moment] @ task.command.rotation[0].T)
        wanted = np.concatenate([gap, turn, fingers[moment] + squeeze * HAND_CLOSING])[None]
        cloud, state = task.clouds()[0], task.state()[0]
        executed = task.step(wanted).executed[0]
        rows.append((cloud, state, executed, executed))
        there = np.linalg.norm(gap) < _THERE[0] and np.linalg.norm(turn) < _THERE[1]
        if there and squeeze <= before:  # the palm waits while it squeezes
            moment = min(moment + 1, len(position) - 1)
        tail -= int(task.success[0])
    return rows if task.success[0] else None


def _next_squeeze(squeeze: float, touching: bool) -> float:
    """rad: more while the hand touches the object, slowly less while it does not."""
    return float(np.clip(squeeze + (_CLOSING if touching else -_OPENING), 0.0, _SQUEEZE))


def _require_reachable(position: Array, name: str) -> None:
    lower, upper = WORKSPACE_BOX - [[0.0, 0.0, 0.05], [0.0, 0.0, 0.0]]
    if (position < lower).any() or (position > upper).any():
        raise ValueError(
            f"{name}: the object is at {position.round(2)} m, not on the table in front of the robot "
            f"({lower[:2]} to {upper[:2]} m, table top at z = 0): the base frame is that of the recorded "
            "articulation's root_pose, or the environment's origin"
        )
