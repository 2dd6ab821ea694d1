"""From a click or a box to the object's pixels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rfs_reward.frame import Frame
from rfs_reward.surfaces import filled, surfaces
from rfs_reward.table import Table
from rfs_reward.tracker import PromptError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LOW = 3.0  # standard deviations of the table's noise: what is lower counts as table
_LARGEST = 0.15  # m from the click: objects to grasp are smaller
_AROUND = 2  # pixels (of 160 across) by which a click may miss
_FEWEST = 5  # pixels with depth that an object must have


def prompted_mask(
    frame: Frame, table: Table, points: ArrayLike | None = None, box: ArrayLike | None = None
) -> Mask:
    """(h, w) what stands at the points (n, 2) or, mostly, in the box (4,).

    Raises:
        PromptError: nothing, the table or the robot is there.
    """
    depth = filled(frame.depth)
    heights = table.heights(frame.camera.position + frame.camera.rays * depth[..., None])
    standing = (heights > _LOW * table.noise) & ~frame.robot
    if box is not None:
        seeds = _in_box(depth.shape, np.asarray(box, np.float64))
    else:
        seeds = _at_points(frame, np.asarray(points, np.float64))
    labels, _ = surfaces(depth, standing)
    hit = labels[seeds & standing]
    if len(hit):
        found = _main_surface(labels, hit, box is not None)
        found = _within_reach(frame, depth, found, seeds & found)
        if (found & np.isfinite(frame.depth)).sum() >= _FEWEST:
            return found
    raise PromptError(_nothing(frame, seeds))


def _at_points(frame: Frame, points: Array) -> Mask:
    """(h, w) the pixels around each point."""
    seeds = np.zeros(frame.depth.shape, bool)
    slack = max(1, round(_AROUND * frame.camera.width / 160))
    for x, y in np.round(points).astype(int):
        seeds[max(0, y - slack) : y + slack + 1, max(0, x - slack) : x + slack + 1] = True
    return seeds


def _in_box(shape: tuple[int, ...], box: Array) -> Mask:
    """(h, w) the pixels in the box."""
    seeds = np.zeros(shape, bool)
    x_min, y_min, x_max, y_max = np.maximum(np.round(box), 0).astype(int)
    seeds[y_min : y_max + 1, x_min : x_max + 1] = True
    return seeds


def _main_surface(labels: NDArray[np.int32], hit: NDArray[np.int32], boxed: bool) -> Mask:
    """A box's surfaces that lie mostly in it; the surface that most of the clicked pixels show."""
    counts = np.bincount(hit)
    if not boxed:
        return labels == counts.argmax()
    sizes = np.bincount(labels[labels >= 0], minlength=len(counts))[: len(counts)]
    inside = counts > 0.5 * np.maximum(sizes, 1)
    inside[counts.argmax()] = True
    return np.isin(labels, np.flatnonzero(inside))


def _within_reach(frame: Frame, depth: NDArray[np.float32], found: Mask, seeds: Mask) -> Mask:
    """Without what is too far from the seeds to be the same object."""
    middle = np.median(frame.camera.points(depth, seeds), 0)
    points = frame.camera.position + frame.camera.rays * depth[..., None]
    with np.errstate(invalid="ignore"):
        return found & (np.linalg.norm(points - middle, axis=-1) < _LARGEST)


def _nothing(frame: Frame, seeds: Mask) -> str:
    """Why there is no object at the seeds."""
    if frame.robot[seeds].mean() > 0.5:
        return "the prompt shows the robot: click on the object, or give a box around it"
    if not np.isfinite(frame.depth[seeds]).any():
        return "the prompt shows nothing that has depth: click on the object, or check the depth camera"
    return "the prompt shows the table: click on the object, or give a box around it"
