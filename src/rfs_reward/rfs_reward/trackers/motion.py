"""Where the object has gone since the last frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rfs_reward.trackers.patch import Patch

Array = NDArray[np.float64]
Weights = NDArray[np.float32]

_SHIFTS = 4  # of the mean: it settles within these
_SLACK = 0.03  # m, how far the object moves by itself between two frames, apart from
_SPEED = 0.3  # m/s


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place (3,), m, and how many pixels show the object around it; reach: m, how uncertain it was."""

    center: Array
    mass: float
    score: float


def settle(points: Array, weights: Array, start: Array, radius: float, spread: float) -> Candidate:
    """Shift a place to the mean of the weighted points (n, 3) around it; far shifts count less."""
    center, mass = start, 0.0
    for _ in range(_SHIFTS):
        inside = ((points - center) ** 2).sum(1) < radius**2
        mass = float(weights[inside].sum())
        if mass < 1e-6:
            return Candidate(start, 0.0, 0.0)
        center = weights[inside] @ points[inside] / mass
    moved = float(np.linalg.norm(center - start))
    return Candidate(center, mass, mass * np.exp(-0.5 * (moved / spread) ** 2))


def spread_after(seconds: float) -> float:
    """m by which an object may move unseen."""
    return _SLACK + _SPEED * min(seconds, 2.0)


def densest(patch: Patch, weights: Weights, pixels: float) -> Array | None:
    """(3,) the point with most weight in a square of so many pixels around it; None without any weight."""
    side = max(3, int(pixels) | 1)
    density = cv2.boxFilter(weights, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    density = np.where(weights > 0.5, density, 0.0)
    best = np.unravel_index(int(density.argmax()), density.shape)
    return patch.points[best].astype(np.float64) if density[best] > 0 else None
