"""Pictures, and the pixels that clicks mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_viewer.picture import pixels, rotation_of, with_cross, with_mask
from rfs_viewer.scene import assumed_camera, clicked_pixel, plane_center
from rfs_viewer.view import CameraModel
from scipy.spatial.transform import Rotation

SHAPE = (120, 160)
FOCAL = 152.4
INTRINSICS = np.array([[FOCAL, 0, 79.5], [0, FOCAL, 59.5], [0, 0, 1.0]])


@given(
    x=st.floats(0, 159),
    y=st.floats(0, 119),
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    eye=st.tuples(*[st.floats(-0.02, 0.02)] * 3),
)
def test_a_click_on_a_pixel_means_that_pixel(x: float, y: float, turn: tuple, eye: tuple) -> None:
    """From wherever the operator looks at the hung-up picture."""
    rotation = Rotation.from_rotvec(turn)
    camera = CameraModel(INTRINSICS, np.array([1.15, 0.6, 0.75]), np.roll(rotation.as_quat(), 1))
    on_plane = camera.position + rotation.apply(0.1 * np.linalg.solve(INTRINSICS, [x, y, 1.0]))
    origin = camera.position + np.array(eye)
    found = clicked_pixel(origin, on_plane - origin, camera, SHAPE)
    assert found == pytest.approx((x, y), abs=1e-6)


def test_a_click_beside_the_picture_means_nothing() -> None:
    camera = assumed_camera(SHAPE)
    forward = rotation_of(camera.wxyz)[:, 2]
    assert clicked_pixel(camera.position, -forward, camera, SHAPE) is None
    aside = rotation_of(camera.wxyz) @ np.array([2.0, 0, 1])
    assert clicked_pixel(camera.position, aside, camera, SHAPE) is None
    middle = clicked_pixel(camera.position, plane_center(camera, SHAPE) - camera.position, camera, SHAPE)
    assert middle == pytest.approx((79.5, 59.5))


@pytest.mark.parametrize(
    ("encoding", "data", "first"),
    [
        ("rgb8", [1, 2, 3], [1, 2, 3]),
        ("bgr8", [1, 2, 3], [3, 2, 1]),
        ("mono8", [7], [7, 7, 7]),
        ("bgra8", [1, 2, 3, 9], [3, 2, 1]),
    ],
)
def test_encodings(encoding: str, data: list[int], first: list[int]) -> None:
    row = bytes(data * 2) + b"\0"  # with a padding byte
    shown = pixels(row * 2, encoding, 2, 2, len(row))
    assert shown.shape == (2, 2, 3)
    assert (shown == first).all()


def test_images_that_cannot_be_shown_say_why() -> None:
    with pytest.raises(ValueError, match="32FC1"):
        pixels(b"", "32FC1", 1, 1, 4)
    with pytest.raises(ValueError, match="empty"):
        pixels(b"", "rgb8", 0, 0, 0)
    with pytest.raises(ValueError, match="shorter"):
        pixels(b"\0" * 5, "rgb8", 1, 2, 6)


def test_mask_and_cross_leave_the_rest_alone() -> None:
    color = np.full((*SHAPE, 3), 100, np.uint8)
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:20, 30:40] = 255
    changed = (with_mask(color, mask) != color).any(axis=2)
    assert (changed == (mask > 0)).all()
    assert with_mask(color, np.ones((3, 3), np.uint8)) is color
    assert with_cross(color, None) is color
    with_cross(color, (300.0, 200.0))  # clicked when the picture was larger
    crossed = (with_cross(color, (0.0, 119.0)) != color).any(axis=2)
    assert crossed[119, 0]
    assert crossed.sum() < 20
    assert (color == 100).all()
