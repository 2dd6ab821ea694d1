"""Where the camera really is: the calibrated pose, moved until the depth shows the robot on its shapes.

One step of projective point-to-plane ICP (Rusinkiewicz and Levoy, 2001) minimizes, over a small rotation w
about the camera and a translation t of the measured points p,

    sum_i k_i (n_i . (p_i + w x (p_i - c) + t - q_i))^2 / s^2 + |t|^2 / s_t^2 + |w|^2 / s_w^2

with the robot's points q_i and normals n_i that the same rays hit, and Tukey's weights k_i. The last two
terms say how well the calibration is known: what the robot's shapes do not show stays as calibrated.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rfs_description import rotations
from rfs_reward.camera import PinholeCamera
from rfs_reward.robot_shapes import RobotShapes

Array = NDArray[np.float64]

POSITION_ERROR, ROTATION_ERROR = 0.003, 0.004
"""m, rad: standard deviations of the calibration's errors."""
_ROUNDS = (0.05, 0.03, 0.012)  # m: residuals beyond this are not the robot; one step each
_POINT_ERROR = 0.008  # m, of a point: more than its noise, since neighbors err alike
_GRAZING = 0.3  # cosine: steeper surfaces say little, and their edges mislead
_ENOUGH = 50  # points
_BELIEVED = 5.0  # standard deviations of the calibration's errors


def register(shapes: RobotShapes, camera: PinholeCamera, depth: NDArray[np.float32]) -> PinholeCamera:
    """The camera (h, w), moved to agree with depth (h, w), m, on the shapes as they are placed.

    Unchanged where too little of the robot is seen, or where it seems to be too far away to be it.
    """
    pixels = shapes.near(camera) & np.isfinite(depth)
    measured, rays = depth[pixels].astype(np.float64), camera.rays[pixels] @ camera.rotation
    moved = camera
    for limit in _ROUNDS:
        step = _step(shapes, moved, measured, rays @ moved.rotation.T, limit)
        if step is None:
            return camera
        turned = rotations.from_vector(step[:3]) @ moved.rotation
        moved = replace(moved, rotation=turned, position=moved.position + step[3:])
    return moved if _believable(camera, moved) else camera


def _step(
    shapes: RobotShapes, camera: PinholeCamera, measured: Array, rays: Array, limit: float
) -> Array | None:
    """(6,) w, rad, and t, m, from depths (n,) along rays (n, 3); None: too few points."""
    rendered, normals = shapes.cast_with_normals(camera.position, rays)
    cosine = np.einsum("ij,ij->i", normals, rays)
    residual = (measured - rendered) * cosine
    used = (np.abs(residual) < limit) & (np.abs(cosine) > _GRAZING * np.linalg.norm(rays, axis=1))
    if used.sum() < _ENOUGH:
        return None
    arms, normals, residual = rays[used] * measured[used, None], normals[used], residual[used]
    design = np.hstack([np.cross(arms, normals), normals])
    weights = ((1.0 - (residual / limit) ** 2) / _POINT_ERROR)[:, None] ** 2 * design
    prior = np.repeat([ROTATION_ERROR**-2.0, POSITION_ERROR**-2.0], 3)
    return np.linalg.solve(weights.T @ design + np.diag(prior), -weights.T @ residual)


def _believable(camera: PinholeCamera, moved: PinholeCamera) -> bool:
    """Whether the calibration may be wrong by so much."""
    cosine = 0.5 * (float(np.trace(moved.rotation @ camera.rotation.T)) - 1.0)
    turn, shift = np.arccos(np.clip(cosine, -1.0, 1.0)), np.linalg.norm(moved.position - camera.position)
    return bool(turn < _BELIEVED * ROTATION_ERROR and shift < _BELIEVED * POSITION_ERROR)
