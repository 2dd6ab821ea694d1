"""Pictures: geometry of the camera, agreement of depth and scene, both ways to draw."""

import numpy as np
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import OBJECT, ROBOT, TABLE, Camera
from rfs_sim_bridge.render import close_up, render

CAMERA = Camera(width=64, height=48)


def test_depth_and_intrinsics_give_back_the_object():
    task = GraspTask(num_envs=1, objects=["sphere"])
    center = task.object_pose[0][0]
    camera = Camera(target=tuple(center), width=320, height=240)
    picture = take_picture(task.snapshot(), camera)
    v, u = np.nonzero(picture.segmentation == OBJECT)
    depth = picture.depth[v, u]
    pixels = np.stack([u, v, np.ones_like(u)], 1) * depth[:, None]
    points = pixels @ np.linalg.inv(camera.intrinsics).T @ camera.rotation.T + camera.position
    np.testing.assert_allclose(np.linalg.norm(points - center, axis=1), 0.035, atol=1e-4)


def test_optical_frame_is_right_handed_and_looks_at_the_target():
    rotation = CAMERA.rotation
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) > 0
    sight = np.subtract(CAMERA.target, CAMERA.position)
    np.testing.assert_allclose(rotation[:, 2], sight / np.linalg.norm(sight))
    assert rotation[2, 1] < 0  # image rows grow downwards
    down = Camera(position=(0.5, 0, 1.5), target=(0.5, 0, 0)).rotation
    np.testing.assert_allclose(down.T @ down, np.eye(3), atol=1e-12)


def test_picture_shows_robot_object_and_table():
    picture = take_picture(GraspTask(num_envs=1).snapshot(), CAMERA)
    assert {ROBOT, OBJECT, TABLE} <= set(np.unique(picture.segmentation))
    assert picture.color.shape == (48, 64, 3)
    assert np.isnan(picture.depth[picture.segmentation == 0]).all()
    assert np.isfinite(picture.depth[picture.segmentation > 0]).all()


def test_reports_can_be_drawn_with_and_without_opengl():
    snapshot = GraspTask(num_envs=1).snapshot()
    for gl in (True, False):
        image = render(snapshot, CAMERA, gl=gl)
        assert image.shape == (48, 64, 3)
        assert image.std() > 10
    assert close_up(snapshot, 64, 48).shape == (48, 64, 3)
