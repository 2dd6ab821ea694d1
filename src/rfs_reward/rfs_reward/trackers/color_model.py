"""How well a color fits an object: histograms of hue, saturation and, loosely, brightness."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bins = NDArray[np.int32]

_CHROMA, _LIGHT = 24, 8  # bins of each chromaticity, of brightness
_RANGE = 0.08, 0.75  # chromaticities that the bins cover; what is beyond counts into the last ones
_DARK = 12.0  # of 255: near black, noise has more to say about the hue than the surface
_FLOOR = 0.05  # share of a histogram that is spread evenly: no color is impossible
_MOST = 4.0  # natural logarithm of odds: no color is certain either


def color_bins(color: NDArray[np.uint8]) -> Bins:
    """Bin of each color (..., 3), RGB."""
    coarse = (color >> 2).astype(np.int32)
    return _bin_table()[(coarse[..., 0] << 12) | (coarse[..., 1] << 6) | coarse[..., 2]]


def histogram(bins: Bins) -> Array:
    """(24 * 24 * 8,) shares of the bins, smoothed over neighboring ones: noise moves colors there."""
    counts = np.bincount(bins.ravel(), minlength=_LIGHT * _CHROMA**2).astype(np.float64)
    cube = counts.reshape(_LIGHT, _CHROMA, _CHROMA)
    planes = np.stack([cv2.GaussianBlur(plane, (5, 5), 0.8) for plane in cube])
    up, down = np.roll(planes, 1, 0), np.roll(planes, -1, 0)
    up[0] = down[-1] = 0.0
    return _shares(0.6 * planes + 0.2 * up + 0.2 * down)


def any_light(shares: Array) -> Array:
    """The histogram of a surface that may turn away from the light: half of it is spread over brightness."""
    cube = shares.reshape(_LIGHT, -1)
    return _shares(0.5 * cube + 0.5 * cube.mean(0))


def log_odds(bins: Bins, wanted: Array, other: Array) -> NDArray[np.float32]:
    """Logarithm of the odds, within +-4, that colors are drawn from one histogram and not from the other."""
    odds = np.log(wanted + _FLOOR / wanted.size) - np.log(other + _FLOOR / other.size)
    return np.clip(odds, -_MOST, _MOST).astype(np.float32)[bins]


def _shares(counts: Array) -> Array:
    return counts.ravel() / max(float(counts.sum()), 1e-9)


@cache
def _bin_table() -> Bins:
    """Bin of each color of six bits a channel."""
    level = np.arange(64) * 4.0 + 2.0
    red, green, blue = np.meshgrid(level, level, level, indexing="ij")
    total = red + green + blue + 3 * _DARK
    first = _cut((red + _DARK) / total)
    second = _cut((green + _DARK) / total)
    light = (np.maximum(np.maximum(red, green), blue) * _LIGHT / 256).astype(np.int32)
    return ((light * _CHROMA + first) * _CHROMA + second).ravel()


def _cut(chroma: Array) -> Bins:
    scaled = (chroma - _RANGE[0]) / (_RANGE[1] - _RANGE[0]) * _CHROMA
    return np.clip(scaled, 0, _CHROMA - 1).astype(np.int32)
