"""Cameras and their pictures, as data: no engine, no OpenGL."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BACKGROUND, ROBOT, OBJECT, TABLE = 0, 1, 2, 3


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks from `position` to `target` (m, base frame); fovy is the vertical angle,
    rad."""

    position: tuple[float, float, float] = (1.15, 0.60, 0.75)
    target: tuple[float, float, float] = (0.55, 0.0, 0.12)
    fovy: float = 0.75
    width: int = 160
    height: int = 120

    @property
    def focal_length(self) -> float:
        """Pixels, equal in both directions."""
        return 0.5 * self.height / np.tan(0.5 * self.fovy)

    @property
    def intrinsics(self) -> Array:
        """(3, 3) camera matrix K of the pinhole model, pixels; pixel centers lie at integers."""
        f = self.focal_length
        return np.array([[f, 0, 0.5 * (self.width - 1)], [0, f, 0.5 * (self.height - 1)], [0, 0, 1]])

    @cached_property
    def rotation(self) -> Array:
        """(3, 3) optical frame in the base frame: columns right, down, forward."""
        forward = np.subtract(self.target, self.position)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        length = np.linalg.norm(right)
        right = np.array([0.0, -1.0, 0.0]) if length < 1e-6 else right / length
        return np.stack([right, np.cross(forward, right), forward], axis=1)

    @cached_property
    def rays(self) -> Array:
        """(height * width, 3) directions in the base frame, one unit of depth long."""
        u, v = np.meshgrid(np.arange(self.width), np.arange(self.height))
        pixels = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3)
        return pixels @ np.linalg.inv(self.intrinsics).T @ self.rotation.T


@dataclass(frozen=True)
class Picture:
    """color (h, w, 3) uint8; depth (h, w) float32, m along the optical axis, NaN where nothing is;
    segmentation (h, w) uint8: 0 background, 1 robot, 2 object, 3 table."""

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    segmentation: NDArray[np.uint8]
