"""MuJoCo Warp against C MuJoCo: grasps recorded in one lift as high in the other."""

from dataclasses import replace

import numpy as np
import pytest
from rfs_learning.expert import Expert
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig


def test_recorded_grasps_end_at_the_same_height():
    """Joint targets and disturbances of eight grasps with three objects, recorded in C MuJoCo up to success:
    simulated by Warp from the same starts, all are lifted and the objects end within 2 mm of the height that
    they had there. One may differ by more: Warp computes in single precision, and what contacts make of that
    has no bound."""
    pytest.importorskip("mujoco_warp", reason="optional: pip install mujoco-warp==3.17.0")
    config = TaskConfig.default()
    objects = ["cylinder", "box", "mug", "cylinder", "box", "mug", "cylinder", "box"]
    exact = GraspTask(config, 8, objects, threads=1)
    recorded, heights, ends = recorded_grasps(exact, seeds=range(8))
    warp = GraspTask(replace(config, engine="warp_cpu"), 8, objects, threads=1)
    warp.reset(range(8))
    reached = []
    for targets, torques in recorded:
        warp.engine.step(targets, torques)
        reached.append(warp.object_pose[0][:, 2].copy())
    difference = np.abs(np.array(reached) - heights)[ends, np.arange(8)]
    assert (heights[ends, np.arange(8)] - heights[0] > 0.15).all()  # all were lifted
    assert sorted(difference)[-2] < 0.002, f"{(1e3 * difference).round(2)} mm between final heights"
    assert difference.max() < 0.02


def recorded_grasps(task: GraspTask, seeds: range) -> tuple[list, np.ndarray, np.ndarray]:
    """What the engine was given in each step of the expert's grasps, heights (T, n) in m after it, and
    the step (n,) at which each succeeded."""
    recorded, heights, step = [], [], task.engine.step

    def record(targets: np.ndarray, torques: np.ndarray) -> None:
        recorded.append((targets.copy(), torques.copy()))
        step(targets, torques)

    task.reset(seeds)
    task.engine.step = record
    expert = Expert(task)
    expert.reset(range(task.num_envs), seeds)
    ends = np.full(task.num_envs, -1)
    while (ends < 0).any() and len(heights) < task.config.max_steps:
        task.step(expert.act())
        heights.append(task.object_pose[0][:, 2].copy())
        ends[task.success & (ends < 0)] = len(heights) - 1
    assert (ends >= 0).all()
    return recorded, np.array(heights), ends
