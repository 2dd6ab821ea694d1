"""Batched rotations for hot paths: rotation vectors (..., 3) in radians and rotation matrices (..., 3, 3)."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def from_vector(vector: Array) -> Array:
    """Exponential map (Rodrigues' formula): rotation vectors (..., 3) to matrices (..., 3, 3)."""
    angle = np.sqrt(np.einsum("...i,...i->...", vector, vector))[..., None, None]
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    cross = _cross_matrix(vector)
    return np.eye(3) + first * cross + second * (cross @ cross)


def to_vector(matrix: Array) -> Array:
    """Logarithm: matrices (..., 3, 3) to rotation vectors (..., 3); meant for angles below about 3.1 rad."""
    twice_sine = np.stack(
        [
            matrix[..., 2, 1] - matrix[..., 1, 2],
            matrix[..., 0, 2] - matrix[..., 2, 0],
            matrix[..., 1, 0] - matrix[..., 0, 1],
        ],
        axis=-1,
    )
    sine = 0.5 * np.sqrt(np.einsum("...i,...i->...", twice_sine, twice_sine))
    cosine = 0.5 * (np.einsum("...ii->...", matrix) - 1.0)
    angle = np.arctan2(sine, cosine)
    scale = np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)
    return 0.5 * scale[..., None] * twice_sine


def orthonormalize(matrix: Array) -> Array:
    """One Newton step to the nearest rotation, R (3 I - R'R) / 2; keeps products of many rotations exact."""
    return matrix @ (1.5 * np.eye(3) - 0.5 * (np.swapaxes(matrix, -1, -2) @ matrix))


def _cross_matrix(vector: Array) -> Array:
    matrix = np.zeros((*vector.shape, 3))
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    matrix[..., 0, 1], matrix[..., 0, 2] = -z, y
    matrix[..., 1, 0], matrix[..., 1, 2] = z, -x
    matrix[..., 2, 0], matrix[..., 2, 1] = -y, x
    return matrix
