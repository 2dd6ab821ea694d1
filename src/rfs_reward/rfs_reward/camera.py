"""A calibrated pinhole camera: between pixels, depth and points of the base frame."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """A camera without distortion, at a known place.

    intrinsics: (3, 3) matrix K, pixels; pixel centers lie at integers. position: (3,) m and rotation: (3, 3)
    of the optical frame (x right, y down, z forward) in the base frame. width, height: pixels.
    """

    intrinsics: Array
    position: Array
    rotation: Array
    width: int
    height: int

    @cached_property
    def rays(self) -> Array:
        """(height, width, 3) directions in the base frame, one unit of depth long."""
        u, v = np.meshgrid(np.arange(self.width), np.arange(self.height))
        pixels = np.stack([u, v, np.ones_like(u)], -1)
        return pixels @ np.linalg.inv(self.intrinsics).T @ self.rotation.T

    def points(self, depth: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> Array:
        """(n, 3) m, base frame: the pixels of depth (height, width), m, that are finite and in the mask."""
        valid = np.isfinite(depth) if mask is None else np.isfinite(depth) & mask
        return self.position + self.rays[valid] * depth[valid, None]

    def project(self, points: Array) -> tuple[Array, Array]:
        """Points (n, 3), m, base frame, to pixels (n, 2) as x, y and depths (n,), m, > 0 in front."""
        seen = (np.asarray(points) - self.position) @ self.rotation
        depth = seen[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = (seen @ self.intrinsics.T)[:, :2] / depth[:, None]
        return pixels, depth

    def step(self, widest: int) -> int:
        """Every how many pixels are taken, where at most `widest` in a row are wanted."""
        return -(-self.width // widest)

    def thinned(self, step: int) -> "PinholeCamera":
        """The camera of pictures [::step, ::step]; always the same object, whose rays are kept."""
        if step == 1:
            return self
        if step not in self._thinned:
            intrinsics = np.diag([1 / step, 1 / step, 1.0]) @ self.intrinsics
            size = -(-self.width // step), -(-self.height // step)
            self._thinned[step] = PinholeCamera(intrinsics, self.position, self.rotation, *size)
        return self._thinned[step]

    @cached_property
    def _thinned(self) -> dict[int, "PinholeCamera"]:
        return {}
