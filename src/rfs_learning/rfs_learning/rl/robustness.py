"""Success under growing disturbances of every joint (paper, figure 8 and appendix A.2.4)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rfs_learning.rl.episode_choices import Steering
from rfs_learning.rl.evaluation import EpisodeResults, evaluate
from rfs_learning.rl.rl_config import RlTask

LEVELS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Factors of the torque pulses of the task on which the policy was trained, which is level 1."""


def disturbed(task: RlTask, level: float) -> RlTask:
    """The task with pulses `level` times as strong; the episode of a seed is else the same, and so are the
    times and directions of its pulses."""
    pulses = task.task.disturbance.scaled(level)
    return replace(task, task=replace(task.task, disturbance=pulses))


def robustness(
    policy: Steering,
    task: RlTask,
    seeds: Sequence[int],
    levels: Sequence[float] = LEVELS,
    **settings: Any,
) -> dict[float, EpisodeResults]:
    """Results by level, all over the same seeds; settings are those of `evaluate`."""
    return {level: evaluate(policy, disturbed(task, level), seeds, **settings) for level in levels}
