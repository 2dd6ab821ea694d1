"""Composition of a delta-pose action with the last command, under the limits; batched over n robots."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_policy.layout import DELTA_POSE
from scipy.spatial.transform import Rotation

from rfs_control.limits import Limit, Limits
from rfs_description import kinematics, rotations

Array = NDArray[np.float64]

# A bound counts as exceeded beyond the rounding of float32 numbers in messages, so that an executed action
# that comes back from a recording is executed again without a flag.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Command:
    """Where n robots are told to be: palm pose in the base frame and finger joints.

    `position` (n, 3) in m, `rotation` (n, 3, 3), `fingers` (n, 16) in rad. Never changed in place.
    """

    position: Array
    rotation: Array
    fingers: Array

    @classmethod
    def from_joints(cls, joints: ArrayLike) -> "Command":
        """Latch the command at joint positions (n, 23) in rad, in the order of `robot.JOINTS`."""
        joints = np.asarray(joints, dtype=np.float64)
        position, rotation = kinematics.forward(joints[:, :7])
        return cls(position, rotation, joints[:, 7:].copy())

    def as_sent(self) -> "Command":
        """The same after a trip through messages, which carry quaternions: a rotation may differ in its last
        bits. Contacts amplify those, so whoever stands in for the nodes sends its commands through here."""
        rotation = Rotation.from_quat(Rotation.from_matrix(self.rotation).as_quat()).as_matrix()
        return Command(self.position, rotation, self.fingers)


def compose(command: Command, action: ArrayLike, limits: Limits) -> tuple[Command, Array, NDArray[np.uint32]]:
    """Apply an action (n, 22) in the layout `DELTA_POSE` to a command of n robots.

    Returns the next command, the executed action (n, 22), which leads there without any limit, and the
    `Limit` bits (n,) that acted. A command outside the workspace or a finger range (latched from measured
    joints, say) may stay or come back, but not go further out.

    Raises:
        ValueError: the action has another shape or is not finite.
    """
    action = _checked(action, len(command.position))
    translation, long = _shortened(action[:, :3], limits.translation_step)
    rotation, wide = _shortened(action[:, 3:6], limits.rotation_step)
    position, outside = _kept_in_workspace(command.position, translation, limits)
    fingers, out_of_range, fast = _limited_fingers(command.fingers, action[:, 6:], limits)
    flags = (
        long * np.uint32(Limit.TRANSLATION)
        | wide * np.uint32(Limit.ROTATION)
        | outside * np.uint32(Limit.WORKSPACE)
        | out_of_range * np.uint32(Limit.FINGER_RANGE)
        | fast * np.uint32(Limit.FINGER_SPEED)
    )
    turned = rotations.orthonormalize(rotations.from_vector(rotation) @ command.rotation)
    executed = np.concatenate([position - command.position, rotation, fingers], axis=1)
    return Command(position, turned, fingers), executed, flags


def _checked(action: ArrayLike, robots: int) -> Array:
    checked = np.asarray(action, dtype=np.float64)
    if checked.shape != (robots, DELTA_POSE.action_dim):
        expected = (robots, DELTA_POSE.action_dim)
        raise ValueError(f"an action of {DELTA_POSE.name} must have shape {expected}, got {checked.shape}")
    if not np.isfinite(checked).all():
        row, column = np.argwhere(~np.isfinite(checked))[0]
        raise ValueError(f"action {row} has {checked[row, column]} as {DELTA_POSE.action_names[column]}")
    return checked


def _shortened(vector: Array, longest: float) -> tuple[Array, NDArray[np.bool_]]:
    """Vectors (n, 3) no longer than `longest`, and which of them were longer."""
    length = np.sqrt(np.einsum("ni,ni->n", vector, vector))
    over = length > longest * (1 + _TOLERANCE)
    scale = np.where(over, longest / np.maximum(length, longest), 1.0)
    return vector * scale[:, None], over


def _kept_in_workspace(old: Array, translation: Array, limits: Limits) -> tuple[Array, NDArray[np.bool_]]:
    wanted = old + translation
    lower, upper = np.minimum(limits.workspace_lower, old), np.maximum(limits.workspace_upper, old)
    kept = np.clip(wanted, lower, upper)
    return kept, np.any(np.abs(kept - wanted) > _TOLERANCE, axis=1)


def _limited_fingers(
    old: Array, target: Array, limits: Limits
) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Finger targets (n, 16) within range and speed; which robots left the range; which were too fast."""
    ranged = np.clip(target, limits.finger_lower, limits.finger_upper)
    out_of_range = np.any(np.abs(ranged - target) > _TOLERANCE, axis=1)
    step = limits.finger_step
    fast = np.any(np.abs(ranged - old) > step + _TOLERANCE, axis=1)
    return old + np.clip(ranged - old, -step, step), out_of_range, fast
