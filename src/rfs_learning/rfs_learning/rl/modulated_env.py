"""The batched grasp task with a frozen base inside, as rsl_rl's vector environment."""

import numpy as np
import torch
from numpy.typing import NDArray
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.step_result import StepResult
from rsl_rl.env import VecEnv
from tensordict import TensorDict
from torch import Tensor

from rfs_learning.rl.action_space import ActionSpace
from rfs_learning.rl.features import policy_features
from rfs_learning.rl.rl_config import PpoConfig, RlTask


class ModulatedGrasp(VecEnv):
    """Episodes of one task; an action is a choice u (n, dim) of the action space.

    Observations are `features` (n, F) for the actor and, for the critic, also `time` (n, 1), the share of the
    episode that is over. An episode ends in success, when its time is over, or when its physics blew up. A
    success earns at once what holding on until the end would have earned.

    Attributes:
        decisions: choices in the longest episode.
        ended, succeeded: of each environment's first episode since `begin`.
    """

    def __init__(
        self, space: ActionSpace, task: RlTask, ppo: PpoConfig, residual_cost: float, seed: int
    ) -> None:
        if task.task.max_steps % space.execute:
            raise ValueError(
                f"an episode of {task.task.max_steps} control steps cannot be cut into chunks of "
                f"{space.execute}: change tasks.{task.name}.task.episode_seconds"
            )
        if ppo.environments < len(task.objects):
            raise ValueError(
                f"{ppo.environments} environments leave out some of the {len(task.objects)} objects of "
                f"{task.name}: raise ppo.environments, or name fewer in tasks.{task.name}.objects"
            )
        self.space, self.cfg, self.device = space, ppo, "cpu"
        self.simulation = GraspTask(task.task, ppo.environments, task.objects, ppo.threads)
        self.num_envs, self.num_actions = ppo.environments, space.dim
        self.decisions = self.max_episode_length = task.task.max_steps // space.execute
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        self._gamma, self._residual_cost, self._scale = ppo.gamma, residual_cost, ppo.reward_scale
        self._seed = seed
        self.begin(0)

    def begin(self, iteration: int) -> None:
        """Restart all environments, with episodes and noise that follow from seed and iteration alone."""
        self._iteration = iteration
        self._episode = np.zeros(self.num_envs, np.int64)
        self._noise = torch.Generator().manual_seed(_seed_of(self._seed, iteration, 1))
        self.ended = self.succeeded = 0
        self._restart(np.arange(self.num_envs))
        self._observe()

    def get_observations(self) -> TensorDict:
        """`features` (n, F) and `time` (n, 1)."""
        time = self.simulation.steps / self.simulation.config.max_steps
        groups = {
            "features": policy_features(self._observation),
            "time": torch.from_numpy(time.astype(np.float32))[:, None],
        }
        return TensorDict(groups, batch_size=[self.num_envs])

    def step(self, actions: Tensor) -> tuple[TensorDict, Tensor, Tensor, dict]:
        """Execute one choice (n, dim), in units of the space's `initial_std`: one or two control steps.
        Ended environments restart."""
        u = actions * self.space.initial_std
        noise = self.space.draw_noise(self.num_envs, self._noise)
        chunk = self.space.decide(self._observation, u, noise).numpy().astype(np.float64)
        results = [self.simulation.step(chunk[:, step]) for step in range(self.space.execute)]
        reward = np.mean([result.reward for result in results], axis=0)
        reward = reward + self._holding_on(reward, results[-1]) - self._residual_price(u)
        done = results[-1].done
        self._count(results[-1])
        if done.any():
            self._restart(np.flatnonzero(done))
        self._observe()
        scaled = torch.from_numpy((self._scale * reward).astype(np.float32))
        return self.get_observations(), scaled, torch.from_numpy(done.astype(np.float32)), {}

    def _holding_on(self, reward: NDArray, result: StepResult) -> NDArray:
        """What successful environments would earn until their time is over, at the present reward."""
        simulation, execute = self.simulation, self.space.execute
        left = np.maximum(simulation.config.max_steps - simulation.steps, 0) // execute
        gamma = self._gamma**execute
        return result.success * reward * gamma * (1.0 - gamma**left) / (1.0 - gamma)

    def _residual_price(self, u: Tensor) -> NDArray:
        residual = u[:, self.space.residual]
        if residual.shape[1] == 0:
            return np.zeros(self.num_envs)
        return self._residual_cost * residual.clamp(-2.0, 2.0).square().mean(dim=1).numpy()

    def _count(self, result: StepResult) -> None:
        """First episodes only: of later ones a success may still end in time, a failure never does."""
        first = self._episode == 1
        self.ended += int(result.done[first].sum())
        self.succeeded += int(result.success[first].sum())

    def _restart(self, envs: NDArray) -> None:
        keys = [(self._iteration, int(env), int(self._episode[env])) for env in envs]
        self.simulation.reset([_seed_of(self._seed, *key) for key in keys], env_ids=envs)
        self._episode[envs] += 1

    def _observe(self) -> None:
        self._observation = torch.from_numpy(self.simulation.privileged())
        self.episode_length_buf = torch.from_numpy(self.simulation.steps // self.space.execute)


def _seed_of(*words: int) -> int:
    """A number below 2^32 that follows from these words."""
    return int(np.random.SeedSequence(words).generate_state(1)[0])
