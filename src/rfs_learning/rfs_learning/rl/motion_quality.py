"""How good a motion is beyond success: lifted at all, finger interpenetration, smoothness of commands.

Appendix A.2.3 of the paper.
"""

import numpy as np
from numpy.typing import NDArray
from rfs_control.command import Command
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.interpenetration import interpenetration

Array = NDArray[np.float64]

OFF_TABLE = 0.02
"""m of lift from which an object is off the table; tipping over raises a training object by less."""


class MotionQuality:
    """Watches the episodes of n environments. Everything is (n,), since each environment's `begin`.

    Attributes:
        lifted: the object was up, slow, for as long as success asks for, in whatever pose of arm and hand.
        depth: m, deepest overlap of different fingers while the object was off the table.
    """

    def __init__(self, task: GraspTask) -> None:
        n = task.num_envs
        self._task = task
        self.depth, self.lifted = np.zeros(n), np.zeros(n, bool)
        self._up, self._steps = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._finger_squares, self._palm_squares = np.zeros(n), np.zeros(n)
        self._last = _numbers(task.command)
        self._velocity = np.zeros_like(self._last)

    def begin(self, envs: NDArray[np.intp]) -> None:
        """New episodes in these environments, which have just been reset."""
        for values in (self.depth, self._finger_squares, self._palm_squares):
            values[envs] = 0.0
        for values in (self.lifted, self._up, self._steps):
            values[envs] = 0
        self._last[envs] = _numbers(self._task.command)[envs]
        self._velocity[envs] = 0.0

    def update(self) -> None:
        """Take in the control step that the task has just done."""
        lift, state = self._task.lift, self._task.engine.state
        off = lift > OFF_TABLE
        self.depth[off] = np.maximum(self.depth[off], interpenetration(state.joint_positions[off, 7:]))
        self._judge_lift(lift)
        self._follow_command()

    @property
    def finger_roughness(self) -> Array:
        """rad: root mean square of the second differences of the finger commands, which start from rest."""
        return np.sqrt(self._finger_squares / np.maximum(self._steps, 1))

    @property
    def palm_roughness(self) -> Array:
        """m: the same of the commanded palm position."""
        return np.sqrt(self._palm_squares / np.maximum(self._steps, 1))

    def _judge_lift(self, lift: Array) -> None:
        """The task's success without feasibility."""
        task, success = self._task, self._task.config.success
        slow = np.linalg.norm(task.object_velocity[:, :3], axis=1) < success.max_object_speed
        good = (lift >= success.lift) & slow & ~task.engine.state.unstable
        self._up = np.where(good, self._up + 1, 0)
        self.lifted |= self._up >= task.config.hold_steps

    def _follow_command(self) -> None:
        now = _numbers(self._task.command)
        velocity = now - self._last
        squares = (velocity - self._velocity) ** 2
        self._palm_squares += squares[:, :3].sum(axis=1)
        self._finger_squares += squares[:, 3:].mean(axis=1)
        self._steps += 1
        self._last, self._velocity = now, velocity


def _numbers(command: Command) -> Array:
    """(n, 19): palm position and fingers."""
    return np.concatenate([command.position, command.fingers], axis=1)
