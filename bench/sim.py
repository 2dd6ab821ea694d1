"""Speed of the grasp task: control steps per second, beside a plain Gymnasium vector environment, and
clouds."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from numpy.typing import NDArray
from rfs_control.command import Command, compose
from rfs_control.inverse_kinematics import solve
from rfs_control.limits import Limits
from rfs_learning.expert import Expert
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.task_config import TaskConfig

from rfs_sim_bridge import scene

ENVS, THREADS, STEPS, RATE = 128, 2, 60, 20.0
OBJECTS = object_names("train")


class PlainGraspEnv(gymnasium.Env):
    """The same scene, limits and inverse kinematics, one environment an object, as one would write it
    first."""

    def __init__(self, index: int):
        self._model = scene.compiled_scene(OBJECTS[index % len(OBJECTS)], 0.0025)
        self._data = mujoco.MjData(self._model)
        self._index, self._limits = index, Limits.load(period=1 / RATE)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (self._model.nq,))
        self.action_space = gymnasium.spaces.Box(-np.inf, np.inf, (22,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        joints, position, quaternion = (options or {})["starts"][
            self._index
        ]  # where GraspTask's episode starts
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:23], self._data.qpos[23:26] = joints, position
        self._data.qpos[26:30] = np.roll(quaternion, 1)
        self._command = Command.from_joints(joints[None])
        self._arm = joints[None, :7]
        return self._data.qpos.copy(), {}

    def step(self, action: NDArray):
        self._command, _, _ = compose(self._command, action[None], self._limits)
        self._arm, _ = solve(self._arm, self._command.position, self._command.rotation)
        self._data.ctrl[:7], self._data.ctrl[7:] = self._arm[0], self._command.fingers[0]
        mujoco.mj_step(self._model, self._data, 20)
        return self._data.qpos.copy(), float(self._data.qpos[25]), False, False, {}


def run() -> list[dict[str, Any]]:
    """Figures of this machine, now."""
    config = replace(TaskConfig.default(), control_rate=RATE)
    task = GraspTask(config, ENVS, OBJECTS, THREADS)
    actions = _expert_actions(task)
    ours = max(_steps_per_second(lambda: _replay(task, actions)) for _ in range(3))
    plain = max(_plain_speed(task, actions, kind) for kind in (SyncVectorEnv, AsyncVectorEnv))
    clouds = _cloud_milliseconds(GraspTask(config, 64, OBJECTS, THREADS))
    dense = replace(config, cloud=replace(config.cloud, rays=config.cloud.points))
    every_ray = _cloud_milliseconds(GraspTask(dense, 64, OBJECTS, THREADS))
    return [
        {
            "name": "sim.control_steps_per_s",
            "value": round(ours),
            "unit": "1/s",
            "goal": ">= 3000",
            "holds": ours >= 3000,
            "peer": f"plain Gymnasium vector environment: {plain:.0f}",
            "ratio": round(ours / plain, 2),
        },
        {
            "name": "sim.clouds_64x1024_ms",
            "value": round(clouds, 2),
            "unit": "ms",
            "goal": "<= 6",
            "holds": clouds <= 6,
        },
        {
            "name": "sim.clouds_64x1024_all_rays_ms",  # no point of a cloud repeated, but for misses
            "value": round(every_ray, 2),
            "unit": "ms",
            "goal": "<= 6",
            "holds": every_ray <= 6,
        },
    ]


def _expert_actions(task: GraspTask) -> NDArray:
    """(STEPS, n, 22): whole grasps, so that contacts are part of what is measured."""
    seeds = np.arange(task.num_envs)
    task.reset(seeds)
    expert = Expert(task)
    expert.reset(seeds, seeds)
    actions = []
    for _ in range(STEPS):
        actions.append(expert.act())
        task.step(actions[-1])
    return np.stack(actions)


def _replay(task: GraspTask, actions: NDArray) -> tuple[float, int]:
    task.reset(np.arange(task.num_envs))
    began = time.perf_counter()
    for action in actions:
        task.step(action)
    return time.perf_counter() - began, actions.shape[0] * actions.shape[1]


def _plain_speed(task: GraspTask, actions: NDArray, kind: Callable) -> float:
    """Control steps per second of a plain vector environment with the first environments' episodes."""
    count = 64 if kind is SyncVectorEnv else 8
    task.reset(np.arange(task.num_envs))
    position, quaternion = task.object_pose
    starts = [(task.joint_positions[i].copy(), position[i], quaternion[i]) for i in range(count)]
    envs = kind([lambda i=i: PlainGraspEnv(i) for i in range(count)])
    try:
        envs.reset(options={"starts": starts})
        began = time.perf_counter()
        for action in actions[:, :count]:
            envs.step(action.astype(np.float32))
        return actions.shape[0] * count / (time.perf_counter() - began)
    finally:
        envs.close()


def _steps_per_second(measure: Callable[[], tuple[float, int]]) -> float:
    seconds, steps = measure()
    return steps / seconds


def _cloud_milliseconds(task: GraspTask) -> float:
    """Median time of the 64 clouds of a new state: poses computed, rays cast, noise, crop, 1,024 points."""
    times = []
    for _ in range(30):
        task.step(np.tile(np.repeat([0.0, 0.4], [6, 16]), (task.num_envs, 1)))
        began = time.perf_counter()
        task.clouds()
        times.append(time.perf_counter() - began)
    return 1e3 * float(np.median(times))


if __name__ == "__main__":
    for row in run():
        print(row)
