"""What the tracker sees, drawn: mask, object center, palm, and what it comes to."""

import cv2
import numpy as np
from numpy.typing import NDArray

from rfs_reward.camera import PinholeCamera
from rfs_reward.judge import Judgement
from rfs_reward.tracking import Tracking

Picture = NDArray[np.uint8]

_WIDTH = 640  # pixels at least, so that text can be read
_COLORS = {
    Tracking.SEEN: (64, 224, 120),
    Tracking.HELD: (255, 190, 40),
    Tracking.WITH_PALM: (80, 170, 255),
    Tracking.LOST: (255, 70, 60),
    Tracking.NONE: (190, 190, 190),
}
_PALM = (255, 120, 220)
_TEXT = (255, 255, 255)


def draw(color: Picture, judgement: Judgement, camera: PinholeCamera) -> Picture:
    """Color (h, w, 3) with the judgement on it, (k h, k w, 3) for a whole k that makes it wide enough."""
    scale = max(1, -(-_WIDTH // color.shape[1]))
    picture = np.repeat(np.repeat(color, scale, axis=0), scale, axis=1)
    tint = _COLORS[judgement.tracking]
    _draw_mask(picture, judgement.mask, scale, tint)
    for position, shade, marker in (
        (judgement.palm, _PALM, cv2.MARKER_DIAMOND),
        (judgement.centroid, tint, cv2.MARKER_CROSS),
    ):
        _draw_marker(picture, camera, position, scale, shade, marker)
    for line, text in enumerate(_lines(judgement)):
        _write(picture, text, 24 + 24 * line, tint if line == 0 else _TEXT)
    return picture


def _draw_mask(picture: Picture, mask: NDArray[np.bool_], scale: int, tint: tuple[int, int, int]) -> None:
    large = np.repeat(np.repeat(mask, scale, axis=0), scale, axis=1)
    picture[large] = (0.6 * picture[large] + 0.4 * np.array(tint)).astype(np.uint8)
    outlines, _ = cv2.findContours(large.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, tint, 2)


def _draw_marker(
    picture: Picture,
    camera: PinholeCamera,
    position: NDArray[np.float64],
    scale: int,
    shade: tuple[int, int, int],
    marker: int,
) -> None:
    """A point (3,), m, base frame, where it is known and in front of the camera."""
    pixels, depth = camera.project(position[None])
    place = (pixels[0] + 0.5) * scale
    if np.isfinite(place).all() and depth[0] > 0 and np.abs(place).max() < 4 * picture.shape[1]:
        at = (round(float(place[0])), round(float(place[1])))
        cv2.drawMarker(picture, at, (0, 0, 0), marker, 22, 5, cv2.LINE_AA)
        cv2.drawMarker(picture, at, shade, marker, 20, 2, cv2.LINE_AA)


def _lines(judgement: Judgement) -> list[str]:
    state = judgement.tracking.name.lower().replace("_", " ")
    head = f"{state}  confidence {judgement.confidence:.2f}" + ("  SUCCESS" if judgement.success else "")
    if not np.isfinite(judgement.reward):
        return [head, judgement.problem]
    return [head, f"reward {judgement.reward:.2f}  lift {100 * judgement.lift:.1f} cm"]


def _write(picture: Picture, text: str, row: int, shade: tuple[int, int, int]) -> None:
    for ink, width in (((0, 0, 0), 4), (shade, 1)):
        cv2.putText(picture, text, (10, row), cv2.FONT_HERSHEY_SIMPLEX, 0.55, ink, width, cv2.LINE_AA)
