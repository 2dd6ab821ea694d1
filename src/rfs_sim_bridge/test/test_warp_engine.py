"""MuJoCo Warp behind the same interface: agreement with MuJoCo, batches by object, its absence."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig
from rfs_sim_bridge.warp_engine import WarpEngine

CONFIG = TaskConfig.from_dict({"control_rate": 20.0, "timestep": 0.005})
OBJECTS = ["cylinder", "box", "cylinder"]


def warp_task() -> GraspTask:
    pytest.importorskip("mujoco_warp", reason="optional: pip install mujoco-warp==3.17.0")
    return GraspTask(replace(CONFIG, engine="warp_cpu"), 3, OBJECTS, threads=1)


def test_without_mujoco_warp_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mujoco-warp"):
        WarpEngine(1, 0.005)


def test_without_a_gpu_the_error_says_what_to_use(monkeypatch):
    """As on a machine without one, whatever this one has."""
    monkeypatch.setitem(sys.modules, "mujoco_warp", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "warp", SimpleNamespace(is_cuda_available=lambda: False))
    with pytest.raises(ValueError, match=r"Warp finds none .*use 'mujoco', or 'warp_cpu'"):
        GraspTask(replace(CONFIG, engine="warp"))


def test_agrees_with_mujoco_and_resets_one_of_a_batch():
    """One test for all, because Warp compiles its kernels when they first run."""
    warp, exact = warp_task(), GraspTask(CONFIG, 3, OBJECTS, threads=1)
    assert isinstance(warp.engine, WarpEngine)
    rng = np.random.default_rng(0)
    for task in (warp, exact):
        task.reset([3, 4, 5])
    for step in range(6):
        if step == 3:  # the last environment moves from the cylinders' batch to the boxes'
            for task in (warp, exact):
                task.reset([9], ["box"], env_ids=[2])
        action = rng.uniform(-1, 1, (3, 22)) * np.repeat([0.03, 0.1, 1.0], [3, 3, 16])
        results = [task.step(action) for task in (warp, exact)]
        np.testing.assert_allclose(warp.joint_positions, exact.joint_positions, atol=1e-4)
        np.testing.assert_allclose(warp.object_pose[0], exact.object_pose[0], atol=3e-3)  # one is knocked
        np.testing.assert_allclose(warp.engine.state.fingertips, exact.engine.state.fingertips, atol=1e-4)
        np.testing.assert_allclose(results[0].reward, results[1].reward, atol=1e-2)
    assert np.abs(warp.joint_velocities).max() > 0.1
    np.testing.assert_array_equal(warp.time, exact.time)


def test_the_engine_is_a_line_of_the_task_settings(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mujoco-warp"):
        GraspTask(TaskConfig.from_dict({"engine": "warp"}))
    with pytest.raises(ValueError, match="unknown engine 'bullet'; there are: mujoco, warp, warp_cpu"):
        TaskConfig.from_dict({"engine": "bullet"})
