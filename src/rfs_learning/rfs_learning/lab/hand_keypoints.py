"""A tracked human hand in a recording: found, brought to 21 keypoints, and its palm's frame.

Keypoints are in MediaPipe's order: wrist; then thumb, index, middle, ring and little finger, four points each
from the root to the tip. OpenXR's 26 joints (Apple Vision Pro, Quest; `HAND_JOINT_NAMES` of Isaac Lab) hold
them too, with the palm and the roots of the four metacarpals besides.
"""

import numpy as np
from numpy.typing import NDArray

from rfs_learning.lab.demo_file import LabDemo

Array = NDArray[np.float64]

WRIST, THUMB_TIP = 0, 4
ROOTS = (5, 9, 13)
"""Knuckles of index, middle and ring finger."""
TIPS = (8, 12, 16)
_OPENXR = [1, 2, 3, 4, 5, *range(7, 11), *range(12, 16), *range(17, 21), *range(22, 26)]
_SHAPES = {
    (26, 7): _OPENXR,  # position, quaternion
    (26, 3): _OPENXR,
    (21, 3): list(range(21)),
}
_SIZE = (0.05, 0.14)  # m from wrist to middle knuckle, children's and large hands
_BENT_BACK = 0.02  # m: fingertips do not reach so far behind the palm


def find_hand(demo: LabDemo) -> Array | None:
    """Keypoints (T, 21, 3) of the right hand, m, in the scene's frame; None where no hand was recorded.

    It is looked for below obs, in arrays with "hand" or "keypoints" but not "left" in their names, and in the
    actions; flat rows are taken apart.

    Raises:
        ValueError: what was found is no right hand; the text says why.
    """
    names = [name for name in demo.observations if _is_hand(name)]
    candidates = {name: demo.observations[name] for name in names} | {"actions": demo.actions}
    for name, values in candidates.items():
        keypoints = _keypoints(values)
        if keypoints is not None:
            return _checked(_filled(keypoints, f"{demo.name}/{name}"), f"{demo.name}/{name}")
    return None


def palm_frame(keypoints: Array) -> tuple[Array, Array]:
    """Middle knuckle (T, 3) and the palm's axes (T, 3, 3), as columns, of right hands (T, 21, 3).

    As in this robot's palm frame: x along the fingers, z out of the palm's inner side.
    """
    index, middle, ring = (keypoints[:, root] for root in ROOTS)
    x = _unit(middle - keypoints[:, WRIST])
    z = _unit(np.cross(index - ring, x))
    return middle, np.stack([x, np.cross(z, x), z], axis=-1)


def _is_hand(name: str) -> bool:
    lower = name.lower()
    return ("hand" in lower or "keypoints" in lower) and "left" not in lower


def _keypoints(values: NDArray) -> Array | None:
    for shape, order in _SHAPES.items():
        if values.shape[1:] in (shape, (shape[0] * shape[1],)):
            points = np.asarray(values, np.float64).reshape(-1, *shape)[:, order, :3]
            return points
    return None


def _filled(keypoints: Array, what: str) -> Array:
    """Frames in which the hand was not tracked (all joints in one place, or not finite) repeat the last one
    before; the first ones, the first tracked one."""
    size = np.ptp(keypoints.reshape(len(keypoints), -1, 3), axis=1).max(axis=1)
    tracked = np.flatnonzero(np.isfinite(size) & (size > 0.01))
    if 2 * len(tracked) < len(keypoints):
        raise ValueError(
            f"{what}: the hand was tracked in {len(tracked)} of {len(keypoints)} frames only; record again"
        )
    last = np.searchsorted(tracked, np.arange(len(keypoints)), side="right") - 1
    return keypoints[tracked[np.maximum(last, 0)]]


def _checked(keypoints: Array, what: str) -> Array:
    middle, axes = palm_frame(keypoints)
    size = float(np.median(np.linalg.norm(middle - keypoints[:, WRIST], axis=1)))
    if not _SIZE[0] <= size <= _SIZE[1]:
        raise ValueError(
            f"{what}: {100 * size:.1f} cm from wrist to middle knuckle is no hand's: positions must be in m, "
            "joints in the order of OpenXR (26) or MediaPipe (21)"
        )
    tips = keypoints[:, TIPS].mean(axis=1) - middle
    inward = np.einsum("ti,ti->t", tips, axes[:, :, 2])
    if np.median(inward) < -_BENT_BACK:
        raise ValueError(f"{what} is a left hand: the robot has a right one; record the other hand")
    return keypoints


def _unit(vector: Array) -> Array:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
