"""Poses of the grasp task's episodes, from which training pictures are drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.snapshot import Snapshot

from rfs_learning.expert import Expert

_EVALUATION_SEEDS = 1_000_000


@dataclass(frozen=True, eq=False)
class Poses:
    """poses (episodes, steps, 30): joints rad, object position m, quaternion xyzw; objects: a name for each
    episode."""

    poses: NDArray[np.float64]
    objects: tuple[str, ...]

    def snapshot(self, episode: int, step: int) -> Snapshot:
        """One moment of an episode."""
        pose = self.poses[episode, step]
        return Snapshot(self.objects[episode], pose[:23], pose[23:26], pose[26:])


def record_poses(episodes: int, first_seed: int, steps: int = 60) -> Poses:
    """The scripted expert's episodes, `episodes` of each training object, their first `steps` steps.

    Raises:
        ValueError: the seeds reach into those that are kept for evaluation.
    """
    names = object_names("train")
    if first_seed + episodes * len(names) > _EVALUATION_SEEDS:
        raise ValueError(f"seeds from {_EVALUATION_SEEDS} up are for evaluation: choose a smaller first_seed")
    rounds = [
        play(names, np.arange(len(names)) + first_seed + index * len(names), steps)
        for index in range(episodes)
    ]
    return Poses(np.concatenate(rounds), tuple(names) * episodes)


def play(names: list[str], seeds: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """(names, steps, 30) poses, as in `Poses`, of the expert's episode with each named object."""
    task = GraspTask(num_envs=len(names), objects=names, threads=1)
    task.reset(seeds, names)
    expert, poses = Expert(task), []
    expert.reset(np.arange(len(names)), seeds)
    for _ in range(steps):
        poses.append(np.concatenate([task.joint_positions, *task.object_pose], axis=1))
        task.step(expert.act())
    return np.stack(poses, axis=1)
