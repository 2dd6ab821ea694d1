"""Where the object has gone since it was last seen."""

import cv2
import numpy as np
from numpy.typing import NDArray

from rfs_reward.frame import Frame
from rfs_reward.table import Table
from rfs_reward.trackers.evidence import local_odds, probabilities, surrounding_colors
from rfs_reward.trackers.known_object import KnownObject
from rfs_reward.trackers.patch import Patch, robot_core

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Weights = NDArray[np.float32]

_COARSE = 160  # pixels: wider pictures are searched at a fraction of their size
_SHIFTS = 4  # of the mean: it settles within these
_SLACK, _SPEED, _LONGEST = 0.03, 0.3, 3.0  # m, m/s, s: an object goes no farther by itself
_FALLING = 0.3  # of a way down: in 0.2 s things fall 20 cm
_HIDDEN = 0.08  # of the object's usual visible size: less is not believed
_FEWEST = 3.0  # pixels, the same
_ELSEWHERE = 0.3  # of the usual size that must be visible where nothing was expected
_LIKE = 0.3  # of the object's usual size: things of its look that are smaller are not minded
_MOST_LIKES = 4
_SAME = 0.05  # m: a thing of the same look that is this near to where one was is that one


class Search:
    """A frame searched for everything that looks like the object."""

    def __init__(self, frame: Frame, table: Table, known: KnownObject):
        step = -(-frame.camera.width // _COARSE)
        self._window = slice(None, None, step), slice(None, None, step)
        self._patch = Patch.of(frame, table, self._window, robot_core(frame))
        self._known, self._places = known, known.places(frame)
        self._weights = _weights(self._patch, known, self._places)
        self._usual = known.usual_pixels(frame.camera) / step**2
        self._spread = _SLACK + _SPEED * min(known.unseen_for(frame), _LONGEST)

    def center(self) -> Array | None:
        """Where the object is (3,), m; None: out of sight."""
        found = (self._patch, self._weights, self._known, self._places, self._usual, self._spread)
        center = _settled(*found)
        return _elsewhere(*found) if center is None else center

    def likes(self, mask: Mask) -> tuple[Array, ...]:
        """Centers (3,), m, of what looks like the object but is not in its mask (h, w): what is in sight now,
        and what was before and is hidden."""
        own = cv2.dilate(mask[self._window].astype(np.uint8), np.ones((3, 3), np.uint8))
        robot = cv2.dilate(self._patch.robot.astype(np.uint8), np.ones((5, 5), np.uint8))
        free = np.where((own > 0) | (robot > 0), np.float32(0), self._weights)
        found: list[Array] = []
        while len(found) < _MOST_LIKES and (best := _densest(self._patch, free, self._usual)) is not None:
            if best[1] < _LIKE * self._usual:
                break
            found.append(best[0])
            free = np.where(_within(self._patch, best[0], self._known.radius), np.float32(0), free)
        apart = self._known.radius
        hidden = [o for o in self._known.likes if all(np.linalg.norm(o - f) > apart for f in found)]
        return tuple((found + hidden)[:_MOST_LIKES])


def _weights(patch: Patch, known: KnownObject, places: list[Array]) -> Weights:
    """(h, w) probabilities that pixels with depth show something of the object's look."""
    near = np.zeros(patch.robot.shape, bool)
    for place in places:
        near |= _within(patch, place, 1.3 * known.radius)
    odds = local_odds(patch, surrounding_colors(patch, known.colors, near))
    weights = np.where(np.isfinite(patch.heights), probabilities(odds), 0.0)
    return np.where(weights > 0.3, weights, 0.0).astype(np.float32)


def _settled(
    patch: Patch, weights: Weights, known: KnownObject, places: list[Array], usual: float, spread: float
) -> Array | None:
    """The best place after each was shifted to the mean of the weights around it; far shifts count less."""
    weights = weights.copy()
    for like in known.likes:
        weights[_nearer(patch, like, places)] = 0.0
    points, masses = patch.points[weights > 0].astype(np.float64), weights[weights > 0].astype(np.float64)
    best, score = None, max(_HIDDEN * usual, _FEWEST)
    for place in places:
        center, mass = _shifted(points, masses, place, known.radius)
        fit = mass * np.exp(-0.5 * ((center - place) ** 2).sum() / spread**2)
        if fit > score:
            best, score = center, fit
    return best


def _shifted(points: Array, masses: Array, center: Array, radius: float) -> tuple[Array, float]:
    """Mean and mass of the points (n, 3) around a center, after some shifts of it."""
    mass = 0.0
    for _ in range(_SHIFTS):
        inside = ((points - center) ** 2).sum(1) < radius**2
        mass = float(masses[inside].sum())
        if mass == 0.0:
            break
        center = masses[inside] @ points[inside] / mass
    return center, mass


def _elsewhere(
    patch: Patch, weights: Weights, known: KnownObject, places: list[Array], usual: float, spread: float
) -> Array | None:
    """Where else it reappears, as far away as it may have gone; not where something else of its look was."""
    reach = np.exp(-0.5 * (_way(patch, places) / (2.0 * spread)) ** 2)
    free = weights * np.nan_to_num(reach).astype(np.float32)
    for like in known.likes:
        free[_within(patch, like, max(_SAME, known.radius))] = 0.0
    found = _densest(patch, free, usual)
    return found[0] if found is not None and found[1] > _ELSEWHERE * usual else None


def _densest(patch: Patch, weights: Weights, usual: float) -> tuple[Array, float] | None:
    """Mean (3,) and weight of the square as large as the object that has most weight; None without any."""
    side = max(3, round(np.sqrt(usual))) | 1
    density = cv2.boxFilter(weights, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    row, column = np.unravel_index(int(density.argmax()), density.shape)
    if not density[row, column] > 0:
        return None
    half = side // 2
    square = slice(max(0, row - half), row + half + 1), slice(max(0, column - half), column + half + 1)
    chosen = weights[square] > 0
    points, masses = patch.points[square][chosen].astype(np.float64), weights[square][chosen]
    return masses @ points / masses.sum(), float(masses.sum())


def _within(patch: Patch, center: Array, radius: float) -> Mask:
    """(h, w) pixels whose points lie within radius, m, of a center (3,)."""
    return _nearest(patch, [center]) < radius


def _nearest(patch: Patch, places: list[Array]) -> NDArray[np.float32]:
    """(h, w) m from each point to the nearest place."""
    return np.minimum.reduce([patch.distances(place) for place in places])


def _way(patch: Patch, places: list[Array]) -> NDArray[np.float32]:
    """(h, w) m from the nearest place to each point; down it costs less, for things that fall."""
    ways = [patch.points - place.astype(np.float32) for place in places]
    for way in ways:
        way[..., 2] *= np.where(way[..., 2] < 0, np.float32(_FALLING), np.float32(1))
    return np.minimum.reduce([np.sqrt(np.einsum("ijk,ijk->ij", way, way)) for way in ways])


def _nearer(patch: Patch, like: Array, places: list[Array]) -> Mask:
    """(h, w) pixels nearer to one of the object's likes than to any place where it may be."""
    return _nearest(patch, [like]) < _nearest(patch, places)
