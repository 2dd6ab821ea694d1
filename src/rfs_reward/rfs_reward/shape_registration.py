"""Where a known shape is, from the part of it that is visible."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from rfs_description import rotations
from rfs_reward.object_shape import ObjectShape
from rfs_reward.silhouette import Silhouette

Array = NDArray[np.float64]

_SCALES = 0.040, 0.030, 0.020, 0.015, 0.012, 0.012, 0.012  # m, round by round: farther points count less
_NOISE = 0.004  # m
_INDEPENDENT = 8.0  # a full view's points err together: they say as much as so many independent ones
_OUTLINE_NOISE = 0.004  # m, of the mask's edge
_SLIDING = 0.05  # share of a point's weight along the surface, where it tells little
_MOST = 100  # points of one view that are matched
_FEW = 30  # the same, where it is only asked which start is near
_SETTLED = 0.0005  # m: steps this small end the search
_FAR = 0.024  # m: what is farther away is not the object
_CLOSE = 0.012  # m: a point this near to the shape fits it

TURNS = Rotation.create_group("O").as_matrix()
"""(24, 3, 3) turns by right angles, none of them first."""


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
    """A registered pose; share of the points that lie on the shape; mean squared distances, m^2, of points
    from the shape and of the shape from the silhouette, those of far ones cut."""

    pose: Pose
    share: float
    error: float


def nearest_starts(
    points: Array, silhouette: Silhouette, shape: ObjectShape, starts: Iterable[Pose], count: int
) -> list[Pose]:
    """Those of the starts that are nearest to visible points (n, 3) and the silhouette, nearest first."""
    few = points[:: -(-len(points) // _FEW)]
    return sorted(starts, key=lambda start: _Match.at(start, few, silhouette, shape).error)[:count]


def register(
    points: Array, silhouette: Silhouette, shape: ObjectShape, expected: Pose, error: tuple[float, float]
) -> Fit:
    """Move the shape from where it is expected onto visible points (n, 3), n > 0, and into the silhouette.

    Iterated closest points with weights that fall with the distance, so that points of something else hardly
    count. error: standard deviations of what is expected, m and rad.
    """
    prior, step = np.repeat(np.array(error) ** -2.0, 3), -(-len(points) // _MOST)
    of_point = step * _INDEPENDENT / max(shape.visible, len(points)) / _NOISE**2
    pose, points, moved = expected, points[::step], np.zeros(6)
    match = _Match.at(pose, points, silhouette, shape)
    for scale in _SCALES:
        left, right = match.normal_equations(of_point, scale)
        motion = np.asarray(np.linalg.solve(left + np.diag(prior), right - prior * moved), np.float64)
        pose = Pose(pose.center + motion[:3], rotations.from_vector(motion[3:]) @ pose.rotation)
        moved += motion
        if np.abs(motion[:3]).max() < _SETTLED:
            break
        match = _Match.at(pose, points, silhouette, shape)
    return Fit(pose, float((match.distance < _CLOSE).mean()), match.error)


@dataclass(frozen=True, eq=False)
class _Match:
    """A shape in some pose beside what is seen: of visible points (n, 3) distance (n,) from the shape, the
    shape's nearest points from its center, the ways from there, and normals; of the shape's outline (k, 3)
    the points from its center, ways back into the silhouette, and their lengths (k,). m."""

    distance: Array
    targets: Array
    ways: Array
    normals: Array
    outline: Array
    pulls: Array
    outside: Array

    @classmethod
    def at(cls, pose: Pose, points: Array, silhouette: Silhouette, shape: ObjectShape) -> Self:
        """The shape in this pose."""
        points = points - pose.center
        distance, nearest = shape.tree.query(points @ pose.rotation)
        targets, outline = shape.points[nearest] @ pose.rotation.T, shape.outline @ pose.rotation.T
        normals, pulls = shape.normals[nearest] @ pose.rotation.T, silhouette.pull(pose.center + outline)
        outside = np.sqrt(np.einsum("ij,ij->i", pulls, pulls))
        return cls(distance, targets, points - targets, normals, outline, pulls, outside)

    @property
    def error(self) -> float:
        """m^2"""
        near, in_place = np.minimum(self.distance, _FAR), np.minimum(self.outside, _FAR)
        return float(near @ near / len(near) + in_place @ in_place / len(in_place))

    def normal_equations(self, of_point: float, scale: float) -> tuple[Array, Array]:
        """Those of the motion that brings all together; weight of a point, 1/m^2, and what is far, m."""
        of_outline = _INDEPENDENT / len(self.outline) / _OUTLINE_NOISE**2
        near = of_point / (1 + (self.distance / scale) ** 2) ** 2
        in_place = of_outline / (1 + (self.outside / _SCALES[0]) ** 2) ** 2
        return _normal_equations(
            np.concatenate([self.targets, self.outline]),
            np.concatenate([self.ways, self.pulls]),
            np.concatenate([self.normals, self.pulls / np.maximum(self.outside, 1e-9)[:, None]]),
            np.concatenate([near, in_place]),
        )


def _normal_equations(arms: Array, residuals: Array, normals: Array, weights: Array) -> tuple[Array, Array]:
    """(6, 6) and (6,) of the least-squares motion, translation and rotation vector, of points at arms (n, 3)
    from the center by residuals (n, 3): along normals (n, 3) fully, along the surface a little."""
    along = np.hstack([normals, _cross(arms, normals)])
    left = (weights[:, None] * along).T @ along
    right = (weights * np.einsum("ij,ij->i", normals, residuals)) @ along
    weak = _SLIDING * weights
    pull, spread = weak @ arms, (weak[:, None] * arms).T @ arms
    left[:3, :3] += weak.sum() * np.eye(3)
    left[3:, 3:] += np.trace(spread) * np.eye(3) - spread
    turn = _cross(pull[None], np.eye(3)).T
    left[3:, :3] += turn
    left[:3, 3:] += turn.T
    return left, right + np.concatenate([weak @ residuals, weak @ _cross(arms, residuals)])


def _cross(first: Array, second: Array) -> Array:
    """Cross products (n, 3); several times as fast as NumPy's for small n."""
    a, b = first[:, [1, 2, 0]], second[:, [2, 0, 1]]
    return a * b - first[:, [2, 0, 1]] * second[:, [1, 2, 0]]
