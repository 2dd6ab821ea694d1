"""The object found without a person, and what is said when it is not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rendered_frames import CAMERA, clean_frame, episode, frame_of, overlap, with_second
from rfs_reward.auto_prompt import find_object
from rfs_reward.table import find_table
from rfs_reward.tracker import PromptError
from rfs_sim_bridge.camera_noise import noisy_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.pictures import OBJECT


@pytest.mark.parametrize("name", object_names())
def test_every_object_is_found_in_a_noisy_picture(name):
    task = GraspTask(objects=[name])
    task.reset([7])
    picture = noisy_picture(task.snapshot(), CAMERA, task.exposure())
    frame = frame_of(picture, task.joint_positions[0])
    prompt = find_object(frame)
    assert overlap(prompt.mask, frame) > 0.6
    rows, columns = np.nonzero(frame.segmentation == OBJECT)
    expected = [columns.min(), rows.min(), columns.max(), rows.max()]
    np.testing.assert_allclose(prompt.box, expected, atol=3)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(st.integers(0, 10_000))
def test_it_is_found_wherever_an_episode_begins(seed):
    task = GraspTask(objects=["small_box"])
    task.reset([seed])
    frame = clean_frame(task)
    assert overlap(find_object(frame).mask, frame) > 0.7


def test_two_things_are_named_by_their_places():
    task = GraspTask(objects=["sphere"])
    task.reset([1])
    position = task.object_pose[0][0]
    shift = [0.0, -0.15 * np.sign(position[1]), 0.0]
    frame = with_second(clean_frame(task), task.snapshot(), shift)
    with pytest.raises(PromptError, match="2 things stand in the workspace") as error:
        find_object(frame)
    for y in (position[1], position[1] + shift[1]):
        assert any(f"y {y + off:.2f}" in str(error.value) for off in (-0.02, -0.01, 0, 0.01, 0.02))
    assert "click" in str(error.value)


def test_an_empty_table_is_said():
    task = GraspTask(objects=["sphere"])
    frame = clean_frame(task)
    table = frame.segmentation == OBJECT
    plane = -frame.camera.position[2] / frame.camera.rays[..., 2]
    empty = replace(frame, depth=np.where(table, plane, frame.depth).astype(np.float32))
    with pytest.raises(PromptError, match="nothing stands on the table"):
        find_object(empty)


def test_no_depth_is_said():
    frame = clean_frame(GraspTask())
    with pytest.raises(PromptError, match="no depth"):
        find_object(replace(frame, depth=np.full_like(frame.depth, np.nan)))


def test_table_is_fitted_through_calibration_errors_and_given_up_where_it_is_not():
    frame = episode("can", 1001, 45)[0]
    table = find_table(frame)
    assert table.found
    depth = frame.camera.position + frame.camera.rays * frame.depth[..., None]
    heights = table.heights(depth)[frame.segmentation == 3]
    assert abs(np.nanmedian(heights)) < 0.002
    assert not find_table(replace(frame, depth=frame.depth - np.float32(0.3))).found
    assert not find_table(replace(frame, depth=np.full_like(frame.depth, np.nan))).found


def test_it_is_found_at_the_resolution_of_a_real_camera():
    task = GraspTask(objects=["can"])
    task.reset([7])
    large = replace(CAMERA, width=640, height=480)
    picture = noisy_picture(task.snapshot(), large, task.exposure())
    frame = frame_of(picture, task.joint_positions[0], camera=large)
    prompt = find_object(frame)
    assert prompt.mask.shape == (480, 640)
    assert overlap(prompt.mask, frame) > 0.6
    rows, columns = np.nonzero(frame.segmentation == OBJECT)
    expected = [columns.min(), rows.min(), columns.max(), rows.max()]
    np.testing.assert_allclose(prompt.box, expected, atol=12)
