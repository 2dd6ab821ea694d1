"""A recorded episode as a trial of an evaluation: outcome, failure mode and rewards as in process."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rfs_sim_bridge.task_config import SuccessConfig

from rfs_learning.episode_course import EpisodeCourse
from rfs_learning.episode_trace import EpisodeTrace, read_trace
from rfs_learning.rollout import Trial, trial_of


def trial_of_bag(bag: Path, seed: int, success: bool, judged: SuccessConfig) -> Trial:
    """The trial that a bag holds. success: as the runner saw it; judged: what would have been one.

    Raises:
        FileNotFoundError: no bag there.
        ValueError: it holds no engaged episode, no rewards, or no poses of the object.
    """
    trace = read_trace(bag)
    trial = trial_of(course_of(trace), seed, success, judged)
    return replace(trial, seconds=round(float(trace.time[-1]), 6))


def course_of(trace: EpisodeTrace) -> EpisodeCourse:
    """What joints and object did at the times of the observations.

    Raises:
        ValueError: nobody knew where the object was.
    """
    if not len(trace.object_time):
        raise ValueError("the bag holds no poses of the object: only a simulator tells them")
    nearest = np.abs(trace.object_time[None] - trace.joint_time[:, None]).argmin(axis=1)
    poses = trace.object_pose[nearest]
    rewards = trace.reward[1:]  # the first is of the start, which no step led to
    period = float(np.median(np.diff(trace.joint_time))) if len(trace.joint_time) > 1 else 0.1
    return EpisodeCourse(trace.contract["object"], trace.joints, poses[:, :3], poses[:, 3:], rewards, period)
