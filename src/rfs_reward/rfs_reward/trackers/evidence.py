"""Logarithms of the odds that pixels show the object, from color, height, robot and place."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rfs_reward.trackers.color_model import any_light, histogram, log_odds
from rfs_reward.trackers.patch import Patch

Array = NDArray[np.float64]
Odds = NDArray[np.float32]

_STANDING, _LYING = 2.0, -6.0  # for a pixel well above the table, and one below it
_CLEAR = 2.5  # standard deviations of the table's heights at which neither is more likely
_RIM, _CORE = -4.0, -8.0  # for pixels where the robot must be, perhaps or certainly
_NEAR, _FAR = 1.0, -8.0  # for pixels within the object's radius, and well outside
_MARGIN = 0.35  # of the radius, over which the latter sets in
_NEIGHBORS = 1.5  # weight of the neighbors' mean odds, which are cut at:
_NEIGHBOR_LIMIT = 3.0


@dataclass(frozen=True, eq=False)
class Colors:
    """Histograms of color bins: of the object, and of what surrounds it now."""

    wanted: Array
    robot: Array
    other: Array


def surrounding_colors(patch: Patch, wanted: Array, object_near: NDArray[np.bool_]) -> Colors:
    """Colors of robot and rest in a patch, without the pixels that may show the object."""
    robot = histogram(patch.bins[patch.core])
    other = histogram(patch.bins[~patch.robot & ~object_near])
    return Colors(any_light(wanted), robot, other)


def local_odds(patch: Patch, colors: Colors) -> Odds:
    """(h, w) from each pixel by itself, wherever it is."""
    mixed = 0.5 * (colors.robot + colors.other)
    background = log_odds(patch.bins, colors.wanted, mixed)
    color = np.where(patch.robot, log_odds(patch.bins, colors.wanted, colors.robot), background)
    height = (patch.heights - _CLEAR * patch.noise) / patch.noise
    geometry = np.clip(np.nan_to_num(height, nan=0.0), _LYING, _STANDING)
    geometry = np.where(patch.robot, _RIM, geometry)
    return (color + np.where(patch.core, _CORE, geometry)).astype(np.float32)


def place_odds(patch: Patch, center: Array, radius: float, others: Sequence[Array]) -> Odds:
    """(h, w) from how far the points are from the object's center, and from the centers of its likes."""
    distance = patch.distances(center)
    beyond = (distance / radius - 1.0) / _MARGIN
    odds = np.nan_to_num(_NEAR + (_FAR - _NEAR) * np.clip(beyond, 0.0, 1.0), nan=0.0)
    for other in others:
        nearer = patch.distances(other) < distance
        odds = np.where(nearer, _FAR, odds)
    return odds.astype(np.float32)


def probabilities(odds: Odds) -> Odds:
    """From logarithms of odds."""
    return (1.0 / (1.0 + np.exp(-odds))).astype(np.float32)


def with_neighbors(odds: Odds) -> Odds:
    """(h, w) with what the eight neighbors say: holes and single wrong pixels follow them."""
    limited = np.clip(odds, -_NEIGHBOR_LIMIT, _NEIGHBOR_LIMIT)
    around = cv2.boxFilter(limited, -1, (3, 3), borderType=cv2.BORDER_REPLICATE)
    return (odds + _NEIGHBORS * around).astype(np.float32)
