"""The grasp scene on MuJoCo, many environments stepped by `mujoco.rollout` on a few threads."""

import copy
from functools import cache

import mujoco
import numpy as np
from mujoco import rollout
from numpy.typing import NDArray
from rfs_description.robot import JOINTS

from rfs_sim_bridge import scene
from rfs_sim_bridge.engine import Array, EngineState, Start

_JOINTS = len(JOINTS)
_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS
_CONTROL = mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_QFRC_APPLIED
_RAY_GROUPS = np.zeros(6, np.uint8)
_RAY_GROUPS[[scene.ROBOT_GROUP, scene.OBJECT_GROUP]] = 1
HIT_NOTHING, HIT_ROBOT, HIT_OBJECT = 0, 1, 2


class MujocoEngine:
    """Implements `engine.Engine`.

    Every environment has its own model (mass and friction differ by episode), all of one structure. A step
    starts each environment from its state alone, without the solver's warm start of whatever ran before on
    that thread: so an episode does not depend on its neighbors, on their number, or on the number of threads.
    """

    def __init__(self, num_envs: int, timestep: float, threads: int = 2):
        base = scene.compiled_scene("cylinder", timestep)
        self.num_envs, self.timestep = num_envs, timestep
        self.models: list[mujoco.MjModel] = [base] * num_envs
        self._nq, self._nv = base.nq, base.nv
        self._threads = [mujoco.MjData(base) for _ in range(threads)]
        self._rollout = rollout.Rollout(nthread=threads)
        self._poses: list[mujoco.MjData] = [mujoco.MjData(base) for _ in range(num_envs)]
        self._posed = np.zeros(num_envs, bool)
        self.physics = np.zeros((num_envs, mujoco.mj_stateSize(base, _PHYSICS)))
        self._sensors = np.zeros((num_envs, base.nsensordata))
        self._kinds = _hit_kinds(base)
        zeros = np.zeros
        self.state = EngineState(
            joint_positions=zeros((num_envs, _JOINTS)),
            joint_velocities=zeros((num_envs, _JOINTS)),
            object_position=zeros((num_envs, 3)),
            object_quaternion=zeros((num_envs, 4)),
            object_velocity=zeros((num_envs, 6)),
            fingertips=zeros((num_envs, 4, 3)),
            contacts=zeros((num_envs, 5), bool),
        )

    def reset(self, env_ids: NDArray[np.intp], starts: list[Start]) -> None:
        for env, start in zip(env_ids, starts, strict=True):
            model = copy.copy(_matching_scene(start.object.name, self.timestep))
            scene.scale_object(model, start.mass_scale, start.friction_scale)
            self.models[env] = model
            data = mujoco.MjData(model)
            data.qpos[:_JOINTS] = start.joint_positions
            data.ctrl[:] = start.joint_positions
            data.qpos[_JOINTS : _JOINTS + 3] = start.object_position
            data.qpos[_JOINTS + 3 : _JOINTS + 7] = np.roll(start.object_quaternion, 1)
            mujoco.mj_forward(model, data)
            mujoco.mj_getState(model, data, self.physics[env], _PHYSICS)
            self._sensors[env] = data.sensordata
        self._read()

    def step(self, targets: Array, torques: Array) -> None:
        n, substeps = targets.shape[:2]
        control = np.zeros((n, substeps, _JOINTS + self._nv))
        control[..., :_JOINTS] = targets
        control[..., _JOINTS : 2 * _JOINTS] = torques
        states, sensors = self._rollout.rollout(
            self.models, self._threads, self.physics, control, control_spec=int(_CONTROL)
        )
        self.physics[:] = states[:, -1]
        self._sensors[:] = sensors[:, -1]
        self._read()

    def raycast(self, env: int, origin: Array, directions: Array) -> tuple[Array, NDArray[np.int8]]:
        count = len(directions)
        distance, geom = np.empty(count), np.empty(count, np.int32)
        model, data = self.models[env], self.pose(env)
        rays = np.ascontiguousarray(directions).reshape(-1)
        mujoco.mj_multiRay(
            model, data, origin, rays, _RAY_GROUPS, True, -1, geom, distance, None, count, mujoco.mjMAXVAL
        )
        return distance, self._kinds[geom]

    def pose(self, env: int) -> mujoco.MjData:
        """Data with the kinematics of this environment's current state; for rays."""
        data = self._poses[env]
        if not self._posed[env]:
            data.qpos[:] = self.physics[env, 1 : 1 + self._nq]
            mujoco.mj_kinematics(self.models[env], data)
            self._posed[env] = True
        return data

    def _read(self) -> None:
        """Unpack the physics state vector (time, qpos, qvel) and the sensors."""
        state, nq = self.state, self._nq
        qpos = self.physics[:, 1 : 1 + nq]
        qvel = self.physics[:, 1 + nq : 1 + nq + self._nv]
        state.joint_positions[:] = qpos[:, :_JOINTS]
        state.joint_velocities[:] = qvel[:, :_JOINTS]
        state.object_position[:] = qpos[:, _JOINTS : _JOINTS + 3]
        state.object_quaternion[:] = np.roll(qpos[:, _JOINTS + 3 : _JOINTS + 7], -1, axis=1)
        state.object_velocity[:] = qvel[:, _JOINTS : _JOINTS + 6]
        state.fingertips[:] = self._sensors[:, :12].reshape(-1, 4, 3)
        state.contacts[:] = self._sensors[:, 12:17] > 0
        self._posed[:] = False


@cache
def _matching_scene(name: str, timestep: float) -> mujoco.MjModel:
    """The named object's model; ValueError if its structure differs: rollout would corrupt memory
    silently."""
    model = scene.compiled_scene(name, timestep)
    if _structure(model) != _structure(scene.compiled_scene("cylinder", timestep)):
        raise ValueError(f"the model of object '{name}' has another structure than the others")
    return model


def _structure(model: mujoco.MjModel) -> tuple[int, ...]:
    """All sizes of a model but its names': they must agree for models to share one data pool."""
    sizes = (name for name in dir(model) if name.startswith("n") and name not in ("nnames", "nbuffer"))
    return tuple(value for value in (getattr(model, name) for name in sizes) if isinstance(value, int))


def _hit_kinds(model: mujoco.MjModel) -> NDArray[np.int8]:
    """Geom id to kind of hit; the entry at index -1, which a missing ray reads, is HIT_NOTHING."""
    group = model.geom_group
    kinds = np.full(model.ngeom + 1, HIT_ROBOT, np.int8)
    kinds[:-1][(group == scene.OBJECT_GROUP) | (group == scene.UNUSED_GROUP)] = HIT_OBJECT
    kinds[:-1][group == scene.TABLE_GROUP] = HIT_NOTHING
    kinds[-1] = HIT_NOTHING
    return kinds
