"""Tracks by color and depth, with OpenCV on one core: the default where no neural network runs."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rfs_description import kinematics
from rfs_reward.frame import Frame
from rfs_reward.robot_view import rim
from rfs_reward.table import Table, find_table
from rfs_reward.tracker import Track, check_prompt
from rfs_reward.trackers import evidence, motion
from rfs_reward.trackers.color_model import color_bins, histogram
from rfs_reward.trackers.patch import Patch, around, robot_core
from rfs_reward.trackers.prompted import prompted_mask

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_COARSE = 160  # pixels: wider pictures are searched at a fraction of their size
_WITH_PALM = 0.16  # m: nearer than this to the palm, the object may move with it
_HIDDEN = 0.08  # of the object's usual visible size: less is not worth a mask
_FEWEST = 5  # pixels of a mask
_LEARN, _SURE = 0.05, 0.6  # rate at which colors are learned, and confidence from which on they are
_ROOM = 1.25, 0.015  # the radius of what was seen, and m, added for what was not


@dataclass(frozen=True, eq=False)
class _Object:
    """What is known: center (3,) and radius, m; visible size, m^2; colors; stamp, ns, at
    which it was last seen; palm pose then; centers of other things of the same look."""

    center: Array
    radius: float
    size: float
    colors: Array
    seen: int
    palm: tuple[Array, Array]


class RgbdTracker:
    """Follows the object's colors and points, knows the robot, the table and that the palm may carry it."""

    name = "rgbd"

    def __init__(self) -> None:
        self._object: _Object | None = None

    def reset(self) -> None:
        """Forget the object."""
        self._object = None

    def prompt(self, frame: Frame, points: ArrayLike | None = None, box: ArrayLike | None = None) -> Track:
        """Begin with the object at the points or in the box. PromptError as said by the interface."""
        check_prompt(frame, points, box)
        table = find_table(frame)
        mask = prompted_mask(frame, table, points, box)
        self._object = _first_look(frame, mask)
        return self._look(frame, table, self._object.center)

    def track(self, frame: Frame) -> Track:
        """Find the object again. ValueError before the first prompt."""
        if self._object is None:
            raise ValueError("nothing is tracked yet: prompt first")
        table = find_table(frame)
        center = self._search(frame, table, self._object)
        if center is None:
            return Track(np.zeros(frame.depth.shape, bool), 0.0)
        return self._look(frame, table, center)

    def _search(self, frame: Frame, table: Table, known: _Object) -> Array | None:
        """Where the object is (3,), m, from the whole picture at a coarse step; None: out of sight."""
        step = -(-frame.camera.width // _COARSE)
        whole = (slice(None, None, step), slice(None, None, step))
        patch = Patch.of(frame, table, whole, robot_core(frame))
        places = _places(frame, known)
        near = np.zeros(patch.robot.shape, bool)
        for place in places:
            near |= np.linalg.norm(patch.points - place, axis=-1) < 1.3 * known.radius
        colors = evidence.surrounding_colors(patch, known.colors, near)
        odds = evidence.local_odds(patch, colors)
        weights = np.where(np.isfinite(patch.heights), 1.0 / (1.0 + np.exp(-odds)), 0.0).astype(np.float32)
        chosen = weights > 0.3
        points, mass = patch.points[chosen].astype(np.float64), weights[chosen].astype(np.float64)
        away = (frame.stamp - known.seen) * 1e-9
        spread = motion.spread_after(away)
        found = [motion.settle(points, mass, place, known.radius, spread) for place in places]
        best = max(found, key=lambda candidate: candidate.score)
        z = float(np.linalg.norm(best.center - frame.camera.position))
        usual = known.size * (frame.camera.intrinsics[0, 0] / (step * z)) ** 2
        return best.center if best.score > max(_HIDDEN * usual, 3.0) else None

    def _look(self, frame: Frame, table: Table, center: Array) -> Track:
        """The object's pixels around a place, and what is learned from them."""
        known = self._object
        assert known is not None
        window = around(frame.camera, center, 2.0 * known.radius)
        patch = Patch.of(frame, table, window, robot_core(frame))
        near = np.linalg.norm(patch.points - center, axis=-1) < 1.3 * known.radius
        colors = evidence.surrounding_colors(patch, known.colors, near)
        odds = evidence.local_odds(patch, colors) + evidence.place_odds(patch, center, known.radius, [])
        odds = evidence.with_neighbors(odds)
        inside = _chosen(odds, np.isfinite(patch.heights), rim(frame.camera))
        mask = np.zeros(frame.depth.shape, bool)
        mask[window] = inside
        count = int(inside.sum())
        if count < _FEWEST:
            return Track(np.zeros(frame.depth.shape, bool), 0.0)
        z = float(np.linalg.norm(center - frame.camera.position))
        usual = known.size * (frame.camera.intrinsics[0, 0] / z) ** 2
        visible = min(1.0, count / usual)
        certainty = float((1.0 / (1.0 + np.exp(-odds[inside]))).mean())
        confidence = float(np.sqrt(visible) * certainty)
        seen = patch.points[inside & np.isfinite(patch.heights)].astype(np.float64)
        if len(seen):
            self._object = _updated(
                known, frame, seen, visible, confidence, patch.bins[inside & ~patch.robot], center
            )
        return Track(mask, confidence)


def _chosen(odds: NDArray[np.float32], known: Mask, reach: int) -> Mask:
    """(h, w) the object's pixels; where the depth is unknown, only beside those where it is known."""
    likely = odds > 0
    size = 2 * reach + 1
    beside = cv2.dilate((likely & known).astype(np.uint8), np.ones((size, size), np.uint8))
    return likely & (known | (beside > 0))


def _places(frame: Frame, known: _Object) -> list[Array]:
    """Where the object may be: where it was, and if the palm was near, where that took it."""
    palm, rotation = kinematics.forward(frame.joints[:7])
    before, turn = known.palm
    if np.linalg.norm(known.center - before) > _WITH_PALM:
        return [known.center]
    return [known.center, palm + rotation @ turn.T @ (known.center - before)]


def _first_look(frame: Frame, mask: Mask) -> _Object:
    points = frame.camera.points(frame.depth, mask)
    center = 0.5 * (points.min(0) + points.max(0))
    reach = float(np.linalg.norm(points - center, axis=1).max())
    z = float(np.linalg.norm(center - frame.camera.position))
    colors = histogram(color_bins(frame.color[mask]))
    return _Object(
        center,
        _ROOM[0] * reach + _ROOM[1],
        float(mask.sum()) * (z / frame.camera.intrinsics[0, 0]) ** 2,
        colors,
        frame.stamp,
        kinematics.forward(frame.joints[:7]),
    )


def _updated(
    known: _Object,
    frame: Frame,
    points: Array,
    visible: float,
    confidence: float,
    bins: NDArray,
    start: Array,
) -> _Object:
    """The place follows what is seen, the less the more of the object is hidden; colors only when sure."""
    mean = points.mean(0)
    center = start + min(1.0, visible) * (mean - start)
    colors = known.colors
    if confidence > _SURE:
        colors = (1 - _LEARN) * colors + _LEARN * histogram(bins)
    return replace(
        known, center=center, colors=colors, seen=frame.stamp, palm=kinematics.forward(frame.joints[:7])
    )
