"""Noise of the simulated camera: what it does, that frames repeat, and that the ideal camera stays ideal."""

from dataclasses import replace

import numpy as np
import pytest
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.camera_noise import noisy_picture, true_camera
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import TABLE, Camera
from rfs_sim_bridge.task_config import CameraConfig, TaskConfig

CAMERA = Camera(width=80, height=60)
SILENT = CameraConfig(0, 0, 0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def task() -> GraspTask:
    return GraspTask(objects=["can"], threads=1)


def with_camera(**changes: float) -> TaskConfig:
    return replace(TaskConfig.default(), camera=replace(SILENT, **changes))


def test_without_errors_it_is_the_ideal_picture(task: GraspTask) -> None:
    exposure = replace(task.exposure(), config=SILENT, translation=(0, 0, 0), rotation=(0, 0, 0))
    noisy, ideal = noisy_picture(task.snapshot(), CAMERA, exposure), take_picture(task.snapshot(), CAMERA)
    np.testing.assert_allclose(noisy.depth, ideal.depth, atol=1e-6)
    np.testing.assert_array_equal(noisy.color, ideal.color)


def test_frames_repeat_and_differ() -> None:
    task = GraspTask(objects=["can"], threads=1)
    task.reset([7])
    first = noisy_picture(task.snapshot(), CAMERA, task.exposure())
    later = noisy_picture(task.snapshot(), CAMERA, task.exposure().at(1))
    task.reset([8])
    other = task.exposure()
    task.reset([7])
    again = noisy_picture(task.snapshot(), CAMERA, task.exposure())
    np.testing.assert_array_equal(again.depth, first.depth)
    np.testing.assert_array_equal(again.color, first.color)
    assert (later.depth != first.depth).mean() > 0.9
    assert other.translation != task.exposure().translation


def test_depth_noise_grows_with_the_square_of_the_distance(task: GraspTask) -> None:
    exposure = replace(task.exposure(), config=replace(SILENT, depth_noise=0.002))
    ideal = take_picture(task.snapshot(), true_camera(CAMERA, exposure))
    error = noisy_picture(task.snapshot(), CAMERA, exposure).depth - ideal.depth
    table = ideal.segmentation == TABLE
    assert np.std(error[table] / ideal.depth[table] ** 2) == pytest.approx(0.002, rel=0.1)


def test_edges_lose_depth_or_mix_surfaces(task: GraspTask) -> None:
    exposure = replace(task.exposure(), config=replace(SILENT, edge_holes=1.0))
    ideal = take_picture(task.snapshot(), true_camera(CAMERA, exposure))
    noisy = noisy_picture(task.snapshot(), CAMERA, exposure)
    jump = np.abs(np.diff(ideal.depth, axis=1)) > 0.1
    assert jump.any()
    assert np.isnan(noisy.depth[:, 1:][jump]).mean() > 0.9
    assert np.isfinite(noisy.depth).mean() > 0.5
    mixed = noisy_picture(
        task.snapshot(), CAMERA, replace(exposure, config=replace(SILENT, edge_mixing=1.0))
    ).depth
    left, right = ideal.depth[:, :-1][jump], ideal.depth[:, 1:][jump]
    between = (mixed[:, 1:][jump] - left) / (right - left)
    assert ((between > 0.1) & (between < 0.9)).mean() > 0.4


def test_the_true_pose_is_near_the_calibrated_one() -> None:
    task = GraspTask(num_envs=200, threads=1)
    cameras = [true_camera(CAMERA, task.exposure(env)) for env in range(200)]
    shifts = np.array([np.subtract(camera.position, CAMERA.position) for camera in cameras])
    turns = np.array([camera.rotation @ CAMERA.rotation.T for camera in cameras])
    np.testing.assert_allclose(shifts.std(0), 0.003, rtol=0.2)
    skew = (turns - turns.transpose(0, 2, 1))[:, [2, 0, 1], [1, 2, 0]] / 2
    np.testing.assert_allclose(skew.std(0), 0.004, rtol=0.2)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (200, 1, 1)), atol=1e-9)


@pytest.mark.parametrize(("name", "value"), [("holes", 1.5), ("depth_noise", -1.0), ("edge_mixing", np.nan)])
def test_settings_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"camera.{name} must be"):
        with_camera(**{name: value})
