"""Training clips show what their masks say, and prompts lie where people put them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_learning.sam2_clips import draw_clip, draw_prompt
from rfs_learning.sam2_pictures import View, near_camera, random_camera, random_look
from rfs_learning.sam2_poses import Poses, record_poses
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.pictures import OBJECT, Camera
from sam2_tiny import standing, tiny

from rfs_sim_bridge import camera, scene


def test_a_clip_follows_from_its_random_numbers_and_shows_the_object_first():
    config = tiny(distractor=1.0)
    first, second = (draw_clip(standing(), config, False, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.masks, second.masks)
    assert first.frames.shape == (3, 120, 160, 3)
    assert first.masks[0].sum() >= 12
    assert np.ptp(first.frames) > 100


def test_pictures_near_the_object_are_half_as_large():
    clip = draw_clip(standing(), tiny(), True, np.random.default_rng(1))
    assert clip.frames.shape[1:3] == (60, 80)
    assert clip.masks[0].sum() >= 12


def test_masks_are_empty_where_the_object_is_taken_away():
    clip = draw_clip(standing(), tiny(absent=1.0, occluder=0.0), False, np.random.default_rng(0))
    assert clip.masks[0].any()
    assert not clip.masks[1:].any()


def test_an_occluder_hides_what_it_covers():
    rng = np.random.default_rng(0)
    poses = standing()
    open_clips = [draw_clip(poses, tiny(occluder=0.0, absent=0.0), False, rng) for _ in range(3)]
    covered = [draw_clip(poses, tiny(occluder=1.0, absent=0.0), False, rng) for _ in range(3)]

    def kept(clips):
        return np.mean([clip.masks[1:].sum() / 2 / clip.masks[0].sum() for clip in clips])

    assert kept(covered) < 0.8 * kept(open_clips)


def test_a_look_does_not_leak_into_the_simulators_own_scene():
    before = scene.drawn_scene("box").geom_rgba.copy(), scene.drawn_scene("box").geom_size.copy()
    random_look("box", True, np.random.default_rng(0))
    np.testing.assert_array_equal(scene.drawn_scene("box").geom_rgba, before[0])
    np.testing.assert_array_equal(scene.drawn_scene("box").geom_size, before[1])


def test_the_object_is_where_the_simulators_camera_sees_it():
    snapshot, rng = standing("sphere").snapshot(0, 0), np.random.default_rng(0)
    truth = camera.take_picture(snapshot, Camera()).segmentation == OBJECT
    drawn = random_look("sphere", False, rng).draw(snapshot, Camera()).object
    assert (drawn & truth).sum() / drawn.sum() > 0.8  # it may be smaller, and hang in the air


def test_what_is_nearer_hides_what_is_behind():
    color, everywhere = np.zeros((2, 2, 3)), np.ones((2, 2), bool)
    back = View(color, np.array([[1.0, 1.0], [np.inf, np.inf]]), everywhere & [[True, True], [False, False]])
    front = View(color + 1, np.array([[0.5, 2.0], [0.5, 2.0]]), everywhere)
    both = back.behind(front)
    np.testing.assert_array_equal(both.object, [[False, True], [False, False]])
    np.testing.assert_array_equal(both.color[..., 0], [[1, 0], [1, 1]])


def test_a_near_camera_keeps_the_resolution():
    far = random_camera(False, np.random.default_rng(0))
    near = near_camera(far, np.array([0.5, 0.1, 0.1]), np.random.default_rng(0))
    assert near.focal_length == pytest.approx(far.focal_length)


@given(st.data())
def test_prompts_lie_on_the_object(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    x, y = data.draw(st.integers(0, 150)), data.draw(st.integers(0, 110))
    mask = np.zeros((120, 160), bool)
    mask[y : y + 8, x : x + 6] = True
    points, labels = draw_prompt(mask, data.draw(st.sampled_from(["point", "points"])), rng)
    assert mask[points[:, 1].astype(int), points[:, 0].astype(int)].all()
    assert (labels == 1).all()
    box, labels = draw_prompt(mask, "box", rng)
    rows, columns = np.nonzero(mask)
    truth = [[columns.min(), rows.min()], [columns.max(), rows.max()]]
    assert np.abs(box - truth).max() <= 2
    assert labels.tolist() == [2, 3]


def test_poses_never_show_an_object_said_to_be_trainable_is_unusable():
    below = replace(standing(), poses=standing().poses - np.eye(30)[25])
    with pytest.raises(ValueError, match="check the poses"):
        draw_clip(below, tiny(), False, np.random.default_rng(0))


def test_recorded_poses_are_of_the_training_objects_alone():
    poses = record_poses(1, first_seed=0, steps=2)
    assert isinstance(poses, Poses)
    assert poses.objects == tuple(object_names("train"))
    assert poses.poses.shape == (7, 2, 30)
    assert np.isfinite(poses.poses).all()


def test_seeds_of_evaluation_are_not_trained_on():
    with pytest.raises(ValueError, match="for evaluation"):
        record_poses(1, first_seed=999_999)
