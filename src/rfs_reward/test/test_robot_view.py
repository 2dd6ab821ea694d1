"""The rendered robot: agreement with the simulator's pictures, and what calibration errors do to it."""

from dataclasses import replace

import numpy as np
import pytest
from rendered_frames import VIEW, episode, pinhole
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import OBJECT, ROBOT, Camera
from scipy.spatial.transform import Rotation


def test_depth_is_the_simulators_where_it_shows_the_robot():
    task = GraspTask()
    joints = task.joint_positions[0]
    picture = take_picture(task.snapshot(), Camera())
    depth = VIEW.depth(pinhole(), joints)
    robot = picture.segmentation == ROBOT
    assert np.isfinite(depth)[robot].mean() > 0.995
    assert np.median(np.abs(depth - picture.depth)[robot]) < 1e-5
    assert np.isfinite(depth)[picture.segmentation == 0].mean() < 0.005


@pytest.mark.parametrize("width", [200, 640])
def test_larger_pictures_are_enlarged_to_their_own_size(width):
    camera = Camera(width=width, height=width * 3 // 4)
    task = GraspTask()
    picture = take_picture(task.snapshot(), camera)
    depth = VIEW.depth(pinhole(camera), task.joint_positions[0])
    robot = picture.segmentation == ROBOT
    assert depth.shape == robot.shape
    assert (np.isfinite(depth) & robot).sum() > 0.9 * (np.isfinite(depth) | robot).sum()


def test_mask_covers_the_robot_and_leaves_the_object_in_the_hand_despite_calibration_errors():
    eaten, missed = [], []
    for frame in episode("can", 1001, 45)[12:]:
        truth = frame.segmentation
        eaten.append(frame.robot[truth == OBJECT].mean())
        missed.append((~frame.robot)[truth == ROBOT].mean())
    assert np.mean(eaten) < 0.12
    assert np.mean(missed) < 0.04


def test_mask_follows_a_camera_that_stands_beside_its_calibrated_place():
    task = GraspTask()
    picture, joints = take_picture(task.snapshot(), Camera()), task.joint_positions[0]
    true = pinhole()
    turn = Rotation.from_rotvec([0.006, -0.006, 0.006]).as_matrix()
    believed = replace(
        true, position=true.position + np.array([0.004, -0.004, 0.004]), rotation=turn @ true.rotation
    )
    robot = picture.segmentation == ROBOT

    def agreement(mask):
        return (mask & robot).sum() / (mask | robot).sum()

    rendered = np.isfinite(VIEW.depth(believed, joints))
    assert agreement(VIEW.mask(believed, joints, picture.depth)) > max(0.97, agreement(rendered))


def test_without_depth_the_mask_has_a_rim_for_the_calibrations_error():
    task = GraspTask()
    joints = task.joint_positions[0]
    mask = VIEW.mask(pinhole(), joints)
    assert mask[np.isfinite(VIEW.depth(pinhole(), joints))].all()
    assert mask.sum() > np.isfinite(VIEW.depth(pinhole(), joints)).sum()


def test_depth_that_is_all_unknown_leaves_the_calibration_alone():
    joints = GraspTask().joint_positions[0]
    nothing = np.full((120, 160), np.nan, np.float32)
    np.testing.assert_array_equal(
        VIEW.mask(pinhole(), joints, nothing), np.isfinite(VIEW.depth(pinhole(), joints))
    )


def test_what_lies_before_the_robot_is_not_the_robot():
    joints = GraspTask().joint_positions[0]
    before = VIEW.depth(pinhole(), joints) - np.float32(0.05)
    assert not VIEW.mask(pinhole(), joints, before).any()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="23 finite joints"):
        VIEW.depth(pinhole(), np.full(23, np.nan))
    with pytest.raises(ValueError, match="23 finite joints"):
        VIEW.depth(pinhole(), np.zeros(7))
    with pytest.raises(ValueError, match="depth has shape"):
        VIEW.mask(pinhole(), np.zeros(23), np.zeros((3, 4), np.float32))
