"""Episodes of a policy in lockstep, side by side: outcomes and courses.

Each episode draws its noise as the policy node does (one generator per episode from [policy seed, episode
seed], one draw per tick) and infers alone, so a trial of the ROS stack with the same seeds is the same
episode.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import SuccessConfig

from rfs_learning.episode_course import CourseRecorder, EpisodeCourse
from rfs_learning.failure_modes import failure_mode


@dataclass(frozen=True)
class Trial:
    """Outcome of one episode: seconds until success (or the end), highest lift (m), why it failed.

    reason: one of `failure_modes.MODES`, empty after a success. place: where the object stood, x and y in m.
    rewards: of each control step.
    """

    object: str
    seed: int
    success: bool
    seconds: float
    lift: float
    reason: str = ""
    place: tuple[float, float] | None = None
    rewards: tuple[float, ...] = ()


def trial_of(course: EpisodeCourse, seed: int, success: bool, judged: SuccessConfig) -> Trial:
    """What is kept of an episode. judged: what would have been a success."""
    reason = "" if success else failure_mode(course, judged)
    seconds = round(len(course.rewards) * course.period, 6)
    rewards = tuple(round(float(reward), 4) for reward in course.rewards)
    highest = max(0.0, float(course.lift[1:].max(initial=0.0)))
    return Trial(course.object, seed, success, seconds, highest, reason, course.place, rewards)


class Rollout:
    """Runs a policy in the environments of a GraspTask, one episode in each."""

    def __init__(self, policy: FlowPolicy, task: GraspTask, policy_seed: int = 0) -> None:
        self.policy, self.task, self.policy_seed = policy, task, policy_seed
        self.courses = CourseRecorder(task)

    def run(self, seeds: Sequence[int], objects: Sequence[str]) -> list[Trial]:
        """One trial per environment of the task; objects[i] and seeds[i] go to environment i."""
        task = self.task
        task.reset(seeds, objects)
        self.courses.begin(np.arange(task.num_envs))
        noise = [np.random.default_rng([self.policy_seed, seed]) for seed in seeds]
        trials: dict[int, Trial] = {}
        acting = np.ones(task.num_envs, bool)
        while acting.any():
            result = task.step(self._actions(acting, noise))
            self.courses.update(result.reward, acting)
            for env in np.flatnonzero(result.done & acting).tolist():
                trials[env] = self._trial(env, int(seeds[env]))
            acting &= ~result.done
        return [trials[env] for env in range(task.num_envs)]

    def _trial(self, env: int, seed: int) -> Trial:
        success, judged = bool(self.task.success[env]), self.task.config.success
        return trial_of(self.courses.of(env), seed, success, judged)

    def _actions(self, acting: NDArray[np.bool_], noise: list[np.random.Generator]) -> NDArray[np.float64]:
        """First action of each acting environment's chunk; others repeat their finger command."""
        clouds, states = self.task.clouds(), self.task.state()
        actions = np.concatenate([np.zeros((self.task.num_envs, 6)), self.task.command.fingers], axis=1)
        for env in np.flatnonzero(acting).tolist():
            drawn = self.policy.draw_noise(noise[env])[None]
            output = self.policy.act(clouds[env : env + 1], states[env : env + 1], drawn)
            actions[env] = output.action[0, 0]
        return actions
