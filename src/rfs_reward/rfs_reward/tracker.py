"""The interface of object trackers."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rfs_reward.frame import Frame


class PromptError(ValueError):
    """A prompt that names no object; the text says what to do."""


@dataclass(frozen=True, eq=False)
class Track:
    """Where the object is in a frame: mask (h, w) bool, empty where it is not seen, and confidence 0 to 1."""

    mask: NDArray[np.bool_]
    confidence: float


class Tracker(Protocol):
    """Follows one object from frame to frame, in bounded memory."""

    name: str

    def prompt(self, frame: Frame, points: ArrayLike | None = None, box: ArrayLike | None = None) -> Track:
        """Begin (again) with the object at pixels (n, 2) as x, y, or in a box x_min, y_min, x_max, y_max.

        Raises:
            PromptError: neither or both given, outside the picture, or nothing there to track. What was
                tracked before goes on being tracked.
        """
        ...

    def track(self, frame: Frame) -> Track:
        """Find the object in the next frame. ValueError before the first prompt."""
        ...

    def reset(self) -> None:
        """Forget the object."""
        ...


def check_prompt(frame: Frame, points: ArrayLike | None, box: ArrayLike | None) -> None:
    """PromptError unless exactly one of points (n, 2) and box (4,) is given and lies in the picture."""
    height, width = frame.depth.shape
    if (points is None) == (box is None):
        raise PromptError("prompt with either points or a box")
    if box is not None:
        corners = np.asarray(box, np.float64)
        if corners.shape != (4,) or not np.isfinite(corners).all():
            raise PromptError("a box is four numbers: x_min, y_min, x_max, y_max")
        if not (corners[0] < corners[2] and corners[1] < corners[3]):
            raise PromptError(f"the box {corners.tolist()} is empty: give x_min, y_min, x_max, y_max")
        inside = corners[0] < width and corners[1] < height and corners[2] >= 0 and corners[3] >= 0
    else:
        pixels = np.asarray(points, np.float64)
        if pixels.ndim != 2 or pixels.shape[1] != 2 or not len(pixels) or not np.isfinite(pixels).all():
            raise PromptError("points are one or more pairs of pixel coordinates x, y")
        inside = bool(((pixels >= 0) & (pixels <= [width - 1, height - 1])).all())
    if not inside:
        raise PromptError(f"the prompt lies outside the picture of {width} x {height} pixels")
