"""Camera messages become frames whatever their encoding, and are refused in words when they cannot."""

import numpy as np
import pytest
from camera_messages import OPTICAL, camera_info, extrinsics, image
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rfs_reward.calibration import Calibration
from rfs_reward.camera import PinholeCamera
from rfs_reward.measurements import make_frame, read_camera, read_color, read_depth
from rfs_sim_bridge.pictures import Camera

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))
CAMERA = Camera(width=8, height=6)


class NoRobot:
    """Nothing of the robot is seen; remembers the depth that it was asked with."""

    def mask(self, camera, joints, depth=None):
        return np.zeros((camera.height, camera.width), bool)


def read(camera: Camera = CAMERA) -> PinholeCamera:
    return read_camera(camera_info(camera), extrinsics(camera))


@settings(deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))), st.integers(0, 5))
def test_every_encoding_gives_the_same_colors(rgb: np.ndarray, padding: int) -> None:
    alpha = np.full((*rgb.shape[:2], 1), 9, np.uint8)
    bgr = rgb[..., ::-1]
    for pixels, encoding in (
        (rgb, "rgb8"),
        (bgr, "bgr8"),
        (np.concatenate([rgb, alpha], -1), "rgba8"),
        (np.concatenate([bgr, alpha], -1), "bgra8"),
    ):
        np.testing.assert_array_equal(read_color(image(pixels, encoding, padding)), rgb)
    gray = read_color(image(rgb[..., 0], "mono8", padding))
    np.testing.assert_array_equal(gray, np.repeat(rgb[..., :1], 3, -1))


@settings(deadline=None)
@given(arrays(np.uint16, SHAPES, elements=st.integers(0, 9000)), st.integers(0, 5), st.booleans())
def test_depth_in_millimeters_and_in_meters_is_the_same(mm: np.ndarray, padding: int, big: bool) -> None:
    known = mm[mm > 0]
    order = ">" if big else "<"
    in_mm = image(mm.astype(f"{order}u2"), "16UC1", padding, is_bigendian=int(big))
    meters = np.where(mm > 0, mm * 1e-3, np.nan).astype(np.float32)
    in_m = image(meters.astype(f"{order}f4"), "32FC1", padding, is_bigendian=int(big))
    if known.size and np.median(known) <= 50:
        with pytest.raises(ValueError, match="must be in mm"):
            read_depth(in_mm)
        return
    np.testing.assert_allclose(read_depth(in_mm), meters, rtol=1e-6)
    np.testing.assert_array_equal(read_depth(in_m), meters)


@settings(deadline=None)
@given(arrays(np.float32, SHAPES, elements=st.sampled_from([0.0, -1.0, np.nan, np.inf, -np.inf, 0.8, 1.2])))
def test_holes_are_nan_however_they_are_told(depth: np.ndarray) -> None:
    known = np.isfinite(depth) & (depth > 0)
    result = read_depth(image(depth, "32FC1"))
    np.testing.assert_array_equal(np.isnan(result), ~known)
    np.testing.assert_array_equal(result[known], depth[known])


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (image(np.full((4, 4), 800.0, np.float32), "32FC1"), "32FC1 must be in m"),
        (image(np.full((4, 4), 2, np.uint16), "16UC1"), "16UC1 must be in mm"),
        (image(np.ones((4, 4), np.float32), "64FC1"), "not 16UC1 .mm. or 32FC1 .m."),
        (image(np.ones((4, 4), np.float32), "32FC1", data=b"123"), "shorter than"),
        (image(np.ones((4, 4), np.float32), "32FC1", step=3), "shorter than"),
        (image(np.ones((4, 4), np.float32), "32FC1", width=0), "empty"),
    ],
)
def test_bad_depth_is_named(message: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_depth(message)


@pytest.mark.parametrize("encoding", ["yuv422", "32FC1", ""])
def test_pictures_that_are_no_colors_are_named(encoding: str) -> None:
    with pytest.raises(ValueError, match="encoding"):
        read_color(image(np.zeros((2, 2, 3), np.uint8), encoding))


def test_the_camera_is_where_the_messages_say() -> None:
    camera = read()
    np.testing.assert_allclose(camera.position, CAMERA.position)
    np.testing.assert_allclose(camera.rotation, CAMERA.rotation, atol=1e-12)
    np.testing.assert_allclose(camera.rays.reshape(-1, 3), CAMERA.rays, atol=1e-12)


@pytest.mark.parametrize(
    ("info", "placed", "says"),
    [
        (camera_info(CAMERA, k=[0.0] * 9), extrinsics(CAMERA), "calibrate"),
        (camera_info(CAMERA, k=[np.nan] * 9), extrinsics(CAMERA), "calibrate"),
        (camera_info(CAMERA, width=0), extrinsics(CAMERA), "calibrate"),
        (camera_info(CAMERA, d=[0.1, 0, 0, 0, 0]), extrinsics(CAMERA), "distortion"),
        (camera_info(CAMERA), extrinsics(CAMERA, base="world"), "expected 'fr3_link0'"),
        (camera_info(CAMERA), extrinsics(CAMERA, child="left"), f"pictures are in '{OPTICAL}'"),
    ],
)
def test_a_camera_that_cannot_be_used_is_named(info: object, placed: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_camera(info, placed)


def test_a_quaternion_of_zeros_is_no_place() -> None:
    placed = extrinsics(CAMERA)
    placed.transform.rotation.w = placed.transform.rotation.x = 0.0
    placed.transform.rotation.y = placed.transform.rotation.z = 0.0
    with pytest.raises(ValueError, match="quaternion"):
        read_camera(camera_info(CAMERA), placed)


@settings(deadline=None)
@given(st.integers(1, 3))
def test_depth_of_another_resolution_is_sampled(times: int) -> None:
    """Every pixel of a finer or coarser depth picture that is taken lies where the color pixel does."""
    color = np.zeros((6, 8, 3), np.uint8)
    fine = np.arange(6 * 8 * times**2, dtype=np.float32).reshape(6 * times, 8 * times) + 1
    frame = make_frame(1, color, fine, read(), np.zeros(23), NoRobot())
    np.testing.assert_array_equal(frame.depth, fine[times // 2 :: times, times // 2 :: times])
    coarse = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
    frame = make_frame(1, color, coarse, read(), np.zeros(23), NoRobot())
    np.testing.assert_array_equal(frame.depth, coarse.repeat(2, 0).repeat(2, 1))


def test_sizes_that_do_not_fit_are_named() -> None:
    camera, depth = read(), np.ones((6, 8), np.float32)
    with pytest.raises(ValueError, match="camera_info is for 8 x 6"):
        make_frame(1, np.zeros((12, 16, 3), np.uint8), depth, camera, np.zeros(23), NoRobot())
    with pytest.raises(ValueError, match="alignment of depth to color"):
        make_frame(1, np.zeros((6, 8, 3), np.uint8), depth[:, :5], camera, np.zeros(23), NoRobot())


def test_calibration_says_what_is_missing_and_keeps_the_camera() -> None:
    calibration = Calibration()
    with pytest.raises(ValueError, match="camera_info"):
        _ = calibration.camera
    calibration.take_info(camera_info(CAMERA))
    with pytest.raises(ValueError, match="/camera/color/extrinsics"):
        _ = calibration.camera
    calibration.take_extrinsics(extrinsics(CAMERA))
    first = calibration.camera
    calibration.take_info(camera_info(CAMERA))
    assert calibration.camera is first
    other = Camera(width=16, height=12)
    calibration.take_info(camera_info(other))
    assert calibration.camera.width == 16
