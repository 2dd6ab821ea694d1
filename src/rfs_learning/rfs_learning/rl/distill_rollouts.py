"""Rollouts of a distillation: the teachers drive and label, later the student drives and they label."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rich.console import Console

from rfs_learning.collection import Array, Attempt, Collector, Driver, Labeler, Quota, StrayDriver, record
from rfs_learning.dataset import DemoDataset
from rfs_learning.perturbation import Perturbation
from rfs_learning.rl.distill_config import SEEDS_A_ROUND, DistillConfig
from rfs_learning.rl.distill_teachers import TeacherSource


class StudentDriver:
    """The student acts, with its noise drawn as in evaluation: one generator an episode."""

    def __init__(self, policy: FlowPolicy, num_envs: int):
        self._policy = policy
        self._noise = [np.random.default_rng(0)] * num_envs

    def reset(self, env_ids: NDArray, seeds: Sequence[int]) -> None:
        """Begin new episodes."""
        for env, seed in zip(env_ids, seeds, strict=True):
            self._noise[env] = np.random.default_rng([0, seed])

    def drive(self, clouds: NDArray, states: NDArray, label: Array) -> Array:
        """The student's actions (n, 22); it does not see the label."""
        noise = np.stack([self._policy.draw_noise(rng) for rng in self._noise])
        return self._policy.act(clouds, states, noise).action[:, 0].astype(np.float64)


def teacher_rollouts(
    config: DistillConfig, teachers: TeacherSource, output: Path, console: Console
) -> DemoDataset:
    """Successes of the teachers in a dataset at output, begun or gone on with.

    Raises:
        ValueError: the teachers succeed too rarely on an object.
    """
    task = _task(config, config.rollouts)
    labeler = teachers.labeler(task)
    perturbation = Perturbation(task.num_envs, task.config.period)
    driver = StrayDriver(labeler, perturbation) if config.perturb else None
    dataset = _dataset(output, config)
    quota = Quota(config.objects, config.rollouts, config.seed, dataset.attempts)
    record(Collector(task, labeler, driver, config.hold_steps), quota, dataset, "teachers' rollouts", console)
    _require_enough(quota)
    return dataset


def student_rollouts(
    config: DistillConfig, number: int, teachers: TeacherSource, student: str, output: Path, console: Console
) -> DemoDataset:
    """Episodes of round `number` that the student (a checkpoint) drives and the teachers label, all of them
    kept, in a dataset at output, begun or gone on with."""
    task = _task(config, config.round_rollouts)
    labeler: Labeler = teachers.labeler(task)
    driver: Driver = StudentDriver(FlowPolicy.load(student, DELTA_POSE), task.num_envs)
    dataset = _dataset(output, config)
    tried: list[Attempt] = [(name, seed, True) for name, seed, _ in dataset.attempts]
    seed = config.seed + number * SEEDS_A_ROUND
    quota = Quota(config.objects, config.round_rollouts, seed, tried)
    collector = Collector(task, labeler, driver, config.hold_steps, keep_failures=True)
    record(collector, quota, dataset, f"student's rollouts, round {number}", console)
    return dataset


def _task(config: DistillConfig, episodes: int) -> GraspTask:
    return GraspTask(config.task, min(config.environments, episodes), config.objects, config.threads)


def _dataset(path: Path, config: DistillConfig) -> DemoDataset:
    if path.exists():
        return DemoDataset.open(path, "a")
    path.parent.mkdir(parents=True, exist_ok=True)
    return DemoDataset.create(path, DELTA_POSE, json.loads(json.dumps({"distill": config.to_dict()})))


def _require_enough(quota: Quota) -> None:
    for name, wanted in quota.wanted.items():
        kept, tried = quota.kept[name], quota.tried[name]
        if kept < wanted:
            raise ValueError(
                f"the teacher of '{name}' succeeded in {kept} of {tried} episodes, {wanted} successes are "
                "needed: train it with config/teacher.yaml, whose motors are as late as in these rollouts, "
                "or longer, or ask for fewer `rollouts`"
            )
