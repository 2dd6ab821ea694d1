"""The camera's picture with the tracker's mask on it, and which of its pixels a click meant."""

import numpy as np
from numpy.typing import NDArray

from rfs_viewer.view import Array, CameraModel

_MASK_COLOR = np.array([64, 224, 120], np.float32)
_PROMPT_COLOR = (255, 64, 32)
_ENCODINGS = {
    "rgb8": [0, 1, 2],
    "bgr8": [2, 1, 0],
    "rgba8": [0, 1, 2],
    "bgra8": [2, 1, 0],
    "mono8": [0, 0, 0],
}
_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}


def pixels(data: bytes, encoding: str, height: int, width: int, step: int) -> NDArray[np.uint8]:
    """Colors (height, width, 3) of an image message's fields.

    Raises:
        ValueError: an encoding that is not shown, no pixels, or too few bytes.
    """
    if encoding not in _CHANNELS:
        raise ValueError(f"image: encoding '{encoding}' cannot be shown; known are {', '.join(_CHANNELS)}")
    channels = _CHANNELS[encoding]
    if not height * width or step < channels * width or len(data) < step * height:
        raise ValueError("image: it is empty, or data is shorter than height, width and step say")
    rows = np.frombuffer(data, np.uint8, step * height).reshape(height, step)
    return rows[:, : channels * width].reshape(height, width, channels)[..., _ENCODINGS[encoding]]


def with_mask(color: NDArray[np.uint8], mask: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The picture (h, w, 3), tinted where the mask (h, w) is not zero; a mask of another size is left out."""
    if mask is None or mask.shape != color.shape[:2]:
        return color
    tinted = color.copy()
    where = mask > 0
    tinted[where] = (0.5 * tinted[where] + 0.5 * _MASK_COLOR).astype(np.uint8)
    return tinted


def with_cross(color: NDArray[np.uint8], pixel: tuple[float, float] | None) -> NDArray[np.uint8]:
    """The picture with a cross at pixel (x, y), as much of it as lies inside."""
    if pixel is None:
        return color
    marked = color.copy()
    x, y = round(pixel[0]), round(pixel[1])
    arm = max(2, color.shape[1] // 40)
    marked[y : y + 1, max(0, x - arm) : x + arm + 1] = _PROMPT_COLOR
    marked[max(0, y - arm) : y + arm + 1, x : x + 1] = _PROMPT_COLOR
    return marked


def pixel_of(direction: Array, camera: CameraModel, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Pixel (x, y) that a ray from the camera (direction (3,), base frame) meets; None outside the picture of
    `shape` (h, w). Pixel centers lie at integers."""
    ray = rotation_of(camera.wxyz).T @ np.asarray(direction, np.float64)
    if ray[2] <= 0:
        return None
    x, y, _ = camera.intrinsics @ (ray / ray[2])
    inside = -0.5 <= x < shape[1] - 0.5 and -0.5 <= y < shape[0] - 0.5
    return (float(np.clip(x, 0, shape[1] - 1)), float(np.clip(y, 0, shape[0] - 1))) if inside else None


def rotation_of(wxyz: Array) -> Array:
    """(3, 3) rotation matrix of a unit quaternion."""
    w, x, y, z = wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
