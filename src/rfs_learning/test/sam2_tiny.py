"""A SAM2 small enough for tests, and poses without a simulation."""

from dataclasses import replace
from typing import Any

import numpy as np
from rfs_description.robot import ARM_HOME, HAND_HOME
from rfs_learning.sam2_config import Sam2Config
from rfs_learning.sam2_poses import Poses
from rfs_sim_bridge.objects import find_object


def tiny(**changes: Any) -> Sam2Config:
    """Settings for seconds instead of hours."""
    values = {"image_size": 64, "embed_dims": (8, 16, 32, 64), "blocks": (1, 1, 2, 1), "memory_layers": 1}
    values |= {"memories": 3, "frames": 3, "batch": 1, "steps": 6, "near": 0, "warmup": 1, "teacher": 4}
    values |= {"log_every": 2, "save_every": 2, "max_stride": 2}
    return replace(Sam2Config.load(), **(values | changes))


def standing(name: str = "box", steps: int = 8) -> Poses:
    """An episode of an object that slides over the table below a robot at rest."""
    spec = find_object(name)
    poses = np.zeros((1, steps, 30))
    poses[0, :, :23] = np.concatenate([ARM_HOME, HAND_HOME])
    poses[0, :, 23] = np.linspace(0.55, 0.62, steps)
    poses[0, :, 25] = spec.rest_height
    poses[0, :, 26:] = spec.rest_quaternion
    return Poses(poses, (name,))
