"""A camera's pose corrected by the table it sees, whose height is known better than the calibration."""

from dataclasses import replace

import numpy as np

from rfs_description import rotations
from rfs_reward.camera import PinholeCamera
from rfs_reward.table import Table


def leveled(camera: PinholeCamera, table: Table, height: float) -> PinholeCamera:
    """The camera turned about itself and raised so that the table, found with the given camera, is level and
    at `height` (m, base frame).

    Errors of the calibration that leave the table where it is (along it, and about the vertical) remain.
    """
    normal = np.append(-table.slope, 1.0)
    length = np.linalg.norm(normal)
    normal /= length
    above = float(table.heights(camera.position)) / length
    axis = np.cross(normal, [0.0, 0.0, 1.0])
    sine = float(np.linalg.norm(axis))
    turn = rotations.from_vector(axis * (np.arcsin(sine) / sine if sine > 0 else 1.0))
    position = np.array([*camera.position[:2], height + above])
    return replace(camera, position=position, rotation=turn @ camera.rotation)
