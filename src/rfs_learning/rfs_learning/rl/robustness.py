"""Success under growing disturbances of every joint (paper, figure 8 and appendix A.2.4)."""

from dataclasses import replace

from rfs_learning.rl.rl_config import RlTask

LEVELS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Factors of the torque pulses of the task on which the policy was trained, which is level 1."""


def disturbed(task: RlTask, level: float) -> RlTask:
    """The task with pulses `level` times as strong; the episode of a seed is else the same, and so are the
    times and directions of its pulses."""
    pulses = task.task.disturbance.scaled(level)
    return replace(task, task=replace(task.task, disturbance=pulses))
