"""The course of an episode, control step by control step: what its failure mode, its reward trace and its
pictures are made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.snapshot import Snapshot

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EpisodeCourse:
    """An episode of T control steps; row 0 is the start, row t what step t led to. Base frame.

    joints (T + 1, 23) measured, rad. positions (T + 1, 3) m and quaternions (T + 1, 4) xyzw of the object.
    rewards (T,). period: s between rows.
    """

    object: str
    joints: Array
    positions: Array
    quaternions: Array
    rewards: Array
    period: float

    @property
    def lift(self) -> Array:
        """(T + 1,) m over the object's rest height."""
        return self.positions[:, 2] - find_object(self.object).rest_height

    @property
    def place(self) -> tuple[float, float]:
        """Where the object stood at first: x, y in m."""
        return float(self.positions[0, 0]), float(self.positions[0, 1])

    def at(self, seconds: float) -> Snapshot:
        """The pose at a time; the last one after the end."""
        row = min(round(seconds / self.period), len(self.joints) - 1)
        return Snapshot(self.object, self.joints[row], self.positions[row], self.quaternions[row])


class CourseRecorder:
    """Keeps the courses of the episodes that run in the environments of a task.

    Call `begin` after a reset, and `update` with the rewards (n,) after each step.
    """

    def __init__(self, task: GraspTask) -> None:
        self._task = task
        self._poses: list[list[tuple[Array, Array, Array]]] = [[] for _ in range(task.num_envs)]
        self._rewards: list[list[float]] = [[] for _ in range(task.num_envs)]

    def begin(self, envs: NDArray[np.intp]) -> None:
        """New episodes in these environments, which have just been reset."""
        for env in envs.tolist():
            self._poses[env], self._rewards[env] = [self._pose(env)], []

    def update(self, rewards: Array, acting: NDArray[np.bool_]) -> None:
        """Take in the step that the task has just done, in the environments that take part."""
        for env in np.flatnonzero(acting).tolist():
            self._poses[env].append(self._pose(env))
            self._rewards[env].append(float(rewards[env]))

    def of(self, env: int) -> EpisodeCourse:
        """The course of the environment's present episode so far."""
        joints, positions, quaternions = map(np.array, zip(*self._poses[env], strict=True))
        name, period = self._task.objects[env].name, self._task.config.period
        return EpisodeCourse(name, joints, positions, quaternions, np.array(self._rewards[env]), period)

    def _pose(self, env: int) -> tuple[Array, Array, Array]:
        state = self._task.engine.state
        pose = (state.joint_positions[env], state.object_position[env], state.object_quaternion[env])
        joints, position, quaternion = (part.copy() for part in pose)
        return joints, position, quaternion
