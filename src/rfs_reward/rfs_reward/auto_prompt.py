"""Find the object without a person: what stands in the reset region and is neither table nor robot."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_policy.observation import WORKSPACE_BOX
from scipy.spatial import KDTree

from rfs_reward.frame import Frame
from rfs_reward.surfaces import filled, surfaces
from rfs_reward.table import find_table
from rfs_reward.tracker import PromptError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_WIDE = 160  # pixels of a row that are looked at: enough for objects, and noise is in no more places
_LOW = 3.0  # standard deviations of the table's noise: what is lower counts as table
_GAP = 0.02  # m between parts of one object
_SMALL = 0.0003  # m^2 of visible surface: smaller clusters are noise
_LARGE = 0.30  # m: a cluster larger than this is no object to grasp
_FOOT = 0.04  # m over the table, the most at which the lowest visible point of something standing is


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a tracker is prompted with, pixels: a box (4,) x_min, y_min, x_max, y_max, or points (n, 2); and
    the mask (h, w) that it stands for."""

    mask: Mask
    box: Array | None = None
    points: Array | None = None


@dataclass(frozen=True, eq=False)
class _Cluster:
    mask: Mask
    center: Array  # m
    extent: float  # m
    area: float  # m^2
    foot: float  # m over the table
    solid: bool  # wider than the mixed pixels along edges

    @property
    def stands(self) -> bool:
        return self.solid and self.area > _SMALL and self.extent < _LARGE and self.foot < _FOOT


def find_object(frame: Frame, workspace: ArrayLike = WORKSPACE_BOX) -> Prompt:
    """The one object in the workspace (2, 3): lower and upper corner, m, base frame.

    Raises:
        PromptError: nothing is there, or several things; the text says where.
    """
    if not np.isfinite(frame.depth).any():
        raise PromptError("the picture has no depth: check the camera, or prompt with a click once it has")
    thin, step = frame.thinned(_WIDE), frame.camera.step(_WIDE)
    clusters = [c for c in _clusters(thin, np.asarray(workspace)) if c.stands]
    if not clusters:
        raise PromptError("nothing stands on the table in the workspace: place the object, or click on it")
    if len(clusters) > 1:
        places = "; ".join("x {:.2f} y {:.2f} z {:.2f} m".format(*c.center) for c in clusters)
        raise PromptError(
            f"{len(clusters)} things stand in the workspace ({places}): click on one, or give a box"
        )
    v, u = np.nonzero(clusters[0].mask)
    mask = clusters[0].mask.repeat(step, 0).repeat(step, 1)[: frame.camera.height, : frame.camera.width]
    return Prompt(mask, box=step * np.array([u.min(), v.min(), u.max() + 1, v.max() + 1], np.float64))


def _clusters(frame: Frame, workspace: Array) -> list[_Cluster]:
    """What stands in the workspace, largest first."""
    depth = filled(frame.depth)
    points = frame.camera.position + frame.camera.rays * depth[..., None]
    table = find_table(frame)
    inside = ((points[..., :2] > workspace[0, :2]) & (points[..., :2] < workspace[1, :2])).all(-1)
    heights = table.heights(points)
    standing = inside & (heights > _LOW * table.noise) & (points[..., 2] < workspace[1, 2]) & ~frame.robot
    labels, count = surfaces(depth, standing)
    groups = _joined([points[labels == k] for k in range(count)])
    found = [_cluster(frame, np.isin(labels, group), points, heights) for group in groups]
    return sorted(found, key=lambda cluster: -cluster.area)


def _joined(parts: list[Array]) -> list[list[int]]:
    """Groups of parts (n, 3) that lie within a small gap of each other."""
    low, high = (np.array([bound(p, 0) for p in parts]).reshape(-1, 3) for bound in (np.min, np.max))
    beside = np.asarray((low[:, None] - high[None] < _GAP).all(-1))
    beside &= beside.T  # only their boxes; noise has hundreds of parts
    groups: list[list[int]] = []
    for index, points in enumerate(parts):
        near = [g for g in groups if any(beside[index, k] and _gap(points, parts[k]) < _GAP for k in g)]
        groups = [g for g in groups if g not in near] + [sum(near, [index])]
    return groups


def _gap(a: Array, b: Array) -> float:
    """Smallest distance between points (n, 3) and (m, 3)."""
    return float(KDTree(a).query(b)[0].min())


def _cluster(frame: Frame, mask: Mask, points: Array, heights: Array) -> _Cluster:
    inside = points[mask]
    distance = np.linalg.norm(inside - frame.camera.position, axis=1)
    area = float((distance**2).sum() / (frame.camera.intrinsics[0, 0] * frame.camera.intrinsics[1, 1]))
    solid = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).any()
    extent = float(np.ptp(inside, 0).max())
    return _Cluster(mask, np.median(inside, 0), extent, area, float(heights[mask].min()), bool(solid))
