"""The center of an object from the side that a camera sees."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_reward.camera_correction import CameraCorrection
from rfs_reward.object_points import View, object_points
from rfs_reward.object_shape import learn
from rfs_reward.shape_registration import Pose, register
from rfs_reward.silhouette import Silhouette
from rfs_reward.trackers.segmentation import OBJECT
from scenes import NOMINAL, center, covered, frame

EXPECTED = 0.01, 0.1


def view(taken, camera=None) -> View:
    return View(camera or taken.camera, taken.depth, taken.segmentation == OBJECT, taken.robot)


@pytest.fixture(scope="module")
def can() -> View:
    return view(frame(0))


@pytest.mark.parametrize("name", ["sphere", "can", "tall_box", "egg", "dumbbell", "mug", "plush_bear"])
def test_the_center_lies_inside_not_on_the_visible_side(name: str) -> None:
    seen = view(frame(0, name=name))
    points = object_points(seen)
    found, _ = learn(points, seen, 0.0)
    truth = center(name=name)
    assert np.linalg.norm(found - truth) < 0.009
    assert np.linalg.norm(points.mean(0) - truth) > 0.015


@settings(max_examples=15, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-3.0, 3.0))
def test_moving_everything_moves_the_center(can: View, x: float, y: float, yaw: float) -> None:
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    shift = np.array([x, y, 0.0])
    camera = replace(
        can.camera, position=turn @ can.camera.position + shift, rotation=turn @ can.camera.rotation
    )
    elsewhere = replace(can, camera=camera)
    found, _ = learn(object_points(can), can, 0.0)
    moved, _ = learn(object_points(elsewhere), elsewhere, 0.0)
    np.testing.assert_allclose(moved, turn @ found + shift, atol=2e-3)


@pytest.mark.parametrize("moved", [(0.02, 0.0, 0.0), (-0.02, 0.01, 0.0), (0.0, 0.0, 0.03), (0.0, 0.03, 0.01)])
def test_a_known_shape_is_found_again_where_it_moved(can: View, moved: tuple[float, ...]) -> None:
    start, shape = learn(object_points(can), can, 0.0)
    later = view(frame(1, np.add((0.55, 0.1, 0.0), moved)))
    fit = register(object_points(later), Silhouette(later), shape, Pose(start, np.eye(3)), EXPECTED)
    assert fit.share > 0.8
    assert np.linalg.norm(fit.pose.center - start - moved) < 0.008


@pytest.mark.parametrize("side", ["left", "right", "upper", "lower"])
def test_half_an_object_says_where_the_whole_is(can: View, side: str) -> None:
    start, shape = learn(object_points(can), can, 0.0)
    rows, columns = np.nonzero(can.mask)
    hand = np.zeros_like(can.mask)
    row, column = int(rows.mean()), int(columns.mean())
    halves = {
        "left": np.s_[:, :column], "right": np.s_[:, column:],
        "upper": np.s_[:row], "lower": np.s_[row:],
    }  # fmt: skip
    hand[halves[side]] = can.mask[halves[side]]
    depth = np.where(hand, can.depth - 0.03, can.depth).astype(np.float32)
    half = View(can.camera, depth, can.mask & ~hand, can.robot | hand)
    points = object_points(half)
    assert 0 < len(points) < 0.7 * shape.visible
    away = Pose(np.add(start, [0.01, -0.005, 0.0]), np.eye(3))
    fit = register(points, Silhouette(half), shape, away, EXPECTED)
    assert np.linalg.norm(fit.pose.center - start) < 0.012
    assert np.linalg.norm(points.mean(0) - object_points(can).mean(0)) > 0.008


def test_points_leave_out_the_robot_and_what_hovers_between_surfaces() -> None:
    taken = frame(0)
    seen = view(taken)
    assert len(object_points(view(covered(taken)))) == 0
    rows, columns = np.nonzero(seen.mask)
    depth = seen.depth.copy()
    depth[rows[len(rows) // 2], columns[len(rows) // 2]] += 0.06
    points = object_points(replace(seen, depth=depth))
    assert np.linalg.norm(points - center(), axis=1).max() < 0.075
    assert len(object_points(replace(seen, depth=np.full_like(depth, np.nan)))) == 0


@pytest.mark.parametrize("error", [((0.004, -0.005, 0.006), (0.006, 0.004, -0.005)), ((0,) * 3, (0,) * 3)])
def test_errors_of_the_calibration_are_found_from_robot_and_table(error) -> None:
    shift, turn = error
    correction = CameraCorrection(0.0)
    for number in range(3):
        camera = correction.camera(frame(number, shift=shift, turn=turn))
    np.testing.assert_allclose(camera.position - NOMINAL.position, shift, atol=4e-3)
    taken = frame(3, shift=shift, turn=turn)
    points = object_points(view(taken, camera))
    assert np.linalg.norm(learn(points, view(taken, camera), 0.0)[0] - center()) < 0.008


def test_a_picture_without_depth_leaves_the_calibration() -> None:
    taken = frame(0)
    blind = replace(taken, depth=np.full_like(taken.depth, np.nan))
    camera = CameraCorrection(0.0).camera(blind)
    np.testing.assert_allclose(camera.position, NOMINAL.position, atol=1e-9)
    np.testing.assert_allclose(camera.rotation, NOMINAL.rotation, atol=1e-9)


@pytest.mark.parametrize("height", [0.0, 0.02])
def test_frames_that_show_neither_robot_nor_table_do_not_count(height: float) -> None:
    shift, turn = (0.004, -0.005, 0.006), (0.006, 0.004, -0.005)
    correction = CameraCorrection(height)
    for number in range(3):
        taken = frame(number, shift=shift, turn=turn)
        blind = replace(taken, depth=np.full_like(taken.depth, np.nan))
        assert correction.camera(blind) is blind.camera
    camera = correction.camera(frame(3, shift=shift, turn=turn))
    np.testing.assert_allclose(camera.position - NOMINAL.position, np.add(shift, [0, 0, height]), atol=6e-3)


def test_a_wide_picture_is_thinned_to_the_same_place() -> None:
    step, camera = 4, replace(NOMINAL, intrinsics=np.diag([4.0, 4.0, 1.0]) @ NOMINAL.intrinsics)
    wide = replace(camera, width=4 * NOMINAL.width, height=4 * NOMINAL.height)
    assert wide.step(160) == step
    assert NOMINAL.thinned(NOMINAL.step(160)) is NOMINAL
    assert wide.thinned(step) is wide.thinned(step)
    np.testing.assert_allclose(wide.thinned(step).rays, wide.rays[::step, ::step], atol=1e-12)
    np.testing.assert_allclose(wide.thinned(step).rays, NOMINAL.rays, atol=1e-12)
