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
from rfs_sim_bridge.ray_scene import RayScene
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift

_JOINTS = len(JOINTS)
_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS
_CONTROL = mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_QFRC_APPLIED


class MujocoEngine:
    """Implements `engine.Engine`.

    Every environment has its own model (mass and friction differ by episode), all of one structure. A step
    starts each environment from its state alone, without the solver's warm start of whatever ran before on
    that thread: so an episode does not depend on its neighbors, on their number, or on the number of threads.
    `shift`: of the robot; of it, motors and contacts are the engine's.
    """

    def __init__(
        self, num_envs: int, timestep: float, threads: int = 2, shift: RobotShift = TRAINING_ROBOT
    ) -> None:
        base = _matching_scene("cylinder", timestep, shift)
        self.num_envs, self.timestep, self._shift = num_envs, timestep, shift
        self.models: list[mujoco.MjModel] = [base] * num_envs
        self._nq, self._nv = base.nq, base.nv
        self._threads = [mujoco.MjData(base) for _ in range(threads)]
        self._rollout = rollout.Rollout(nthread=threads)
        self._poses = [mujoco.MjData(base) for _ in range(num_envs)]
        self._objects: list[str | None] = [None] * num_envs  # whose model an environment has
        self._start = mujoco.MjData(base)
        self._rays: list[RayScene | None] = [None] * num_envs  # made where a ray is cast
        self._posed = np.zeros(num_envs, bool)
        self.physics = np.zeros((num_envs, mujoco.mj_stateSize(base, _PHYSICS)))
        self._sensors = np.zeros((num_envs, base.nsensordata))
        self._buffers: dict[int, tuple[Array, ...]] = {}
        zeros = np.zeros
        self.state = EngineState(
            joint_positions=zeros((num_envs, _JOINTS)),
            joint_velocities=zeros((num_envs, _JOINTS)),
            object_position=zeros((num_envs, 3)),
            object_quaternion=zeros((num_envs, 4)),
            object_velocity=zeros((num_envs, 6)),
            fingertips=zeros((num_envs, 4, 3)),
            contacts=zeros((num_envs, 5), bool),
            unstable=zeros(num_envs, bool),
        )

    def reset(self, env_ids: NDArray[np.intp], starts: list[Start]) -> None:
        for env, start in zip(env_ids, starts, strict=True):
            self._fit_model(env, start)
            model, data = self.models[env], self._start
            mujoco.mj_resetData(model, data)
            data.qpos[:_JOINTS] = start.joint_positions
            data.ctrl[:] = start.joint_positions
            data.qpos[_JOINTS : _JOINTS + 3] = start.object_position
            data.qpos[_JOINTS + 3 : _JOINTS + 7] = np.roll(start.object_quaternion, 1)
            mujoco.mj_forward(model, data)
            mujoco.mj_getState(model, data, self.physics[env], _PHYSICS)
            self._sensors[env] = data.sensordata
            self.state.unstable[env] = False
        self._read()

    def _fit_model(self, env: int, start: Start) -> None:
        """Give an environment's model this episode's object; it is kept where that did not change, because
        copies of models and new data cost more than all else in a reset."""
        base = _matching_scene(start.object.name, self.timestep, self._shift)
        if self._objects[env] != start.object.name:
            self.models[env], self._rays[env] = copy.copy(base), None
            self._objects[env] = start.object.name
        scene.scale_object(self.models[env], base, start.mass_scale, start.friction_scale, self._start)

    def step(self, targets: Array, torques: Array) -> None:
        substeps = targets.shape[1]
        control, states, sensors = self._arrays(substeps)
        control[..., :_JOINTS] = targets
        control[..., _JOINTS : 2 * _JOINTS] = torques
        self._rollout.rollout(
            self.models,
            self._threads,
            self.physics,
            control,
            control_spec=int(_CONTROL),
            skip_checks=True,
            nstep=substeps,
            state=states,
            sensordata=sensors,
        )
        # When numbers overflow, MuJoCo starts again from its default pose, at time zero.
        self.state.unstable |= np.abs(states[:, -1, 0] - self.physics[:, 0] - substeps * self.timestep) > 1e-6
        self.physics[:] = states[:, -1]
        self._sensors[:] = sensors[:, -1]
        self._read()

    def _arrays(self, substeps: int) -> tuple[Array, ...]:
        """Controls, states and sensors of a step of that many substeps; kept, because fresh pages cost
        time."""
        if substeps not in self._buffers:
            widths = (_JOINTS + self._nv, self.physics.shape[1], self._sensors.shape[1])
            self._buffers[substeps] = tuple(np.zeros((self.num_envs, substeps, width)) for width in widths)
        return self._buffers[substeps]

    def raycast(self, envs: range, origins: Array, directions: Array) -> Array:
        distances = np.empty(directions.shape[:-1])
        for row, env in enumerate(envs):
            rays = self._ray_scene(env)
            if not self._posed[env]:
                data = self._poses[env]
                data.qpos[:] = self.physics[env, 1 : 1 + self._nq]
                mujoco.mj_kinematics(self.models[env], data)
                rays.place(data)
                self._posed[env] = True
            rays.cast(origins, directions[row], distances[row])
        return distances

    def _ray_scene(self, env: int) -> RayScene:
        rays = self._rays[env]
        if rays is None:
            rays = self._rays[env] = RayScene(self._objects[env] or "cylinder", self.timestep)
        return rays

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
def _matching_scene(name: str, timestep: float, shift: RobotShift) -> mujoco.MjModel:
    """The named object's model; ValueError if its structure differs: rollout would corrupt memory
    silently."""
    model = scene.compiled_scene(name, timestep, shift)
    if _structure(model) != _structure(scene.compiled_scene("cylinder", timestep)):
        raise ValueError(f"the model of object '{name}' has another structure than the others")
    return model


def _structure(model: mujoco.MjModel) -> tuple[int, ...]:
    """All sizes of a model but its names': they must agree for models to share one data pool."""
    sizes = (name for name in dir(model) if name.startswith("n") and name not in ("nnames", "nbuffer"))
    return tuple(value for value in (getattr(model, name) for name in sizes) if isinstance(value, int))
