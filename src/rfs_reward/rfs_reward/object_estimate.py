"""Where the object's center is, from frame to frame: seen, hidden where it was, in the hand, or lost."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rfs_reward.object_points import View, object_points
from rfs_reward.object_shape import ObjectShape, learn
from rfs_reward.reward_config import ObjectConfig
from rfs_reward.shape_registration import TURNS, Fit, Pose, nearest_starts, register
from rfs_reward.silhouette import Silhouette
from rfs_reward.tracking import Tracking
from rfs_reward.visibility import seen_through

Array = NDArray[np.float64]

_FEWEST = 4  # points that say where an object is
_LARGEST = 0.35  # m: what is wider is no object to grasp
_STRAY = 0.05  # share of the points at either end that may lie anywhere
_LEARNED_FRAMES = 5  # its shape is learned from so many first frames, if it stands still
_STILL = 0.01  # m: within this it stands still
_FITS = 0.5  # share of the points that must lie on the shape
_GOOD = 0.005**2  # m^2: no other start needs to be tried
_BETTER = 0.8  # of the error that a less likely start must leave, to be believed
_EXPECTED = 0.01, 0.10  # m, rad: how well the next pose is expected
_ANYWHERE = 0.03, 0.30
_POOR = 0.012**2  # m^2: a fit this bad is none of its pose
_ENOUGH = 0.3  # of the points of a full view, from which on a turn can be told
_TRIED = 3  # starts of those that turn it
_HAND = 0.14  # m from palm to center: the hand may hold it
_RISEN = 0.015  # m over its first height: held by the hand, if that is near
_LESS_LIKELY = 0.1  # of the shape must be seen through more for the less likely place to be believed
_CONTRADICTED = 0.3  # share of the shape that is seen through: it is not there


@dataclass(frozen=True, eq=False)
class Estimate:
    """How the object is known, its center (3,) m (NaN: not known), and how far that is believed, 0 to 1."""

    tracking: Tracking
    center: Array
    belief: float

    @classmethod
    def unknown(cls, tracking: Tracking) -> Self:
        """Nothing is known."""
        return cls(tracking, np.full(3, np.nan), 0.0)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of the object: shape, last pose, mean (3,) of the points that were visible last (m), the
    palm's pose then, first height (m), whether it rose in the hand, and when (ns) it was last seen."""

    shape: ObjectShape
    pose: Pose
    middle: Array
    palm: Pose
    first_height: float
    in_hand: bool
    seen: int


class ObjectEstimator:
    """Learns the object's shape in the first frames and then registers it to what is visible of it."""

    def __init__(self, config: ObjectConfig):
        self._config = config
        self._learned: list[tuple[Array, ObjectShape]] = []
        self._known: _Known | None = None
        self._lost = self._another = False
        self._strange: int | None = None

    def expect_another(self) -> None:
        """The next view may show another object than before: it was prompted."""
        self._another = True

    def update(self, stamp: int, view: View, palm: Pose) -> Estimate:
        """Take a frame's view of the object at a stamp, ns, with the measured pose of the palm."""
        points = object_points(view)
        known, enough = self._known, _believable(points)
        if known is None:
            return self._begin(stamp, points, view, palm) if enough else Estimate.unknown(Tracking.LOST)
        expected = _expected(known, palm)
        fit = _fitted(points, view, known, expected) if enough else None
        if fit is not None:
            return self._with_sight(stamp, view, points, palm, fit, known)
        if enough and (self._another or self._is_strange(stamp)):
            return self._begin(stamp, points, view, palm)
        if not enough:
            self._strange = None
        return self._without_sight(stamp, view, palm, expected, known)

    def _is_strange(self, stamp: int) -> bool:
        """Whether something that is not of the known shape has been seen for long: a thing that fell over."""
        self._strange = stamp if self._strange is None else self._strange
        return (stamp - self._strange) * 1e-9 > self._config.lost_after

    # ---- seen ----
    def _begin(self, stamp: int, points: Array, view: View, palm: Pose) -> Estimate:
        """Learn an object that was not known, or not from this side."""
        self._learned.clear()
        shape, pose = self._learn(points, view)
        height = float(pose.center[2]) if self._known is None else self._known.first_height
        return self._seen(stamp, points, palm, shape, pose, height)

    def _learn(self, points: Array, view: View) -> tuple[ObjectShape, Pose]:
        """All frames' points as one shape, around the mean of their centers."""
        self._learned.append(learn(points, view, self._config.table_height))
        center = np.mean([center for center, _ in self._learned], 0)
        return ObjectShape.joined([shape for _, shape in self._learned]), Pose(center, np.eye(3))

    def _with_sight(
        self, stamp: int, view: View, points: Array, palm: Pose, fit: Fit, known: _Known
    ) -> Estimate:
        shape, pose = known.shape, fit.pose
        if self._may_learn(pose):
            shape, pose = self._learn(points, view)
        return self._seen(stamp, points, palm, shape, pose, known.first_height)

    def _seen(
        self, stamp: int, points: Array, palm: Pose, shape: ObjectShape, pose: Pose, first_height: float
    ) -> Estimate:
        in_hand = _near(pose, palm) and bool(pose.center[2] > first_height + _RISEN)
        self._known = _Known(shape, pose, points.mean(0), palm, first_height, in_hand, stamp)
        self._lost, self._another, self._strange = False, False, None
        return Estimate(Tracking.SEEN, pose.center, min(1.0, 2.0 * len(points) / shape.visible))

    def _may_learn(self, pose: Pose) -> bool:
        """Whether the object still stands where its shape was begun to be learned."""
        begun, _ = self._learned[0]
        return len(self._learned) < _LEARNED_FRAMES and bool(np.linalg.norm(pose.center - begun) < _STILL)

    # ---- not seen ----
    def _without_sight(
        self, stamp: int, view: View, palm: Pose, expected: list[Pose], known: _Known
    ) -> Estimate:
        age = (stamp - known.seen) * 1e-9
        through = [seen_through(pose.place(known.shape.outline), view) for pose in expected]
        chosen = int(np.argmin(np.add(through, _LESS_LIKELY * np.arange(len(expected)))))
        self._lost |= through[chosen] > _CONTRADICTED or age > self._config.lost_after
        if self._lost:
            return Estimate.unknown(Tracking.LOST)
        pose = expected[chosen]
        state = Tracking.HELD if pose is known.pose else Tracking.WITH_PALM
        middle = known.middle + pose.center - known.pose.center
        self._known = replace(known, pose=pose, middle=middle, palm=palm)
        return Estimate(state, pose.center, 0.5 * (1.0 - age / self._config.lost_after))


def _believable(points: Array) -> bool:
    """Whether points (n, 3) may be those of one object: some, and not of half the table."""
    if len(points) < _FEWEST:
        return False
    ordered, stray = np.sort(points, axis=0), int(_STRAY * len(points))
    return bool((ordered[-1 - stray] - ordered[stray] < _LARGEST).all())


def _near(pose: Pose, palm: Pose) -> bool:
    return bool(np.linalg.norm(pose.center - palm.center) < _HAND)


def _expected(known: _Known, palm: Pose) -> list[Pose]:
    """Where it may be now, likeliest first: where it was, and in the hand."""
    if not _near(known.pose, known.palm):
        return [known.pose]
    carried = known.pose.carried(known.palm, palm)
    return [carried, known.pose] if known.in_hand else [known.pose, carried]


def _fitted(points: Array, view: View, known: _Known, expected: list[Pose]) -> Fit | None:
    """The registration from the likeliest start that fits well, or else the best that fits at all.

    Closest points alone do not follow far: one start follows the mean of what is visible. Where none fits, as
    after a fall, it may be anywhere, and turned.
    """
    silhouette, middle = Silhouette(view), points.mean(0)
    followed = Pose(expected[0].center + middle - known.middle, expected[0].rotation)
    best = register(points, silhouette, known.shape, expected[0], _EXPECTED)
    for start in (*expected[1:], followed):
        if best.error < _GOOD:
            return best
        fit = register(points, silhouette, known.shape, start, _EXPECTED)
        if fit.error < _BETTER * best.error or fit.error < _GOOD:
            best = fit
    if best.error > _POOR:
        turns = TURNS if len(points) > _ENOUGH * known.shape.visible else TURNS[:1]
        turned = (Pose(middle, turn @ expected[0].rotation) for turn in turns)
        near = nearest_starts(points, silhouette, known.shape, turned, _TRIED)
        fits = [register(points, silhouette, known.shape, start, _ANYWHERE) for start in near]
        best = min([best, *fits], key=lambda fit: fit.error)
    return best if best.share >= _FITS else None
