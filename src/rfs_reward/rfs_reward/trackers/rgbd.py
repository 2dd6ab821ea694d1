"""Tracks by color and depth, with OpenCV on one core: the default where no neural network runs."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rfs_reward.frame import Frame
from rfs_reward.robot_view import rim
from rfs_reward.table import Table, find_table
from rfs_reward.tracker import Track, check_prompt
from rfs_reward.trackers import evidence
from rfs_reward.trackers.known_object import KnownObject
from rfs_reward.trackers.patch import Patch, around, robot_core
from rfs_reward.trackers.prompted import prompted_mask
from rfs_reward.trackers.search import Search

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FEWEST = 5  # pixels of a mask


class RgbdTracker:
    """Follows the object's colors and points, knows robot and table, and that the palm may carry the object.

    Its memory is one histogram and a few numbers. What looks like the object but is not is kept in mind, so
    that it is not taken for it while the hand hides the object.
    """

    name = "rgbd"

    def __init__(self) -> None:
        self._object: KnownObject | None = None

    def reset(self) -> None:
        """Forget the object."""
        self._object = None

    def prompt(self, frame: Frame, points: ArrayLike | None = None, box: ArrayLike | None = None) -> Track:
        """Begin with the object at the points or in the box. PromptError as said by the interface."""
        check_prompt(frame, points, box)
        table = find_table(frame)
        mask = prompted_mask(frame, table, points, box)
        fresh = KnownObject.first_seen(frame, mask)
        fresh = replace(fresh, likes=Search(frame, table, fresh).likes(mask))
        track, self._object = _look(frame, table, fresh, fresh.center)
        return track

    def track(self, frame: Frame) -> Track:
        """Find the object again. ValueError before the first prompt."""
        if self._object is None:
            raise ValueError("nothing is tracked yet: prompt first")
        table = find_table(frame)
        searched = Search(frame, table, self._object)
        center = searched.center()
        if center is None:
            return _unseen(frame)
        track, known = _look(frame, table, self._object, center)
        self._object = replace(known, likes=searched.likes(track.mask)) if track.mask.any() else known
        return track


def _look(frame: Frame, table: Table, known: KnownObject, center: Array) -> tuple[Track, KnownObject]:
    """The object's pixels around a center (3,), m, and the object as it is known after seeing them."""
    window = around(frame.camera, center, 2.0 * known.radius)
    if not frame.depth[window].size:
        return _unseen(frame), known
    patch = Patch.of(frame, table, window, robot_core(frame))
    near = patch.distances(center) < 1.3 * known.radius
    odds = evidence.local_odds(patch, evidence.surrounding_colors(patch, known.colors, near))
    odds = odds + evidence.place_odds(patch, center, known.radius, known.likes)
    odds = evidence.with_neighbors(odds)
    measured = np.isfinite(patch.heights)
    chosen = _chosen(odds, measured, rim(frame.camera))
    if chosen.sum() < _FEWEST or not (chosen & measured).any():
        return _unseen(frame), known
    visible = min(1.0, float(chosen.sum()) / known.usual_pixels(frame.camera))
    confidence = float(np.sqrt(visible) * evidence.probabilities(odds[chosen]).mean())
    mask = np.zeros(frame.depth.shape, bool)
    mask[patch.window] = chosen
    seen = patch.points[chosen & measured].astype(np.float64)
    known = known.updated(frame, center, seen, visible)
    return Track(mask, confidence), known.with_colors(patch.bins[chosen & ~patch.robot], confidence)


def _chosen(odds: NDArray[np.float32], measured: Mask, reach: int) -> Mask:
    """(h, w) the object's pixels; where the depth is unknown, only beside those where it is known."""
    likely = odds > 0
    size = 2 * reach + 1
    beside = cv2.dilate((likely & measured).astype(np.uint8), np.ones((size, size), np.uint8))
    return likely & (measured | (beside > 0))


def _unseen(frame: Frame) -> Track:
    return Track(np.zeros(frame.depth.shape, bool), 0.0)
