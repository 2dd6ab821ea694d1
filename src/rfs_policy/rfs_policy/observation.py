"""What the policy observes: a point cloud of fixed size and a proprioceptive state. Base frame, m and rad."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rfs_policy.layout import STATE_NAMES

# Corners (lower, upper) of the workspace in the base frame, m. The table top is z = 0, just below the box.
WORKSPACE_BOX: NDArray[np.float64] = np.array([[0.25, -0.45, 0.005], [0.85, 0.45, 0.8]])

# Farthest-point sampling of a raw camera cloud is slow: thin it at random to this multiple first.
_THIN_FACTOR = 8


def proprioception(
    joint_positions: ArrayLike,
    command_position: ArrayLike,
    command_rotation: ArrayLike,
    command_fingers: ArrayLike,
) -> NDArray[np.float32]:
    """Assemble the state in the order of `layout.STATE_NAMES`.

    Args:
        joint_positions: (..., 23) measured joints, rad, order of `rfs_description.robot.JOINTS`.
        command_position: (..., 3) commanded palm position, m.
        command_rotation: (..., 3, 3) commanded palm orientation; its first two columns enter (6 numbers).
        command_fingers: (..., 16) commanded finger targets, rad.

    Returns:
        (..., 48) float32.
    """
    rotation = np.asarray(command_rotation)
    columns = np.swapaxes(rotation[..., :2], -1, -2).reshape(*rotation.shape[:-2], 6)
    parts = (joint_positions, command_position, columns, command_fingers)
    state = np.concatenate([np.asarray(part, np.float32) for part in parts], axis=-1)
    if state.shape[-1] != len(STATE_NAMES):
        raise ValueError(
            f"the state has {state.shape[-1]} numbers, {len(STATE_NAMES)} are expected: check the joints"
        )
    return state


def require_finite(values: ArrayLike, what: str) -> None:
    """Raise a ValueError that says how many entries of `what` are NaN or infinite."""
    bad = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise ValueError(f"{what} has {bad} NaN or infinite values: check the sensor or its driver")


def crop(points: NDArray[np.floating], box: NDArray[np.floating] = WORKSPACE_BOX) -> NDArray[np.floating]:
    """Points (m, 3) that lie inside box (2, 3: lower and upper corner); NaN points are outside."""
    return points[np.all((points >= box[0]) & (points <= box[1]), axis=1)]


def observed_cloud(points: NDArray[np.float32], n: int, stamp: int) -> NDArray[np.float32]:
    """The cloud (n, 3) that the policy sees of a published one (m, 3), m, stamped `stamp` (ns).

    One of the right size is taken as it is; others are cropped to the workspace and resampled, at random by
    the stamp alone: so a recorded cloud gives the same observation again.

    Raises:
        ValueError: nothing lies in the workspace.
    """
    return points if len(points) == n else fit_cloud(crop(points), n, np.random.default_rng(stamp))


def fit_cloud(points: NDArray[np.floating], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Bring a cloud to exactly n points.

    More points are reduced by farthest-point sampling (after random thinning of very large clouds), fewer are
    repeated at random, which a max-pooled encoder does not notice.

    Args:
        points: (m, 3) finite, m.

    Returns:
        (n, 3) float32. A cloud of n points is returned as it is.

    Raises:
        ValueError: the cloud is empty.
    """
    cloud = np.asarray(points, np.float32)
    count = len(cloud)
    if count == 0:
        raise ValueError("empty cloud: nothing lies in the workspace; check the camera and its extrinsics")
    if count < n:
        return np.concatenate([cloud, cloud[rng.integers(count, size=n - count)]])
    if count > n:
        return _farthest_points(cloud, n, rng)
    return cloud


def _farthest_points(cloud: NDArray[np.float32], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(n, 3) of (m, 3), m > n, spread evenly; starts at a random point."""
    import fpsample  # only needed for raw camera clouds, so the other processes start without it

    if len(cloud) > _THIN_FACTOR * n:
        cloud = cloud[rng.choice(len(cloud), _THIN_FACTOR * n, replace=False)]
    start = int(rng.integers(len(cloud)))
    return cloud[fpsample.bucket_fps_kdline_sampling(cloud, n, h=_tree_height(len(cloud)), start_idx=start)]


def _tree_height(count: int) -> int:
    """Height of fpsample's bucket tree: 5 suits thousands of points, few points allow less."""
    return max(1, min(5, count.bit_length() - 1))
