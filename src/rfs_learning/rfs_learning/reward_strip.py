"""Pictures of an episode with the tracked mask, evenly spread over its time, in bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from rfs_reward.frame import Frame
from rfs_reward.judge import Judgement, Tracking

_COLORS = {
    Tracking.SEEN: "#1f9e6e",
    Tracking.HELD: "#e0a030",
    Tracking.WITH_PALM: "#3f7fd0",
    Tracking.LOST: "#c8443a",
    Tracking.NONE: "#8a94a0",
}
_MARGIN = 0.16  # of a picture's size, around centroid and palm
_WORDS = {Tracking.WITH_PALM: "with palm", Tracking.NONE: "not tracked"}


@dataclass(frozen=True, eq=False)
class Shot:
    """color (h, w, 3), mask (h, w), centroid and palm as pixels (x, y), NaN where not known."""

    stamp: int
    color: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    tracking: Tracking
    centroid: NDArray[np.float64]
    palm: NDArray[np.float64]


class Strip:
    """Keeps between `size` and 2 * size pictures of however many come. start: stamp of the first one, ns."""

    def __init__(self, size: int = 8) -> None:
        self.start = 0
        self._size, self._stride, self._count = size, 1, 0
        self._shots: list[Shot] = []

    def add(self, frame: Frame, judgement: Judgement) -> None:
        """Take a frame and what the judge made of it."""
        self.start = self.start or frame.stamp
        if self._count % self._stride == 0:
            if len(self._shots) == 2 * self._size:
                self._shots, self._stride = self._shots[::2], 2 * self._stride
            self._shots.append(_shot(frame, judgement))
        self._count += 1

    def shots(self) -> list[Shot]:
        """`size` of them, or fewer, in the order of time."""
        wanted = np.linspace(0, len(self._shots) - 1, min(self._size, len(self._shots)))
        return [self._shots[round(index)] for index in wanted]


def _shot(frame: Frame, judgement: Judgement) -> Shot:
    pixels, depth = frame.camera.project(np.stack([judgement.centroid, judgement.palm]))
    pixels[~(depth > 0)] = np.nan
    return Shot(frame.stamp, frame.color, judgement.mask, judgement.tracking, pixels[0], pixels[1])


def window(shots: Sequence[Shot]) -> tuple[float, float, float, float]:
    """left, right, bottom, top of the part of the pictures, of their own shape, in which things happen."""
    size = np.array(shots[0].mask.shape[::-1], np.float64)
    points = np.concatenate([[shot.centroid, shot.palm] for shot in shots])
    points = points[np.isfinite(points).all(1)]
    if len(points):
        low, high = points.min(0), points.max(0)
        share = min(1.0, max((high - low) / size) + 2 * _MARGIN)
        corner = np.clip((low + high - share * size) / 2, 0, (1 - share) * size) - 0.5
    else:
        share, corner = 1.0, np.full(2, -0.5)
    end = corner + share * size
    return float(corner[0]), float(end[0]), float(end[1]), float(corner[1])


def draw_shot(axes: Axes, shot: Shot, start: int, part: tuple[float, float, float, float]) -> None:
    """A part of the picture, the mask in the color of the tracking state, centroid (+) and palm (ring)."""
    color = _COLORS[shot.tracking]
    axes.imshow(shot.color, interpolation="bilinear")
    if shot.mask.any():
        axes.contourf(shot.mask, levels=[0.5, 1.5], colors=[color], alpha=0.35)
        axes.contour(shot.mask, levels=[0.5], colors=[color], linewidths=1.0)
    axes.plot(*shot.centroid, marker="+", color="white", markersize=7, markeredgewidth=1.4)
    axes.plot(*shot.palm, marker="o", color="white", markersize=5, markerfacecolor="none")
    axes.set(xlim=part[:2], ylim=part[2:], xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    words = f"{(shot.stamp - start) * 1e-9:.1f} s  {state_words(shot.tracking)}"
    axes.set_title(words, fontsize=7, color=color, pad=2)


def state_words(state: Tracking) -> str:
    """A state of tracking for people."""
    return _WORDS.get(state, state.name.lower())


def state_color(state: Tracking) -> str:
    """The color that stands for it."""
    return _COLORS[state]
