"""Evaluation of a steered policy over many episodes of one task (paper: 1,024 a checkpoint).

Each episode follows from its seed and object alone, bit for bit: the number of environments, their order
and the number of threads change nothing but the time it takes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rfs_sim_bridge.grasp_task import GraspTask

from rfs_learning.episode_course import CourseRecorder
from rfs_learning.failure_modes import failure_mode
from rfs_learning.rl.episode_choices import EpisodeChoices, Noise, Steering
from rfs_learning.rl.motion_quality import MotionQuality
from rfs_learning.rl.rl_config import RlTask
from rfs_learning.rl.torch_threads import one_torch_thread

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EpisodeResults:
    """Outcomes of E episodes, in the order of their seeds; arrays (E,).

    success: the task's. lifted: the same without the checks of pose and fingers. infeasible: while the object
    was off the table, different fingers sank deeper into each other than success allows (5 mm).
    depth: m, the deepest that they did. seconds: until success, or the end. finger_roughness (rad),
    palm_roughness (m): root mean squares of the second differences of the commands. reasons: why an episode
    failed, empty after a success.
    """

    objects: NDArray[np.str_]
    seeds: NDArray[np.int64]
    success: NDArray[np.bool_]
    lifted: NDArray[np.bool_]
    infeasible: NDArray[np.bool_]
    depth: Array
    seconds: Array
    finger_roughness: Array
    palm_roughness: Array
    reasons: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.seeds)

    def summary(self) -> dict[str, Any]:
        """Counts and means as plain data. infeasible_of_lifted: None where nothing was lifted."""
        lifted = int(self.lifted.sum())
        return {
            "episodes": len(self),
            "successes": int(self.success.sum()),
            "lifted": lifted,
            "infeasible": int(self.infeasible.sum()),
            "infeasible_of_lifted": int((self.infeasible & self.lifted).sum()),
            "depth": float(self.depth.mean()),
            "seconds_to_success": float(self.seconds[self.success].mean()) if self.success.any() else None,
            "finger_roughness": float(self.finger_roughness.mean()),
            "palm_roughness": float(self.palm_roughness.mean()),
            "failures": dict(Counter(reason for reason in self.reasons.tolist() if reason)),
            "objects": {name: self._of_object(name) for name in dict.fromkeys(self.objects.tolist())},
        }

    def _of_object(self, name: str) -> dict[str, int]:
        mine = self.objects == name
        return {"episodes": int(mine.sum()), "successes": int(self.success[mine].sum())}


class Evaluation:
    """Episodes of one policy in environments that are never idle: one that is done takes the next seed.

    watch: called with the task before an episode's first step and after every step.
    """

    def __init__(
        self,
        policy: Steering,
        task: RlTask,
        seeds: Sequence[int],
        *,
        noise: Noise,
        environments: int = 64,
        threads: int = 1,
        watch: Callable[[GraspTask], None] = lambda task: None,
    ) -> None:
        if not len(seeds) or environments < 1:
            raise ValueError(f"{len(seeds)} episodes in {environments} environments: give at least 1 of each")
        count, config = min(environments, len(seeds)), task.task
        self.simulation = GraspTask(config, count, task.objects, threads)
        self.quality = MotionQuality(self.simulation)
        self.courses = CourseRecorder(self.simulation)
        self._choices = EpisodeChoices(policy, count, config.max_steps, noise)
        self._seeds = np.asarray(seeds, np.int64)
        self._objects = [task.objects[i % len(task.objects)] for i in range(len(seeds))]
        self._episode = np.arange(count)  # which one each environment runs
        self._started = count
        self._acting = np.ones(count, bool)
        self._rows: dict[int, tuple] = {}
        self._watch = watch

    def run(self) -> EpisodeResults:
        """All episodes to their ends."""
        with torch.inference_mode(), one_torch_thread():
            self._begin(np.arange(len(self._episode)))
            while self._acting.any():
                self._step()
        columns = zip(*(self._rows[episode] for episode in sorted(self._rows)), strict=True)
        return EpisodeResults(np.array(self._objects), self._seeds, *map(np.array, columns))

    def _begin(self, envs: NDArray[np.intp]) -> None:
        """Start the episodes that are assigned to these environments."""
        seeds = self._seeds[self._episode[envs]]
        self.simulation.reset(seeds, [self._objects[i] for i in self._episode[envs]], envs)
        self.quality.begin(envs)
        self.courses.begin(envs)
        self._choices.begin(envs, seeds)
        self._watch(self.simulation)

    def _step(self) -> None:
        """One control step of all environments."""
        actions = self._choices.actions(self.simulation.privileged(), self._acting)
        actions[~self._acting, 6:] = self.simulation.command.fingers[~self._acting]
        result = self.simulation.step(actions)
        self.quality.update()
        self.courses.update(result.reward, self._acting)
        self._watch(self.simulation)
        ended = np.flatnonzero(result.done & self._acting)
        for env in ended:
            self._rows[int(self._episode[env])] = self._row(int(env))
        self._next(ended)

    def _next(self, ended: NDArray[np.intp]) -> None:
        """Waiting episodes to environments that are free."""
        busy = ended[: len(self._seeds) - self._started]
        self._episode[busy] = np.arange(self._started, self._started + len(busy))
        self._started += len(busy)
        self._acting[ended[len(busy) :]] = False
        if len(busy):
            self._begin(busy)

    def _row(self, env: int) -> tuple:
        """Fields of `EpisodeResults` from `success` on."""
        task, quality = self.simulation, self.quality
        depth = quality.depth[env]
        return (
            task.success[env],
            quality.lifted[env],
            depth > task.config.success.max_interpenetration,
            depth,
            task.time[env],
            quality.finger_roughness[env],
            quality.palm_roughness[env],
            self._reason(env),
        )

    def _reason(self, env: int) -> str:
        """Empty after a success."""
        if self.simulation.success[env]:
            return ""
        return failure_mode(self.courses.of(env), self.simulation.config.success)


def evaluate(
    policy: Steering,
    task: RlTask,
    seeds: Sequence[int],
    *,
    noise: Noise,
    environments: int = 64,
    threads: int = 1,
) -> EpisodeResults:
    """Outcomes of one episode per seed; seed i gets object i, i + 1 ... of the task's, in turn.

    Args:
        noise: "sampled" or "mean", as in `EpisodeChoices`.

    Raises:
        ValueError: no episode or environment is asked for, or the policy gives NaN.
    """
    return Evaluation(policy, task, seeds, noise=noise, environments=environments, threads=threads).run()
