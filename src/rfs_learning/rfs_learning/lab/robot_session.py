"""A recorded episode of this project's robot in Isaac Lab as a demonstration for `./rfs train flow`."""

import numpy as np
from numpy.typing import NDArray
from rfs_control.command import Command, compose
from rfs_control.limits import Limits
from rfs_description.robot import ARM_LOWER, ARM_UPPER, HAND_LOWER, HAND_UPPER, JOINTS
from rfs_policy.layout import ARM_JOINTS_23, DELTA_POSE
from rfs_policy.observation import proprioception

from rfs_description import kinematics, rotations

Array = NDArray[np.float64]

ACTION_SIZES = (DELTA_POSE.action_dim, ARM_JOINTS_23.action_dim)
"""Numbers in an action that drives this robot."""
_BEYOND_LIMIT = 0.1  # rad: simulated joints give way a little at their ends
_ASTRAY = 0.08  # m between palm and command: contacts and delays explain 3 cm


def require_robot(joints: Array, what: str) -> None:
    """Check joints (T, 23), rad, against this robot's ranges.

    Raises:
        ValueError: another number of joints, or one that is out of its range.
    """
    if joints.ndim != 2 or joints.shape[1] != len(JOINTS):
        raise ValueError(
            f"{what} has {joints.shape[-1]} joints, the FR3 with the LEAP hand has {len(JOINTS)}: "
            "a recording of another robot can be used only if it has a human hand in it"
        )
    lower, upper = np.append(ARM_LOWER, HAND_LOWER), np.append(ARM_UPPER, HAND_UPPER)
    out = (joints < lower - _BEYOND_LIMIT) | (joints > upper + _BEYOND_LIMIT)
    if out.any():
        row, joint = np.argwhere(out)[0]
        raise ValueError(
            f"{what} has {joints[row, joint]:.2f} rad for {JOINTS[joint]} in row {row}, out of its range: "
            "is it in another joint order? Name it in env_args with 'joint_names'"
        )


def follow(joints: Array, actions: Array, limits: Limits) -> tuple[NDArray, NDArray, NDArray]:
    """What actions of an episode meant: states (T, 48), labels (T, 22), executed actions (T, 22), float32.

    joints: (T + 1, 23) rad, measured before each action and at the end. actions: (T, 22) in the layout
    `delta_pose_22`, or (T, 23) joint targets in rad. As in `GraspTask`, the first command is where the robot
    is, and limits act on every action.

    Raises:
        ValueError: the palm did not go where the actions lead.
    """
    command, states, labels, executed = Command.from_joints(joints[:1]), [], [], []
    sent = command.as_sent()
    for step, action in enumerate(actions):
        states.append(proprioception(joints[step], sent.position[0], sent.rotation[0], sent.fingers[0]))
        labels.append(_as_delta(action, command))
        command, done, _ = compose(command, labels[-1][None], limits)
        executed.append(done[0])
        sent = command.as_sent()
        _require_near(joints[step + 1], sent, step)
    return tuple(np.asarray(rows, np.float32) for rows in (states, labels, executed))  # type: ignore[return-value]


def _as_delta(action: Array, command: Command) -> Array:
    """(22,) from where the command is, of an action of either layout."""
    if len(action) == DELTA_POSE.action_dim:
        return action
    if len(action) != ARM_JOINTS_23.action_dim:
        raise ValueError(
            f"its actions have {len(action)} numbers; known are {DELTA_POSE.action_dim} (palm and fingers) "
            f"and {ARM_JOINTS_23.action_dim} (joint targets)"
        )
    position, rotation = kinematics.forward(action[:7])
    turn = rotations.to_vector(rotation @ command.rotation[0].T)
    return np.concatenate([position - command.position[0], turn, action[7:]])


def _require_near(joints: Array, command: Command, step: int) -> None:
    position, _ = kinematics.forward(joints[:7])
    gap = float(np.linalg.norm(position - command.position[0]))
    if gap > _ASTRAY:
        raise ValueError(
            f"after action {step} the palm is {100 * gap:.0f} cm from where the actions lead: they have "
            "another meaning or scale than this project's (palm deltas in m and rad, finger targets in rad), "
            "or the joints another order"
        )
