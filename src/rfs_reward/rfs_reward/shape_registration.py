"""Where a known shape is, from the part of it that is visible."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfs_description import rotations
from rfs_reward.object_shape import ObjectShape
from rfs_reward.silhouette import Silhouette

Array = NDArray[np.float64]

_SCALES = (0.040, 0.030, 0.020, 0.015, 0.012)  # m, beyond which a point counts less, round by round
_NOISE = 0.004  # m
_INDEPENDENT = 8.0  # a full view's points err together: they say as much as so many independent ones
_OUTLINE_NOISE = 0.004  # m, of the mask's edge
_FAR = 0.024  # m: what is farther away is not the object
_CLOSE = 0.012  # m: a point this near to the shape fits it


@dataclass(frozen=True, eq=False)
class Pose:
    """Center (3,) m and rotation (3, 3) of a shape in the base frame, from how it was learned."""

    center: Array
    rotation: Array

    def place(self, points: Array) -> Array:
        """Points (n, 3) of the shape in the base frame."""
        return self.center + points @ self.rotation.T

    def carried(self, old: "Pose", new: "Pose") -> "Pose":
        """Where this pose is after it moved with a frame that went from `old` to `new`."""
        turn = new.rotation @ old.rotation.T
        return Pose(
            new.center + turn @ (self.center - old.center), rotations.orthonormalize(turn @ self.rotation)
        )


@dataclass(frozen=True, eq=False)
class Fit:
    """A registered pose; share of the points that lie on the shape; mean squared distances, m^2, of points from
    the shape and of the shape from the silhouette, those of far ones cut."""

    pose: Pose
    share: float
    error: float


def register(
    points: Array, silhouette: Silhouette, shape: ObjectShape, expected: Pose, error: tuple[float, float]
) -> Fit:
    """Move the shape from where it is expected onto visible points (n, 3), n > 0, and into the silhouette.

    Iterated closest points with weights that fall with the distance, so that points of something else hardly
    count. error: standard deviations of what is expected, m and rad.
    """
    prior = np.repeat(np.array(error) ** -2.0, 3)
    of_point = _INDEPENDENT / max(shape.visible, len(points)) / _NOISE**2
    of_outline = _INDEPENDENT / len(shape.outline) / _OUTLINE_NOISE**2
    pose, moved = expected, np.zeros(6)
    for scale in _SCALES:
        distance, nearest = shape.tree.query((points - pose.center) @ pose.rotation)
        targets, outline = shape.points[nearest] @ pose.rotation.T, shape.outline @ pose.rotation.T
        pull = silhouette.pull(pose.center + outline)
        residuals = np.concatenate([points - pose.center - targets, pull])
        far = np.concatenate([distance / scale, np.linalg.norm(pull, axis=1) / _SCALES[0]])
        weights = np.repeat([of_point, of_outline], [len(points), len(outline)]) / (1.0 + far**2) ** 2
        step = _step(np.concatenate([targets, outline]), residuals, weights, prior, moved)
        pose = Pose(pose.center + step[:3], rotations.from_vector(step[3:]) @ pose.rotation)
        moved += step
    return _judged(points, silhouette, shape, pose)


def _judged(points: Array, silhouette: Silhouette, shape: ObjectShape, pose: Pose) -> Fit:
    distance, _ = shape.tree.query((points - pose.center) @ pose.rotation)
    outside = np.linalg.norm(silhouette.pull(pose.place(shape.outline)), axis=1)
    error = (np.minimum(distance, _FAR) ** 2).mean() + (np.minimum(outside, _FAR) ** 2).mean()
    return Fit(pose, float((distance < _CLOSE).mean()), float(error))


def _step(arms: Array, residuals: Array, weights: Array, prior: Array, moved: Array) -> Array:
    """(6,) translation and rotation vector of one Gauss-Newton step.

    It moves points at arms (n, 3) from the center by residuals (n, 3), weighted (n,), against the prior (6,) on
    what was moved so far (6,).
    """
    pull = weights @ arms
    spread = (weights[:, None] * arms).T @ arms
    left = np.diag(prior)
    left[:3, :3] += weights.sum() * np.eye(3)
    left[3:, 3:] += np.trace(spread) * np.eye(3) - spread
    left[3:, :3] = np.cross(pull, np.eye(3)).T
    left[:3, 3:] = left[3:, :3].T
    turning = weights @ np.cross(arms, residuals)
    return np.linalg.solve(left, np.concatenate([weights @ residuals, turning]) - prior * moved)
