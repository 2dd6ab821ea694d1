"""The grasp task behind Gymnasium's vector interface.

import gymnasium, rfs_sim_bridge.gym_env
envs = gymnasium.make_vec("rfs/Grasp-v0", num_envs=64, observation="privileged")
"""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from rfs_description.robot import HAND_LOWER, HAND_UPPER

from rfs_sim_bridge.episode_seeds import EpisodeSeeds
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import TaskConfig

Observation = dict[str, NDArray[np.float32]]


class GraspVectorEnv(VectorEnv):
    """n grasp episodes. An environment whose episode ends restarts in the same step.

    Observations are a dictionary: `state` (n, 48) with `point_cloud` (n, points, 3), or `privileged` (n, p).
    Actions (n, 22) are palm deltas (m, rad) and finger targets (rad), in the layout `delta_pose_22`.
    `info["success"]` tells which environments succeeded in this step; where one ended, `info["final_obs"]`
    and `info["final_info"]` hold its last observation, and `info["_final_obs"]` the mask.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012 Gymnasium's way

    def __init__(
        self,
        num_envs: int = 1,
        observation: str = "cloud",
        objects: Sequence[str] | None = None,
        config: TaskConfig | None = None,
        threads: int = 2,
    ):
        if observation not in ("cloud", "privileged"):
            raise ValueError(f"observation is 'cloud' or 'privileged', not '{observation}'")
        self.task = GraspTask(config, num_envs, objects, threads)
        self.num_envs, self._kind = num_envs, observation
        self.single_observation_space = _observation_space(observation, self.task.config.cloud.points)
        self.single_action_space = _action_space(self.task)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seeds = EpisodeSeeds(num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Restart all environments. options: `objects`, names of the objects to grasp from now on."""
        super().reset(seed=seed)
        if seed is not None:
            self._seeds.restart(seed)
        self.task.reset(self._seeds.next(range(self.num_envs)), (options or {}).get("objects"))
        return self._observe(), {}

    def step(
        self, actions: NDArray
    ) -> tuple[Observation, NDArray, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One control period; terminated means success, truncated that the time is over."""
        result = self.task.step(np.asarray(actions, np.float64))
        terminated = result.success
        truncated = result.done & ~terminated
        info: dict[str, Any] = {"success": terminated, "limits": result.flags}
        observation = self._observe()
        if result.done.any():
            ended = np.flatnonzero(result.done)
            info |= {"final_obs": observation, "final_info": dict(info), "_final_obs": result.done}
            self.task.reset(self._seeds.next(ended), env_ids=ended)
            observation = self._observe()
        return observation, result.reward.astype(np.float32), terminated, truncated, info

    def _observe(self) -> Observation:
        if self._kind == "privileged":
            return {"privileged": self.task.privileged()}
        return {"point_cloud": self.task.clouds(), "state": self.task.state()}


def _observation_space(kind: str, points: int) -> Dict:
    if kind == "privileged":
        return Dict({"privileged": Box(-np.inf, np.inf, (len(PRIVILEGED_NAMES),), np.float32)})
    return Dict(
        {
            "point_cloud": Box(-np.inf, np.inf, (points, 3), np.float32),
            "state": Box(-np.inf, np.inf, (48,), np.float32),
        }
    )


def _action_space(task: GraspTask) -> Box:
    step = np.repeat([task.limits.translation_step, task.limits.rotation_step], 3)
    low, high = np.concatenate([-step, HAND_LOWER]), np.concatenate([step, HAND_UPPER])
    return Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)


gymnasium.register("rfs/Grasp-v0", vector_entry_point="rfs_sim_bridge.gym_env:GraspVectorEnv")
