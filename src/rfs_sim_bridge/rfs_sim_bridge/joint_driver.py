"""Drives simulated joints as an arm's driver drives real ones: along the jerk-limited motion at 1 kHz."""

import numpy as np
from rfs_control.command import Command
from rfs_control.interpolation import TICK, Interpolator

from rfs_sim_bridge.grasp_task import GraspTask


class JointDriver:
    """Steps environment 0 of a task, which has no other, along the motion to the newest command."""

    def __init__(self, task: GraspTask) -> None:
        self._task = task
        self._motion = Interpolator(task.joint_positions[0], task.config.period)

    def reset(self) -> None:
        """A new episode began: the joints stand where they are."""
        self._motion.reset(self._task.joint_positions[0])

    def follow(self, command: Command) -> None:
        """Take a command of palm and fingers."""
        self._task.track(command)
        self._motion.set_target(self._task.joint_targets[0])

    def advance(self, substeps: int) -> None:
        """Simulate some physics steps, which must end on a tick of the motion."""
        step = self._task.config.timestep / TICK
        last = round(substeps * step)
        motion = np.vstack([self._motion.position, self._motion.advance(last)])
        at = np.arange(1, substeps + 1) * step  # physics steps need not fall on ticks
        before = np.minimum(at.astype(int), last - 1)
        share = (at - before)[:, None]
        targets = (1 - share) * motion[before] + share * motion[before + 1]
        self._task.drive(targets[None])

    def peaks(self) -> dict[str, float]:
        """Largest share used of each limit since the reset; see `Interpolator.peaks`."""
        return self._motion.peaks()
