"""The grasp scene on MuJoCo Warp, for a GPU: `pip install mujoco-warp==3.17.0`, an optional dependency.

It runs on a CPU too, to check it without a GPU: far slower than MuJoCo itself. Physics is in single
precision, so an episode agrees with MuJoCo's until contacts have amplified the rounding.
"""

import importlib
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rfs_sim_bridge.engine import Array, Start
from rfs_sim_bridge.mujoco_engine import MujocoEngine
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift

_DEFAULT_OBJECT = "cylinder"  # before the first reset
# What `scene.scale_object` changes: one row an environment, the rest of the model is shared.
_VARIED = (
    "body_mass",
    "body_inertia",
    "body_subtreemass",
    "body_invweight0",
    "dof_invweight0",
    "geom_friction",
)
_CONTACTS, _CONSTRAINTS = 64, 320  # room in one environment
_BLOWN_UP = 1e10  # MuJoCo's own bound on positions and velocities


class WarpEngine(MujocoEngine):
    """Implements `engine.Engine`: resets and rays as in MujocoEngine, steps by MuJoCo Warp.

    Environments with the same object are one batch: shapes must agree within one, mass and friction need
    not. States live on the host between control steps. `threads` are those of resets and rays. `device`:
    "cuda", the first GPU, or "cpu".

    Raises:
        ModuleNotFoundError: MuJoCo Warp is not installed.
        ValueError: there is no GPU, and one is asked for.
    """

    def __init__(
        self,
        num_envs: int,
        timestep: float,
        threads: int = 2,
        shift: RobotShift = TRAINING_ROBOT,
        device: str = "cuda",
    ) -> None:
        self._warp = _mujoco_warp()
        _require_device(device)
        self._device = device
        super().__init__(num_envs, timestep, threads, shift)
        self._batches: dict[str, _Batch] = {}

    def reset(self, env_ids: NDArray[np.intp], starts: list[Start]) -> None:
        super().reset(env_ids, starts)
        with self._on_device():
            self._form_batches(env_ids)

    def _on_device(self) -> AbstractContextManager[Any]:
        return importlib.import_module("warp").ScopedDevice(self._device)

    def _form_batches(self, env_ids: NDArray[np.intp]) -> None:
        names = np.array([name or _DEFAULT_OBJECT for name in self._objects])
        old, self._batches = self._batches, {}
        for name in np.unique(names):
            envs = np.flatnonzero(names == name)
            models = [self.models[env] for env in envs]
            batch = old.get(name)
            if batch is None or not np.array_equal(batch.envs, envs):
                batch = _Batch(self._warp, envs, models)
            elif np.isin(envs, env_ids).any():
                batch.fit(models)
            self._batches[name] = batch

    def step(self, targets: Array, torques: Array) -> None:
        nq = self._nq
        for batch in self._batches.values():
            envs = batch.envs
            state = self.physics[envs]
            forces = np.zeros((len(envs), targets.shape[1], self._nv))
            forces[..., : torques.shape[2]] = torques[envs]
            with self._on_device():
                ends = batch.step(state[:, 1 : 1 + nq], state[:, 1 + nq :], targets[envs], forces)
            qpos, qvel, sensors = ends
            bad = batch.blown_up(qpos, qvel)
            qpos[bad], qvel[bad], sensors[bad] = batch.model.qpos0, 0.0, 0.0
            self.state.unstable[envs] |= bad
            self.physics[envs, 0] += targets.shape[1] * self.timestep
            self.physics[envs, 1 : 1 + nq], self.physics[envs, 1 + nq :] = qpos, qvel
            self._sensors[envs] = sensors
        self._read()


class _Batch:
    """Environments `envs` (b,) with the same object, on Warp's present device."""

    def __init__(self, warp: ModuleType, envs: NDArray[np.intp], models: list[mujoco.MjModel]):
        self.envs, self.model, self._warp = envs, models[0], warp
        self._model = warp.put_model(self.model, dict.fromkeys(_VARIED, len(envs)))
        self._data = warp.make_data(self.model, nworld=len(envs), nconmax=_CONTACTS, njmax=_CONSTRAINTS)
        self.fit(models)

    def fit(self, models: list[mujoco.MjModel]) -> None:
        """Take over mass and friction of each environment's model."""
        for name in _VARIED:
            rows = np.stack([getattr(model, name) for model in models])
            getattr(self._model, name).assign(rows.astype(np.float32))

    def step(self, qpos: Array, qvel: Array, targets: Array, forces: Array) -> tuple[Array, Array, Array]:
        """Simulate k steps from qpos (b, nq), qvel (b, nv) with joint targets (b, k, nu) and forces
        (b, k, nv); returns qpos, qvel and sensors (b, s) at the end. No warm start, as in MujocoEngine."""
        data = self._data
        data.qpos.assign(qpos.astype(np.float32))
        data.qvel.assign(qvel.astype(np.float32))
        data.qacc_warmstart.zero_()
        for substep in range(targets.shape[1]):
            data.ctrl.assign(targets[:, substep].astype(np.float32))
            data.qfrc_applied.assign(forces[:, substep].astype(np.float32))
            self._warp.step(self._model, data)
        ends = (data.qpos, data.qvel, data.sensordata)
        after, velocity, sensors = (array.numpy().astype(np.float64) for array in ends)
        return after, velocity, sensors

    @staticmethod
    def blown_up(qpos: Array, qvel: Array) -> NDArray[np.bool_]:
        """(b,) whether numbers overflowed."""
        state = np.concatenate([qpos, qvel], axis=1)
        return np.any(~(np.abs(state) < _BLOWN_UP), axis=1)  # NaN compares false


def _mujoco_warp() -> ModuleType:
    try:
        return importlib.import_module("mujoco_warp")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the engine 'warp' needs MuJoCo Warp: run `.venv/bin/pip install mujoco-warp==3.17.0`, or use "
            "'mujoco'"
        ) from error


def _require_device(device: str) -> None:
    if device == "cuda" and not importlib.import_module("warp").is_cuda_available():
        raise ValueError(
            "the engine 'warp' is for an NVIDIA GPU, and Warp finds none (check `nvidia-smi`): use 'mujoco', "
            "or 'warp_cpu', which is far slower, to check it without one"
        )
