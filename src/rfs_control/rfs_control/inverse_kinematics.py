"""Inverse kinematics of the arm: damped least squares with a null-space pull, batched over n robots."""

import numpy as np
from numpy.typing import NDArray

from rfs_description import kinematics, robot, rotations

Array = NDArray[np.float64]

JOINT_MARGIN = 0.02
"""Distance that targets keep from the arm's joint limits, rad."""
_LOWER = robot.ARM_LOWER + JOINT_MARGIN
_UPPER = robot.ARM_UPPER - JOINT_MARGIN
_HOME_PULL = 0.1
_LARGEST_ERROR = 0.3
_LARGEST_MOVE = 0.3
_DAMPING = 1e-4


def solve(q: Array, position: Array, rotation: Array, iterations: int = 2) -> tuple[Array, NDArray[np.bool_]]:
    """Joint targets that bring the palm to a pose near the present one.

    Two iterations a control step follow a moving pose to about 0.1 mm; a pose far away takes more. A pose out
    of reach leaves the palm near it, with joints inside their limits.

    Args:
        q: joint targets to start from (n, 7), rad.
        position, rotation: palm pose in the base frame (n, 3) in m, (n, 3, 3).

    Returns:
        Joint targets (n, 7), inside the joint limits by JOINT_MARGIN, and whether a limit stopped one (n,).
    """
    stopped = np.zeros(q.shape, dtype=bool)
    for _ in range(iterations):
        error, jacobian = _error_and_jacobian(q, position, rotation)
        pull = _HOME_PULL * (robot.ARM_HOME - q)
        move = _step(error, jacobian, pull)
        wanted = q + move
        stopped = (wanted < _LOWER) | (wanted > _UPPER)
        if stopped.any():  # what the stopped joints cannot do, the others take over
            fixed = np.where(stopped, np.clip(wanted, _LOWER, _UPPER) - q, 0.0)
            rest = error - (jacobian @ fixed[..., None])[..., 0]
            free = np.where(stopped[:, None], 0.0, jacobian)
            move = fixed + _step(rest, free, np.where(stopped, 0.0, pull))
        q = np.clip(q + np.clip(move, -_LARGEST_MOVE, _LARGEST_MOVE), _LOWER, _UPPER)
    return q, np.any(stopped, axis=1)


def _error_and_jacobian(q: Array, position: Array, rotation: Array) -> tuple[Array, Array]:
    """Pose error (n, 6), shortened so that a far pose is approached step by step, and Jacobian (n, 6, 7)."""
    current_position, current_rotation, jacobian = kinematics.forward_and_jacobian(q)
    turn = rotations.to_vector(rotation @ current_rotation.swapaxes(1, 2))
    error = np.concatenate([position - current_position, turn], axis=1)
    size = np.sqrt(np.einsum("ni,ni->n", error, error))
    return error * (_LARGEST_ERROR / np.maximum(size, _LARGEST_ERROR))[:, None], jacobian


def _step(error: Array, jacobian: Array, pull: Array) -> Array:
    """J'(JJ' + l I)^-1 (e - J n) + n: meets the error e, and the pull n where that leaves the palm alone.

    The damping l grows with the squared error (Sugihara 2011), which keeps poses out of reach from
    flipping the arm.
    """
    transposed = jacobian.swapaxes(1, 2)
    damping = _DAMPING + np.einsum("ni,ni->n", error, error)
    residual = error - (jacobian @ pull[..., None])[..., 0]
    twist = np.linalg.solve(jacobian @ transposed + damping[:, None, None] * np.eye(6), residual[..., None])
    return (transposed @ twist)[..., 0] + pull
