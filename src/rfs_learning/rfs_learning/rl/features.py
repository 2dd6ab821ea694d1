"""Parts of the privileged observation that bases, action spaces and PPO look at."""

import torch
from rfs_description.robot import FINGERTIPS, HAND_JOINTS, JOINTS
from rfs_policy.layout import STATE_COMMAND_FINGERS, STATE_NAMES, STATE_PALM_POSITION, STATE_PALM_ROTATION
from rfs_sim_bridge.observations import CONTACT_NAMES, PRIVILEGED_NAMES
from torch import Tensor

_INDEX = {name: column for column, name in enumerate(PRIVILEGED_NAMES)}
OBJECT_POSITION = slice(_INDEX["object/x"], _INDEX["object/x"] + 3)
OBJECT_QUATERNION = slice(_INDEX["object/quaternion_x"], _INDEX["object/quaternion_x"] + 4)
TIPS_TO_OBJECT = slice(_INDEX[f"tip_to_object/{FINGERTIPS[0]}_x"], len(_INDEX) - len(CONTACT_NAMES))
MEASURED_FINGERS = slice(_INDEX[f"measured/{HAND_JOINTS[0]}"], _INDEX[f"measured/{HAND_JOINTS[-1]}"] + 1)
COMMAND_FINGERS = STATE_COMMAND_FINGERS
VELOCITIES = slice(len(STATE_NAMES), len(STATE_NAMES) + len(JOINTS))

HAND_BASE_NAMES = PRIVILEGED_NAMES[MEASURED_FINGERS]
"""What the base of the "hand" rows sees: finger joints (paper, appendix A.2.2)."""
HAND_ARM_BASE_NAMES = (*STATE_NAMES, *PRIVILEGED_NAMES[OBJECT_POSITION], *PRIVILEGED_NAMES[OBJECT_QUATERNION])
"""What the base of the "hand + arm" rows sees: proprioception and object pose."""


def columns(names: tuple[str, ...]) -> Tensor:
    """Indices of named columns of the privileged observation."""
    return torch.tensor([_INDEX[name] for name in names])


def palm_rotation(observation: Tensor) -> Tensor:
    """Commanded palm orientations (n, 3, 3) of observations (n, P)."""
    x, y = observation[:, STATE_PALM_ROTATION].reshape(-1, 2, 3).unbind(1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def policy_features(observation: Tensor) -> Tensor:
    """What PPO's networks see, (n, F): the privileged observation (n, P) with velocities scaled to about one,
    and object and fingertips in the commanded palm's frame (dm), which make reaching nearly linear."""
    rotation = palm_rotation(observation)
    to_object = observation[:, OBJECT_POSITION] - observation[:, STATE_PALM_POSITION]
    tips = observation[:, TIPS_TO_OBJECT].reshape(len(observation), -1, 3)
    local = torch.cat([to_object[:, None], tips], dim=1) @ rotation
    axes = _rotation_columns(observation[:, OBJECT_QUATERNION])
    local_axes = rotation.transpose(1, 2) @ axes
    scaled = observation.clone()
    scaled[:, VELOCITIES] *= 0.1
    return torch.cat([scaled, 10.0 * local.flatten(1), axes[:, :, 2], local_axes.flatten(1)], dim=1)


def _rotation_columns(quaternion: Tensor) -> Tensor:
    """Rotation matrices (n, 3, 3) of quaternions (n, 4), xyzw."""
    x, y, z, w = quaternion.unbind(1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], dim=1),
        torch.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], dim=1),
        torch.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], dim=1),
    ]
    return torch.stack(rows, dim=1)
