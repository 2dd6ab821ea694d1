"""The privileged observation for learning in simulation (paper, appendix A.2.1): functions of batched
arrays."""

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import FINGERTIPS, JOINTS
from rfs_policy.layout import STATE_NAMES

from rfs_sim_bridge.engine import Array, EngineState

CONTACT_NAMES = ("index", "middle", "ring", "thumb", "palm")
PRIVILEGED_NAMES = (
    *STATE_NAMES,
    *(f"velocity/{name}" for name in JOINTS),
    *(f"object/{axis}" for axis in "xyz"),
    *(f"object/quaternion_{axis}" for axis in "xyzw"),
    *(f"object/linear_velocity_{axis}" for axis in "xyz"),
    *(f"object/angular_velocity_{axis}" for axis in "xyz"),
    *(f"target/{axis}" for axis in "xyz"),
    *(f"tip_to_object/{tip}_{axis}" for tip in FINGERTIPS for axis in "xyz"),
    *(f"contact/{name}" for name in CONTACT_NAMES),
)


def privileged(state: EngineState, proprioception: NDArray[np.float32], target: Array) -> NDArray[np.float32]:
    """(n, len(PRIVILEGED_NAMES)): proprioception (n, 48), velocities, object pose, target (n, 3),
    contacts."""
    tips = state.object_position[:, None] - state.fingertips
    parts = (
        proprioception,
        state.joint_velocities,
        state.object_position,
        state.object_quaternion,
        state.object_velocity,
        target,
        tips.reshape(len(tips), -1),
        state.contacts,
    )
    return np.concatenate([np.asarray(part, np.float32) for part in parts], axis=1)
