"""Teachers of distillation: privileged policies, each for the objects it was trained on, or the scripted
expert in their place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from rfs_policy.checkpoint import file_id
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig
from torch import Tensor

from rfs_learning.collection import Array, Labeler
from rfs_learning.expert import Expert

EXPERT = "expert"
"""Stands for the scripted expert where a teacher's file is expected."""


class PrivilegedPolicy(Protocol):
    """Acts on what only a simulator knows."""

    def act(
        self, observation: Tensor, noise: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """(n, P) columns `PRIVILEGED_NAMES` -> (n, H, 22) in the layout `delta_pose_22`."""
        ...


@dataclass(frozen=True)
class Teacher:
    """A policy, the task it learned, the objects it knows; record: what it is, as JSON data."""

    policy: PrivilegedPolicy
    task: TaskConfig
    objects: tuple[str, ...]
    record: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> "Teacher":
        """A policy of `./rfs train rl`, its file or its run's folder; errors as `SteeredPolicy.load`."""
        from rfs_learning.rl.policy import FILE_NAME, SteeredPolicy  # with it comes all of rsl-rl

        file = Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
        policy = SteeredPolicy.load(file)
        task = policy.config.task(policy.task)
        identity = {"file": str(file), "id": file_id(file)}
        record = {**identity, "method": policy.method, "task": policy.task, "objects": list(task.objects)}
        return cls(policy, task.task, task.objects, record)


class TeacherSource(Protocol):
    """Makes labelers for tasks; `records` say which teachers these are."""

    records: list[dict[str, Any]]

    def labeler(self, task: GraspTask) -> Labeler: ...


class Teachers:
    """One or several teachers that together know all objects; the first who knows an object teaches it."""

    def __init__(self, teachers: Sequence[Teacher], objects: Sequence[str], task: TaskConfig):
        """Raises ValueError for a teacher of another rate or speed than the task, or an object that none
        knows."""
        for teacher in teachers:
            file, learned = teacher.record["file"], teacher.task
            if learned.control_rate != task.control_rate:
                raise ValueError(
                    f"teacher '{file}' acts at {learned.control_rate:g} Hz, the student at "
                    f"{task.control_rate:g} Hz: train the teacher on a task with "
                    f"`control_rate: {task.control_rate:.1f}`"
                )
            if learned.speed != task.speed:
                raise ValueError(
                    f"teacher '{file}' learned with `speed: {learned.speed:g}`, the rollouts have "
                    f"`task.speed: {task.speed:g}`: train it with config/teacher.yaml, or give both the same"
                )
        self._chosen = {name: _knowing(name, teachers) for name in objects}
        self._teachers = list(teachers)
        self.records = [teacher.record for teacher in teachers]

    def labeler(self, task: GraspTask) -> "TeacherLabeler":
        """What these teachers would do in every environment of a task."""
        return TeacherLabeler(task, self._teachers, self._chosen)


def _knowing(name: str, teachers: Sequence[Teacher]) -> int:
    """Number of the first teacher who knows the object."""
    for number, teacher in enumerate(teachers):
        if name in teacher.objects:
            return number
    known = sorted({known for teacher in teachers for known in teacher.objects})
    raise ValueError(
        f"no teacher knows the object '{name}' (they know: {', '.join(known)}): add one with --teacher, or "
        "name the objects to distill in the settings"
    )


class TeacherLabeler:
    """Labels each environment with the first action of its object's teacher, without sampling.

    A success ended the teachers' own episodes, so what comes after it they do not know: there the label is to
    stand still with the fingers that succeeded, for as long as the object is up.
    """

    def __init__(self, task: GraspTask, teachers: Sequence[Teacher], chosen: dict[str, int]):
        self._task, self._teachers, self._chosen = task, teachers, chosen
        self._lifted = np.zeros(task.num_envs, bool)
        self._grip = np.zeros((task.num_envs, 16))

    def reset(self, env_ids: NDArray, seeds: Sequence[int]) -> None:
        """Forget the grasps of these environments."""
        self._lifted[env_ids] = False

    @torch.no_grad()
    def act(self) -> Array:
        """(n, 22) actions for the task's present state."""
        observation = torch.from_numpy(self._task.privileged())
        number = np.array([self._chosen[spec.name] for spec in self._task.objects])
        label = np.zeros((self._task.num_envs, 22))
        for index in np.unique(number):
            mine = np.flatnonzero(number == index)
            label[mine] = self._teachers[index].policy.act(observation[mine])[:, 0].numpy()
        return self._held(label)

    def _held(self, label: Array) -> Array:
        """Labels (n, 22) with those in their place that keep what was lifted where it is."""
        task = self._task
        now = task.success & ~self._lifted
        self._grip[now] = task.command.fingers[now]
        self._lifted |= now
        up = task.success & (task.lift >= task.config.success.lift)
        label[up, :6], label[up, 6:] = 0.0, self._grip[up]
        return label

    def closure(self) -> Array:
        """(n,) 1 where the hand touches the object: from then on it is left alone."""
        return np.where(self._task.engine.state.contacts.any(axis=1), 1.0, 0.0)


class ScriptedTeacher:
    """The scripted expert, which knows every object and needs no training."""

    def __init__(self, seed: int):
        self._seed = seed
        self.records: list[dict[str, Any]] = [{"file": EXPERT, "seed": seed}]

    def labeler(self, task: GraspTask) -> Expert:
        """The expert in every environment of a task."""
        return Expert(task, self._seed)
