"""What the light tracker knows about the object it follows."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rfs_description import kinematics
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.trackers.color_model import Bins, color_bins, histogram

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ROOM = 1.25, 0.015  # times the radius of what was seen, plus m, for what was not
_LEARN, _SURE = 0.05, 0.6  # rate at which colors are learned, and confidence from which on they are
_WITH_PALM = 0.16  # m: nearer than this to the palm, the object may move with it


@dataclass(frozen=True, eq=False)
class KnownObject:
    """What is known of it.

    center (3,) and radius, m; size: visible area, m^2; colors: histogram; seen: stamp of the last frame that
    showed it, ns; palm: pose then; likes: centers (3,) of other things of the same look, m.
    """

    center: Array
    radius: float
    size: float
    colors: Array
    seen: int
    palm: tuple[Array, Array]
    likes: tuple[Array, ...] = ()

    @classmethod
    def first_seen(cls, frame: Frame, mask: Mask) -> Self:
        """From its pixels in a frame."""
        points = frame.camera.points(frame.depth, mask)
        center = 0.5 * (points.min(0) + points.max(0))
        reach = float(np.linalg.norm(points - center, axis=1).max())
        area = float(mask.sum()) / pixels_per_area(frame.camera, center)
        colors = histogram(color_bins(frame.color[mask]))
        return cls(center, _ROOM[0] * reach + _ROOM[1], area, colors, frame.stamp, _palm(frame))

    def usual_pixels(self, camera: PinholeCamera) -> float:
        """How many pixels it has when nothing hides it."""
        return self.size * pixels_per_area(camera, self.center)

    def unseen_for(self, frame: Frame) -> float:
        """s; 0 in a frame that is older."""
        return max(0.0, (frame.stamp - self.seen) * 1e-9)

    def places(self, frame: Frame) -> list[Array]:
        """Where it may be: where it was and, if the palm was near, where that would have taken it."""
        before, turn = self.palm
        if np.linalg.norm(self.center - before) > _WITH_PALM:
            return [self.center]
        palm, rotation = _palm(frame)
        return [self.center, palm + rotation @ turn.T @ (self.center - before)]

    def updated(self, frame: Frame, expected: Array, points: Array, visible: float) -> Self:
        """The center moves from where it was expected towards the mean of the points (n, 3) seen, by the
        visible share."""
        center = expected + visible * (points.mean(0) - expected)
        return replace(self, center=center, seen=frame.stamp, palm=_palm(frame))

    def with_colors(self, bins: Bins, confidence: float) -> Self:
        """Its colors changed a little towards those of its pixels, if they surely are its."""
        if confidence < _SURE or not bins.size:
            return self
        return replace(self, colors=(1 - _LEARN) * self.colors + _LEARN * histogram(bins))


def pixels_per_area(camera: PinholeCamera, point: Array) -> float:
    """Pixels per m^2 of a surface at a point (3,), m, that faces the camera."""
    return float(camera.intrinsics[0, 0] ** 2 / ((point - camera.position) ** 2).sum())


def _palm(frame: Frame) -> tuple[Array, Array]:
    return kinematics.forward(frame.joints[:7])
