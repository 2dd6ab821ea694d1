"""The grasp scene in Isaac Lab as an engine of the task."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from isaaclab.scene import InteractiveScene
from isaaclab.sim import SimulationContext
from numpy.typing import NDArray
from rfs_description.robot import JOINTS
from rfs_sim_bridge.engine import Array, EngineState, Start
from rfs_sim_bridge.fingertips import fingertips

from rfs_isaaclab.physics_backend import PhysicsBackend
from rfs_isaaclab.scene_cfg import RAYS, ROBOT, object_key, parking_place

_TABLE = 0.001  # m: what lies lower is the table, which an engine's rays do not see
_BLOWN_UP = 1e3  # rad, m: nothing of the scene is ever so far away


class IsaacLabEngine:
    """Implements `rfs_sim_bridge.engine.Engine` on a scene of Isaac Lab that somebody else has set up.

    An environment has every object of the scene; all but the one to grasp float, parked, out of sight.
    Isaac Lab simulates a few physics steps in one call: their joint targets are averaged. State is in single
    precision, so an episode agrees with MuJoCo's until contacts amplify the differences.
    """

    def __init__(
        self,
        sim: SimulationContext,
        scene: InteractiveScene,
        objects: Sequence[str],
        physics: PhysicsBackend,
    ) -> None:
        self._sim, self._scene, self._names = sim, scene, list(objects)
        self._physics, self._substeps = physics, physics.substeps
        self.num_envs, self.timestep = scene.num_envs, sim.get_physics_dt() / self._substeps
        self._robot: Any = scene[ROBOT]
        self._joints, _ = self._robot.find_joints(list(JOINTS), preserve_order=True)
        self._objects: list[Any] = [scene[object_key(name)] for name in objects]
        self._active = np.zeros(self.num_envs, np.intp)
        zeros, n = np.zeros, self.num_envs
        self.state = EngineState(
            joint_positions=zeros((n, len(JOINTS))),
            joint_velocities=zeros((n, len(JOINTS))),
            object_position=zeros((n, 3)),
            object_quaternion=zeros((n, 4)),
            object_velocity=zeros((n, 6)),
            fingertips=zeros((n, 4, 3)),
            contacts=zeros((n, 5), bool),
            unstable=zeros(n, bool),
        )

    # ---- episodes ----
    def reset(self, env_ids: NDArray[np.intp], starts: list[Start]) -> None:
        """Begin new episodes. ValueError for an object that is not in this scene."""
        ids = np.asarray(env_ids, np.intp)
        chosen = [self._index(start.object.name) for start in starts]
        self._active[ids] = chosen
        self._scene.reset(ids.tolist())
        self._place_robot(ids, np.stack([start.joint_positions for start in starts]))
        self._place_objects(ids, starts)
        self._physics.begin(ids, np.asarray(chosen), starts)
        self._scene.write_data_to_sim()
        self._sim.forward()
        self._scene.update(dt=0.0)
        self.state.unstable[ids] = False
        self.read()

    def _index(self, name: str) -> int:
        if name not in self._names:
            raise ValueError(
                f"object '{name}' is not in this Isaac Lab scene, which has {', '.join(self._names)}"
            )
        return self._names.index(name)

    def _place_robot(self, ids: NDArray[np.intp], joints: Array) -> None:
        robot, where = self._robot, self._tensor(ids, torch.int32)
        positions = self._tensor(joints)
        still, command = torch.zeros_like(positions), robot.actuators.target_command
        robot.write_joint_position_to_sim_index(position=positions, joint_ids=self._joints, env_ids=where)
        robot.write_joint_velocity_to_sim_index(velocity=still, joint_ids=self._joints, env_ids=where)
        command.set_position_index(value=positions, joint_ids=self._joints, env_ids=where)
        command.set_effort_index(value=still, joint_ids=self._joints, env_ids=where)

    def _place_objects(self, ids: NDArray[np.intp], starts: list[Start]) -> None:
        where = self._tensor(ids, torch.int32)
        origins = self._scene.env_origins[torch.as_tensor(ids)].cpu().numpy()
        for index, item in enumerate(self._objects):
            poses = np.tile([*parking_place(index), 0.0, 0.0, 0.0, 1.0], (len(ids), 1))
            for row, (env, start) in enumerate(zip(ids, starts, strict=True)):
                if self._active[env] == index:
                    poses[row] = [*start.object_position, *start.object_quaternion]
            poses[:, :3] += origins
            item.write_root_pose_to_sim_index(root_pose=self._tensor(poses), env_ids=where)
            item.write_root_velocity_to_sim_index(
                root_velocity=self._tensor(np.zeros((len(ids), 6))), env_ids=where
            )

    # ---- stepping ----
    def step(self, targets: Array, torques: Array) -> None:
        frames = targets.shape[1] // self._substeps
        if frames * self._substeps != targets.shape[1]:
            raise ValueError(
                f"Isaac Lab simulates {self._substeps} physics steps at once, or a multiple of it"
            )
        for part in range(frames):
            span = slice(part * self._substeps, (part + 1) * self._substeps)
            self.command(targets[:, span].mean(axis=1), torques[:, span].mean(axis=1))
            self._scene.write_data_to_sim()
            self._sim.step(render=False)
            self._scene.update(dt=self._sim.get_physics_dt())
        self.read()

    def command(self, targets: Array, torques: Array) -> None:
        """Joint targets (n, 23) rad and disturbing torques (n, 23) N m of the next call of the physics."""
        command = self._robot.actuators.target_command
        command.set_position_index(value=self._tensor(targets), joint_ids=self._joints)
        command.set_effort_index(value=self._tensor(torques), joint_ids=self._joints)

    def read(self) -> None:
        """Take over the simulator's present state."""
        state, robot = self.state, self._robot.data
        state.joint_positions[:] = _array(robot.joint_pos)[:, self._joints]
        state.joint_velocities[:] = _array(robot.joint_vel)[:, self._joints]
        origins = self._scene.env_origins.cpu().numpy()
        for index, item in enumerate(self._objects):
            envs = self._active == index
            if envs.any():
                self._read_object(item.data, envs, origins)
        state.fingertips[:] = fingertips(state.joint_positions)
        state.contacts[:] = self._physics.contacts(self._active)
        size = np.concatenate([state.joint_positions, state.object_position], axis=1)
        state.unstable |= ~np.all(np.abs(size) < _BLOWN_UP, axis=1)  # NaN compares false

    def _read_object(self, data: Any, envs: NDArray[np.bool_], origins: Array) -> None:
        state = self.state
        state.object_position[envs] = _array(data.root_link_pos_w)[envs] - origins[envs]
        state.object_quaternion[envs] = _array(data.root_link_quat_w)[envs]
        state.object_velocity[envs, :3] = _array(data.root_link_lin_vel_w)[envs]
        state.object_velocity[envs, 3:] = _array(data.root_link_ang_vel_b)[envs]

    # ---- rays ----
    def raycast(self, envs: range, origins: Array, directions: Array) -> Array:
        """By Isaac Lab's ray caster, all of whose rays are aimed anew. One environment at a time."""
        caster: Any = self._scene[RAYS]
        lengths = np.linalg.norm(directions, axis=-1)
        units = directions / lengths[..., None]
        starts = np.broadcast_to(origins[:, None], directions.shape[1:]).reshape(-1, 3)
        found = np.empty(directions.shape[:-1])
        for row, env in enumerate(envs):
            caster.ray_starts.torch[env] = self._tensor(starts)
            caster.ray_directions.torch[env] = self._tensor(units[row].reshape(-1, 3))
            caster.update(dt=0.0, force_recompute=True)
            found[row] = _array(caster.data.ray_distances)[env].reshape(found.shape[1:])
        height = origins[:, None, 2] + found * units[..., 2]
        return np.where(np.isfinite(found) & (height > _TABLE), found / lengths, -1.0)

    def _tensor(self, values: Any, kind: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), device=self._sim.device).to(kind)


def _array(values: Any) -> NDArray[np.float32]:
    """Isaac Lab's buffers are Warp's, with a view for torch."""
    return values.torch.detach().cpu().numpy()
