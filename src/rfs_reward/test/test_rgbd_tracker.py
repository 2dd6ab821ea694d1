"""The light tracker on rendered episodes: overlap, occlusion, loss, likes, prompts and bad input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rendered_frames import CAMERA, OTHER, clean_frame, episode, overlap, with_second
from rfs_reward.auto_prompt import find_object
from rfs_reward.frame import Frame
from rfs_reward.tracker import PromptError
from rfs_reward.trackers.rgbd import RgbdTracker
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import OBJECT, ROBOT
from rfs_sim_bridge.snapshot import Snapshot


def begun(frame: Frame) -> RgbdTracker:
    tracker = RgbdTracker()
    tracker.prompt(frame, box=find_object(frame).box)
    return tracker


def middle(frame: Frame) -> list[list[float]]:
    rows, columns = np.nonzero(frame.segmentation == OBJECT)
    return [[float(np.median(columns)), float(np.median(rows))]]


def without_object(frame: Frame) -> Frame:
    """The table where the object was."""
    shown = frame.segmentation == OBJECT
    plane = (-frame.camera.position[2] / frame.camera.rays[..., 2]).astype(np.float32)
    table = frame.color[frame.segmentation == 3].mean(0).astype(np.uint8)
    color = np.where(shown[..., None], table, frame.color)
    return replace(frame, depth=np.where(shown, plane, frame.depth), color=color)


@pytest.mark.parametrize("name", ["can", "eraser", "dumbbell"])
def test_it_follows_the_object_into_the_hand_and_up(name):
    frames = episode(name, 1001, 45)
    tracker = begun(frames[0])
    overlaps, confidences = [], []
    for frame in frames[1:]:
        track = tracker.track(frame)
        overlaps.append(overlap(track.mask, frame))
        confidences.append(track.confidence)
    assert np.mean(overlaps) > 0.82
    assert np.percentile(overlaps, 10) > 0.7
    assert min(confidences) > 0
    assert max(confidences) <= 1
    assert np.mean(confidences[:5]) > np.mean(confidences[15:])  # the hand hides some of it


@pytest.mark.parametrize("by", ["points", "box"])
def test_prompts_by_click_and_by_box_find_the_same_object(by):
    task = GraspTask(objects=["mug"])
    frame = clean_frame(task)
    rows, columns = np.nonzero(frame.segmentation == OBJECT)
    box = [columns.min() - 3, rows.min() - 3, columns.max() + 3, rows.max() + 3]
    prompt = {"points": middle(frame)} if by == "points" else {"box": box}
    track = RgbdTracker().prompt(frame, **prompt)
    assert overlap(track.mask, frame) > 0.85
    assert track.confidence > 0.7


@pytest.mark.parametrize("later", [0, -(10**8), -(10**10)])
def test_a_frame_of_the_same_time_or_an_older_one_is_no_reason_to_lose_the_object(later):
    """How far it may have gone follows from the time between frames, and is a divisor."""
    frame = clean_frame(GraspTask(objects=["sphere"]))
    frame = replace(frame, stamp=20 * 10**9)
    tracker = begun(frame)
    with np.errstate(divide="raise", invalid="raise"):
        track = tracker.track(replace(frame, stamp=frame.stamp + later))
    assert overlap(track.mask, frame) > 0.85


def test_a_vanished_object_is_said_and_found_again():
    task = GraspTask(objects=["sphere"])
    frame = clean_frame(task)
    tracker = begun(frame)
    for second in range(1, 4):
        track = tracker.track(replace(without_object(frame), stamp=second * 10**9))
        assert not track.mask.any()
        assert track.confidence == 0
    track = tracker.track(replace(frame, stamp=4 * 10**9))
    assert overlap(track.mask, frame) > 0.85
    assert track.confidence > 0.7


def test_an_object_that_comes_back_elsewhere_is_found():
    task = GraspTask(objects=["small_box"])
    task.reset([3])
    frame, shot = clean_frame(task), task.snapshot()
    tracker = begun(frame)
    tracker.track(replace(without_object(frame), stamp=2 * 10**9))
    moved = with_second(without_object(frame), shot, [-0.04, -0.15 * np.sign(shot.object_position[1]), 0])
    track = tracker.track(replace(moved, stamp=3 * 10**9))
    assert (track.mask & (moved.segmentation == OTHER)).sum() > 0.8 * track.mask.sum() > 0


def test_two_of_the_same_look_are_not_swapped_while_the_hand_is_around():
    frames = episode("can", 1001, 45)
    task = GraspTask(objects=["can"])
    task.reset([1001])
    tracker = RgbdTracker()
    for index, frame in enumerate(frames):
        both = with_second(frame, task.snapshot(), [0.11, -0.03, 0.0])
        track = tracker.prompt(both, points=middle(both)) if index == 0 else tracker.track(both)
        assert not (track.mask & (both.segmentation == OTHER)).sum() > 0.1 * track.mask.sum(), index
        assert overlap(track.mask, both) > 0.6, index


def test_a_hidden_object_is_not_taken_for_its_like():
    task = GraspTask(objects=["sphere"])
    task.reset([5])
    shot, frame = task.snapshot(), clean_frame(task)
    shift = [0.0, -0.14 * np.sign(shot.object_position[1]), 0.0]
    tracker = RgbdTracker()
    tracker.prompt(with_second(frame, shot, shift), points=middle(frame))
    for second in range(1, 5):
        alone = with_second(without_object(frame), shot, shift)
        assert not tracker.track(replace(alone, stamp=second * 10**9)).mask.any()


def test_it_never_drifts_onto_robot_or_table():
    frames = episode("dumbbell", 1001, 45)
    tracker = begun(frames[0])
    for frame in frames[1:]:
        mask = tracker.track(frame).mask
        wrong = mask & np.isin(frame.segmentation, [ROBOT, 3])
        assert wrong.sum() <= 0.45 * max(1, mask.sum())


def test_prompts_on_nothing_are_refused_and_the_old_track_is_kept():
    frames = episode("can", 1001, 45)
    frame = frames[0]
    tracker = begun(frame)
    rows, columns = np.nonzero(frame.segmentation == ROBOT)
    robot = [[float(np.median(columns)), float(np.median(rows[columns == int(np.median(columns))]))]]
    table = [[60.0, 75.0]]
    assert frame.segmentation[75, 60] == 3
    for points, problem in (
        (robot, "robot"),
        (table, "table"),
        ([[5.0, 2.0]], "nothing"),
        ([[-4, 7]], "outside"),
    ):
        with pytest.raises(PromptError, match=problem):
            tracker.prompt(frame, points=points)
    with pytest.raises(PromptError, match="table"):
        tracker.prompt(frame, box=[50, 70, 60, 76])
    assert overlap(tracker.track(frames[1]).mask, frames[1]) > 0.8


def test_no_depth_hides_the_object_and_refuses_prompts():
    frame = clean_frame(GraspTask(objects=["box"]))
    tracker = begun(frame)
    blind = replace(frame, depth=np.full_like(frame.depth, np.nan), stamp=10**8)
    track = tracker.track(blind)
    assert not track.mask.any()
    assert track.confidence == 0
    with pytest.raises(PromptError, match="depth"):
        tracker.prompt(blind, points=middle(frame))
    assert overlap(tracker.track(replace(frame, stamp=2 * 10**8)).mask, frame) > 0.85


def test_robot_mask_that_covers_everything_hides_the_object():
    frame = clean_frame(GraspTask(objects=["box"]))
    tracker = begun(frame)
    covered = replace(frame, robot=np.ones_like(frame.robot), stamp=10**8)
    assert not tracker.track(covered).mask.any()


def test_tracking_needs_a_prompt():
    frame = clean_frame(GraspTask())
    tracker = begun(frame)
    tracker.reset()
    with pytest.raises(ValueError, match="prompt"):
        tracker.track(frame)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(st.floats(0, 0.5), st.integers(0, 2**31))
def test_holes_in_the_depth_leave_most_of_the_mask(share, seed):
    frame = _box_frame()
    tracker = begun(frame)
    holes = np.random.default_rng(seed).random(frame.depth.shape) < share
    track = tracker.track(
        replace(frame, depth=np.where(holes, np.nan, frame.depth).astype(np.float32), stamp=10**8)
    )
    assert overlap(track.mask, frame) > 0.7


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(st.floats(-30, 190), st.floats(-30, 150))
@example(0.0, 59.0)  # the table's edge: depth is mixed there, and nothing stands
def test_a_click_anywhere_finds_the_object_or_says_why_not(x, y):
    frame = _box_frame()
    tracker = RgbdTracker()
    try:
        track = tracker.prompt(frame, points=[[x, y]])
    except PromptError:
        with pytest.raises(ValueError, match="prompt first"):  # nothing is tracked instead
            tracker.track(frame)
    else:
        assert overlap(track.mask, frame) > 0.7


_FRAMES: list[Frame] = []


def _box_frame() -> Frame:
    if not _FRAMES:
        _FRAMES.append(clean_frame(GraspTask(objects=["box"])))
    return _FRAMES[0]


def test_memory_stays_bounded():
    frames = episode("can", 1001, 45)
    tracker = begun(frames[0])
    for frame in frames[1:]:
        tracker.track(frame)
    assert tracker._object is not None
    assert len(tracker._object.likes) <= 4


def test_larger_pictures_are_tracked_too():
    task = GraspTask(objects=["bottle"])
    camera = replace(CAMERA, width=480, height=360)
    frame = clean_frame(task, camera)
    tracker = begun(frame)
    shot = task.snapshot()
    position = shot.object_position + np.array([0.02, 0.01, 0.0])
    moved = Snapshot(shot.object, shot.joint_positions, position, shot.object_quaternion)
    picture = take_picture(moved, camera)
    track = tracker.track(
        replace(
            frame, color=picture.color, depth=picture.depth, segmentation=picture.segmentation, stamp=10**8
        )
    )
    assert (track.mask & (picture.segmentation == OBJECT)).sum() > 0.88 * (
        track.mask | (picture.segmentation == OBJECT)
    ).sum()
