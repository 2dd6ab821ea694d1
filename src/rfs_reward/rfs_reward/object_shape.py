"""The shape of an object learned from one side: what is visible, and its mirror image behind it.

A camera sees the near side alone, whose mean lies centimeters before the center. Most things that are
grasped look the same when turned by half a turn about a vertical axis (boxes, cans, bottles, balls, eggs),
so the axis is sought for which the visible points, turned, contradict nothing that is seen: they must not
float before a measured surface nor outside the mask, and should meet the surface where they can (symmetry
completion, Thrun and Wegbreit, 2005). Vertically the center is halfway between table and top.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from rfs_reward.object_points import View

Array = NDArray[np.float64]

_STANDING = 0.04  # m: an object whose lowest visible point is this near to the table stands on it
_TOP, _BOTTOM = 97, 3  # percentiles of the heights
_SURFACE = 0.003  # m by which a turned point may miss a measured surface
_BEYOND = 0.006  # m by which it may lie outside the mask
_HIDDEN, _WRONG = 1.0, 9.0  # most that a point costs behind a surface, and before it or outside the mask
_COARSE, _FINE = 0.005, 0.002  # m, steps of the search
_AHEAD, _ASIDE = (-0.015, 0.050), (-0.025, 0.025)  # m from the visible points' mean, away from the camera
_PATCH = 8  # points that tell a normal
_OUTLINE = 100  # points
_SHARPNESS = 8.0  # of the mean over the best candidates


@dataclass(frozen=True, eq=False)
class ObjectShape:
    """Points (n, 3) on the whole surface relative to the center, m; normals (n, 3) of either sign; and how
    many of the points one frame showed.

    outline: some of them, for where every one costs time.
    """

    points: Array
    normals: Array
    visible: int

    @classmethod
    def joined(cls, shapes: Sequence["ObjectShape"]) -> Self:
        """Several frames' shapes as one."""
        points = np.concatenate([shape.points for shape in shapes])
        normals = np.concatenate([shape.normals for shape in shapes])
        return cls(points, normals, max(shape.visible for shape in shapes))

    @cached_property
    def tree(self) -> KDTree:
        """Finds the nearest of the points."""
        return KDTree(self.points)

    @cached_property
    def outline(self) -> Array:
        """(k, 3) m, at most 100 of the points, evenly."""
        return self.points[:: -(-len(self.points) // _OUTLINE)]


def learn(points: Array, view: View, table: float) -> tuple[Array, ObjectShape]:
    """Center (3,) and shape of an object from its visible points (n, 3), m, over a table at a height, m."""
    middle = np.append(_axis(points, view), _middle_height(points, table))
    turned = np.column_stack([2 * middle[:2] - points[:, :2], points[:, 2]])
    whole = np.concatenate([points, turned]) - middle
    return middle, ObjectShape(whole, _normals(whole), len(points))


def _normals(points: Array) -> Array:
    """(n, 3) unit normals of the surface through points (n, 3), of either sign."""
    count = min(_PATCH, len(points))
    _, nearest = KDTree(points).query(points, k=count)
    around = points[nearest] - points[nearest].mean(1, keepdims=True)
    return np.linalg.eigh(around.transpose(0, 2, 1) @ around)[1][:, :, 0]


def _middle_height(points: Array, table: float) -> float:
    bottom, top = np.percentile(points[:, 2], [_BOTTOM, _TOP])
    return 0.5 * float(top + (table if bottom < table + _STANDING else bottom))


def _axis(points: Array, view: View) -> Array:
    """(2,) m, where the vertical axis of symmetry stands."""
    middle = points.mean(0)
    ahead = (middle - view.camera.position)[:2]
    ahead /= np.linalg.norm(ahead) + 1e-9
    across = np.stack([ahead, [-ahead[1], ahead[0]]])
    cost = _Cost(points, view)
    coarse = middle[:2] + _grid(_AHEAD, _ASIDE, _COARSE) @ across
    best = coarse[np.argmin(cost(coarse))]
    fine = best + _grid((-2 * _FINE, 2 * _FINE), (-2 * _FINE, 2 * _FINE), _FINE) @ across
    costs = cost(fine)
    weight = np.exp((costs.min() - costs) * len(points) / _SHARPNESS)
    return weight @ fine / weight.sum()


def _grid(first: tuple[float, float], second: tuple[float, float], step: float) -> Array:
    """(k, 2) all pairs of the two ranges, m."""
    a, b = (np.arange(low, high + step / 2, step) for low, high in (first, second))
    return np.stack(np.meshgrid(a, b), -1).reshape(-1, 2)


class _Cost:
    """How much points (n, 3), turned by half a turn about an axis, contradict a view; their mean."""

    def __init__(self, points: Array, view: View):
        self._points, self._view = points, view
        self._depth = np.where(view.mask & ~view.robot, view.depth, np.nan)
        outside = (~(view.mask | view.robot)).astype(np.uint8)
        pixel = np.linalg.norm(points.mean(0) - view.camera.position) / view.camera.intrinsics[0, 0]
        self._outside = cv2.distanceTransform(outside, cv2.DIST_L2, 3) * pixel

    def __call__(self, axes: Array) -> Array:
        """(k,) for axes (k, 2), m."""
        camera, count = self._view.camera, len(self._points)
        turned = np.empty((len(axes), count, 3))
        turned[..., :2] = 2 * axes[:, None] - self._points[:, :2]
        turned[..., 2] = self._points[:, 2]
        pixels, depth = camera.project(turned.reshape(-1, 3))
        u, v = np.rint(pixels).astype(np.intp).clip(0, [camera.width - 1, camera.height - 1]).T
        beyond, behind = self._outside[v, u], depth - self._depth[v, u]
        cost = np.minimum((behind / _SURFACE) ** 2, np.where(behind < 0, _WRONG, _HIDDEN))
        cost = np.where(np.isnan(behind), _HIDDEN, cost)
        outside = np.clip((beyond / _BEYOND) ** 2, _HIDDEN, _WRONG)
        return np.where(beyond > 0, outside, cost).reshape(len(axes), count).mean(1)
