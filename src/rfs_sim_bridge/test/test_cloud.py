"""Point clouds: on the surfaces, cropped, and with the noise that was asked for."""

import numpy as np
import pytest
from rfs_policy.observation import WORKSPACE_BOX
from rfs_sim_bridge.cloud import _fit
from rfs_sim_bridge.episodes import Episode, draw
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.task_config import TaskConfig

EXACT = {"depth_noise": 0.0, "extrinsics_translation": 0.0, "extrinsics_rotation": 0.0}


def test_points_of_an_exact_cloud_lie_on_the_object_or_near_the_hand():
    task = GraspTask(TaskConfig.from_dict({"cloud": EXACT}), num_envs=4, objects=["sphere"])
    task.reset(np.arange(4))
    center, _ = task.object_pose
    for env, cloud in enumerate(task.clouds()):
        distance = np.linalg.norm(cloud - center[env], axis=1)
        near = distance < 0.05
        assert near.sum() > 300
        np.testing.assert_allclose(distance[near], 0.035, atol=1e-5)
        assert cloud[~near, 2].min() > 0.2


def test_cloud_is_cropped_and_free_of_the_table():
    task = GraspTask(num_envs=16)
    clouds = task.clouds()
    assert np.isfinite(clouds).all()
    assert (clouds >= WORKSPACE_BOX[0].astype(np.float32)).all()
    assert (clouds <= WORKSPACE_BOX[1].astype(np.float32)).all()
    assert (clouds[..., 2] > 0).all()


def test_both_cameras_contribute():
    task = GraspTask(TaskConfig.from_dict({"cloud": EXACT}), num_envs=1, objects=["cylinder"])
    cloud, center = task.clouds()[0], task.object_pose[0][0]
    side = cloud[np.linalg.norm(cloud - center, axis=1) < 0.09] - center
    assert (side[:, 1] > 0.02).any()
    assert (side[:, 1] < -0.02).any()


def test_noise_has_the_configured_size():
    exact = GraspTask(TaskConfig.from_dict({"cloud": EXACT}), num_envs=8, objects=["sphere"])
    noisy = GraspTask(num_envs=8, objects=["sphere"])
    radius = []
    for task in (exact, noisy):
        task.reset(np.arange(8))
        center = task.object_pose[0]
        distance = np.linalg.norm(task.clouds() - center[:, None], axis=2)
        radius.append(distance[distance < 0.06])
    assert radius[0].std() < 1e-5
    assert 0.0005 < radius[1].std() < 0.008


def test_more_cameras_are_possible():
    cameras = [[1.2, 0.0, 0.8], [0.5, 0.9, 0.7], [0.5, -0.9, 0.7]]
    task = GraspTask(TaskConfig.from_dict({"cloud": {"cameras": cameras}}), num_envs=2)
    assert task.clouds().shape == (2, 1024, 3)


def test_cameras_move_with_the_episode_and_nothing_else_does():
    still, moved = draws(0.0), draws(0.2)
    offsets = np.array([m.camera_positions - s.camera_positions for s, m in zip(still, moved, strict=True)])
    assert np.abs(offsets).max() <= 0.2
    assert offsets.std(axis=0).min() > 0.05
    for one, other in zip(still, moved, strict=True):
        np.testing.assert_array_equal(one.camera_rotation, other.camera_rotation)
        np.testing.assert_array_equal(one.start.object_position, other.start.object_position)


def draws(spread: float) -> list[Episode]:
    config = TaskConfig.from_dict({"cloud": {"camera_spread": spread}})
    return [draw(seed, find_object("box"), config) for seed in range(12)]


def test_moved_cameras_see_other_points_of_the_same_surface():
    seen = []
    for spread in (0.0, 0.3):
        config = TaskConfig.from_dict({"cloud": EXACT | {"camera_spread": spread}})
        task = GraspTask(config, num_envs=2, objects=["sphere"])
        task.reset([3, 4])
        distance = np.linalg.norm(task.clouds() - task.object_pose[0][:, None], axis=2)
        near = distance < 0.05
        np.testing.assert_allclose(distance[near], 0.035, atol=1e-5)
        seen.append(task.clouds())
    assert not np.array_equal(*seen)


@pytest.mark.parametrize("count", [1, 7, 50])
def test_fit_repeats_exactly_the_seen_points(count):
    rng = np.random.default_rng(count)
    points, seen = rng.normal(size=(3, 20, 3)), rng.random((3, 20)) < 0.4
    seen[1] = False
    palm = np.arange(9.0).reshape(3, 3)
    fitted = _fit(points, seen, count, palm)
    assert fitted.shape == (3, count, 3)
    np.testing.assert_array_equal(fitted[1], np.broadcast_to(palm[1], (count, 3)))
    for env in (0, 2):
        known = {tuple(p) for p in points[env, seen[env]]}
        assert {tuple(p) for p in fitted[env]} <= known
        assert len({tuple(p) for p in fitted[env]}) == min(count, len(known))
