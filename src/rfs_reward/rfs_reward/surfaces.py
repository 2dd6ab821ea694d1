"""Connected surfaces in a depth picture."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Depth = NDArray[np.float32]
Mask = NDArray[np.bool_]

_STEP = 0.02  # m between neighboring pixels of one surface


def filled(depth: Depth) -> Depth:
    """Depth (h, w), m, with holes one pixel wide closed by the mean of their neighbors that are known."""
    known = np.isfinite(depth)
    count = cv2.boxFilter(
        known.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    values = np.where(known, depth, np.float32(0))
    total = cv2.boxFilter(values, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    enough = ~known & (count > 3.5)
    return np.where(enough, total / np.maximum(count, 1), depth).astype(np.float32)


def surfaces(depth: Depth, mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Labels (h, w) of the mask's connected surfaces, -1 outside, and their number.

    Neighbors, also over corners, belong together unless their depths, m, differ by 2 cm.
    """
    ids = np.full(mask.shape, -1, np.int32)
    count = int(mask.sum())
    ids[mask] = np.arange(count)
    rows, columns = [], []
    for here, there in _neighbors():
        near = (ids[here] >= 0) & (ids[there] >= 0) & (np.abs(depth[here] - depth[there]) < _STEP)
        rows.append(ids[here][near])
        columns.append(ids[there][near])
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(count, count))
    number, labels = connected_components(graph, directed=False)
    ids[mask] = labels
    return ids, number


def _neighbors() -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Pairs of views of a picture, shifted to the right, down and along both diagonals."""
    head, tail, whole = slice(None, -1), slice(1, None), slice(None)
    return [
        ((whole, head), (whole, tail)),
        ((head, whole), (tail, whole)),
        ((head, head), (tail, tail)),
        ((head, tail), (tail, head)),
    ]
