"""The grasp task as an environment of Isaac Lab: its scene and physics, the task's own terms.

Episodes, actions, rewards, observations and success are those of `rfs_sim_bridge.GraspTask`, as everywhere.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from isaaclab.envs import DirectRLEnv
from isaaclab_newton.physics import NewtonCfg
from numpy.typing import NDArray
from rfs_description.robot import HAND_LOWER, HAND_UPPER
from rfs_sim_bridge.engine import Array
from rfs_sim_bridge.episode_seeds import EpisodeSeeds
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.step_result import StepResult
from rfs_sim_bridge.task_config import TaskConfig

from rfs_isaaclab import versions
from rfs_isaaclab.engine import IsaacLabEngine
from rfs_isaaclab.grasp_env_cfg import GraspEnvCfg
from rfs_isaaclab.newton_backend import NewtonBackend
from rfs_isaaclab.physics_backend import PhysicsBackend
from rfs_isaaclab.physx_backend import PhysxBackend


class GraspEnv(DirectRLEnv):
    """n grasp episodes. Actions (n, 22) in -1..1: palm steps in shares of their limits, finger targets from
    open end to closed end of their range. Observations "policy" (n, p): `observations.PRIVILEGED_NAMES`."""

    cfg: GraspEnvCfg

    def __init__(self, cfg: GraspEnvCfg, render_mode: str | None = None, **others: Any) -> None:
        versions.require()
        versions.require_device(cfg.sim.device)
        cfg.fill_scene()  # a command line may have changed the objects
        super().__init__(cfg, render_mode, **others)
        physics = self._physics_backend()
        self._substeps = physics.substeps
        self.engine = IsaacLabEngine(self.sim, self.scene, cfg.objects, physics)
        self.task = GraspTask(TaskConfig.default(), self.num_envs, cfg.objects, threads=1, engine=self.engine)
        self._seeds = EpisodeSeeds(self.num_envs, cfg.seed or 0)
        self._begun: tuple[Array, NDArray[np.uint32]]  # what the last action came to
        self._result: StepResult

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """All environments begin anew; a seed begins with its first episodes."""
        if seed is not None:
            self._seeds.restart(seed)
        return super().reset(seed, options)  # type: ignore[return-value]

    def _physics_backend(self) -> PhysicsBackend:
        if isinstance(self.cfg.sim.physics, NewtonCfg):
            return NewtonBackend(self.sim, self.scene, self.cfg.objects)
        return PhysxBackend(self.scene, self.cfg.objects)

    def _pre_physics_step(self, actions: torch.Tensor) -> None:
        self._begun = self.task.begin_step(self._scaled(actions.detach().cpu().numpy().astype(np.float64)))

    def _scaled(self, actions: Array) -> Array:
        """(n, 22) in m, rad and finger angles."""
        limits, clipped = self.task.limits, np.clip(actions, -1.0, 1.0)
        step = np.repeat([limits.translation_step, limits.rotation_step], 3)
        fingers = HAND_LOWER + 0.5 * (clipped[:, 6:] + 1.0) * (HAND_UPPER - HAND_LOWER)
        return np.concatenate([step * clipped[:, :6], fingers], axis=1)

    def _apply_action(self) -> None:
        targets, torques = self.task.next_drive(self._substeps)
        self.engine.command(targets.mean(axis=1), torques.mean(axis=1))

    def _get_dones(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Terminated (n,): success, or physics that blew up. Truncated (n,): the time is over."""
        self.engine.read()
        self.task.finish_step()
        result = self._result = self.task.result(*self._begun)
        ended = result.success | self.engine.state.unstable
        self.extras["log"] = {"success": float(result.success.mean())}
        return self._mask(ended), self._mask(result.done & ~ended)

    def _get_rewards(self) -> torch.Tensor:
        return torch.as_tensor(self._result.reward, dtype=torch.float32, device=self.device)

    def _get_observations(self) -> dict[str, torch.Tensor]:
        return {"policy": torch.as_tensor(self.task.privileged(), device=self.device)}

    def _reset_idx(self, env_ids: Sequence[int] | torch.Tensor | None) -> None:
        ids = range(self.num_envs) if env_ids is None else [int(env) for env in env_ids]
        super()._reset_idx(torch.as_tensor(list(ids), dtype=torch.int32, device=self.device))  # type: ignore[arg-type]
        self.task.reset(self._seeds.next(ids), env_ids=list(ids))

    def _mask(self, values: NDArray[np.bool_]) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.bool, device=self.device)
