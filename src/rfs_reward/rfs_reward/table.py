"""The table's plane, found in the depth and checked against the calibration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_policy.observation import WORKSPACE_BOX

from rfs_reward.frame import Frame

Array = NDArray[np.float64]

_SAMPLES = 1500  # points at most that a plane is fitted to
_AROUND = 0.04  # m: the table's top lies within this of z = 0, where the calibration puts it
_TILT = 0.05  # rad, the most by which calibration and table may disagree
_ENOUGH = 100  # points
_ROUNDS = 4
_NOISE = 0.0015, 0.01  # m, least and most spread of the depth that is believed


@dataclass(frozen=True, eq=False)
class Table:
    """z = slope @ (x, y) + offset, base frame, m; noise: standard deviation of the measured heights, m.

    found: whether it was seen in the depth; otherwise it is the calibration's.
    """

    slope: Array
    offset: float
    noise: float
    found: bool

    def heights(self, points: Array) -> Array:
        """Heights (...,) over the table, m, of points (..., 3)."""
        return points[..., 2] - points[..., :2] @ self.slope - self.offset


CALIBRATED = Table(np.zeros(2), 0.0, 0.004, False)
"""z = 0, where the base frame puts the table's top."""


def find_table(frame: Frame) -> Table:
    """The plane of the table's top; the calibration's where too little of it is seen or it lies elsewhere."""
    points = _candidates(frame)
    if len(points) < _ENOUGH:
        return CALIBRATED
    table = _fitted(points)
    center = 0.5 * (WORKSPACE_BOX[0] + WORKSPACE_BOX[1])[:2]
    height = float(center @ table.slope + table.offset)
    believable = np.linalg.norm(table.slope) < _TILT and abs(height) < _AROUND
    return table if believable and table.noise < _NOISE[1] else CALIBRATED


def _candidates(frame: Frame) -> Array:
    """Points (n, 3) in the workspace near z = 0, without the robot, thinned evenly."""
    count = int(np.isfinite(frame.depth).sum())
    step = max(1, round(np.sqrt(count / _SAMPLES)))
    depth, robot = frame.depth[::step, ::step], frame.robot[::step, ::step]
    valid = np.isfinite(depth) & ~robot
    points = frame.camera.position + frame.camera.rays[::step, ::step][valid] * depth[valid, None]
    low, high = WORKSPACE_BOX[0, :2], WORKSPACE_BOX[1, :2]
    inside = ((points[:, :2] > low) & (points[:, :2] < high)).all(1) & (np.abs(points[:, 2]) < _AROUND)
    return points[inside]


def _fitted(points: Array) -> Table:
    """Least squares, each round without the points that lie off the plane (objects' feet, holes' edges)."""
    kept, plane, noise = points, np.zeros(3), _AROUND
    for _ in range(_ROUNDS):
        design = np.column_stack([kept[:, :2], np.ones(len(kept))])
        plane = np.linalg.solve(design.T @ design + 1e-9 * np.eye(3), design.T @ kept[:, 2])
        off = points[:, 2] - points[:, :2] @ plane[:2] - plane[2]
        noise = 1.4826 * float(np.median(np.abs(off)))
        kept = points[np.abs(off) < max(3.0 * noise, _NOISE[0])]
    slope = np.asarray(plane[:2], np.float64)
    return Table(slope, float(plane[2]), max(noise, _NOISE[0]), True)
