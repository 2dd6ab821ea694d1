"""From joint targets at the control rate to a motion at 1 kHz that an FR3 accepts.

Whoever drives the joints puts this between the executor's targets and the joints: the simulator bridge in
realtime, drivers of a real arm. Whatever targets come, and whenever, position, velocity and acceleration are
continuous, and velocity, acceleration and jerk stay inside the limits of `rfs_description.robot`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_description.robot import (
    ARM_ACCELERATION_LIMITS,
    ARM_JERK_LIMITS,
    ARM_LOWER,
    ARM_UPPER,
    HAND_ACCELERATION_LIMITS,
    HAND_JERK_LIMITS,
    HAND_LOWER,
    HAND_UPPER,
    HAND_VELOCITY_LIMITS,
    JOINTS,
)

from rfs_control.inverse_kinematics import JOINT_MARGIN
from rfs_control.joint_group import JointGroup, MotionLimits
from rfs_description import arm_velocity

Array = NDArray[np.float64]

TICK = 0.001
"""s between samples, as a Franka takes them."""
SHARE = 0.9
"""Of the limits of velocity and acceleration that the motion uses."""
ARM_JERK_SHARE = 0.4
"""Of the arm's limit of jerk: more is not followed noticeably sooner, only more roughly."""
_FEED = 0.8
"""Share of the velocity of successive targets with which a target is passed; without it each were a stop."""
_BRAKING = 8.0
"""rad/s^2, twice the deceleration from a limit to the end of a joint."""
_ARM = slice(0, 7)
_HAND = slice(7, 23)
_KINDS = ("velocity", "acceleration", "jerk")


def _arm_velocity(q_arm: Array) -> tuple[Array, Array]:
    """Franka's limits, and less where those of joints 5 and 7 fall faster than the joints could brake."""
    lowest, highest = arm_velocity.limits(q_arm)
    down, up = (np.sqrt(_BRAKING * np.maximum(way, 0.0)) for way in (q_arm - ARM_LOWER, ARM_UPPER - q_arm))
    return -SHARE * np.minimum(-lowest, down), SHARE * np.minimum(highest, up)


def _hand_velocity(q_hand: Array) -> tuple[Array, Array]:
    return -SHARE * HAND_VELOCITY_LIMITS, SHARE * HAND_VELOCITY_LIMITS


ARM_MOTION = MotionLimits(
    lower=ARM_LOWER + JOINT_MARGIN,
    upper=ARM_UPPER - JOINT_MARGIN,
    velocity=_arm_velocity,
    acceleration=SHARE * ARM_ACCELERATION_LIMITS,
    jerk=ARM_JERK_SHARE * ARM_JERK_LIMITS,
    overshoot=0.05,
)
HAND_MOTION = MotionLimits(
    lower=HAND_LOWER,
    upper=HAND_UPPER,
    velocity=_hand_velocity,
    acceleration=SHARE * HAND_ACCELERATION_LIMITS,
    jerk=SHARE * HAND_JERK_LIMITS,
    overshoot=0.1,
)


class Interpolator:
    """Follows a stream of targets for all 23 joints, in the order of `robot.JOINTS`.

    A target is met after one control period if the limits allow, and is passed if the stream goes on; when
    nothing more comes, the joints come to rest on the last target. Targets outside a joint's range are met at
    its end.

    Args:
        positions: where the joints stand (23,), rad.
        period: of the targets, s. They may come late, in bursts, or not at all.
    """

    def __init__(self, positions: ArrayLike, period: float = 0.1) -> None:
        start = _checked(positions)
        self.period = period
        self._groups = (JointGroup(ARM_MOTION, start[_ARM]), JointGroup(HAND_MOTION, start[_HAND]))
        self.reset(start)

    @property
    def position(self) -> Array:
        """(23,) rad, as last sampled."""
        return np.concatenate([group.state[0] for group in self._groups])

    def reset(self, positions: ArrayLike) -> None:
        """Stand still at these positions (23,), rad; forget targets and peaks."""
        start = _checked(positions)
        for group, part in zip(self._groups, (_ARM, _HAND), strict=True):
            group.reset(start[part])
        self._target, self._elapsed = start, 0.0
        self._acceleration = np.zeros(len(JOINTS))
        self._peaks = np.zeros((3, len(JOINTS)))

    def set_target(self, joints: ArrayLike) -> None:
        """Take the newest target (23,), rad.

        Raises:
            ValueError: it is not 23 finite numbers; the motion goes on to the last target.
        """
        target = _checked(joints)
        feed = _FEED * (target - self._target) / max(self._elapsed, self.period)
        self._target, self._elapsed = target, 0.0
        for group, part in zip(self._groups, (_ARM, _HAND), strict=True):
            group.aim(target[part], feed[part], self.period)

    def advance(self, ticks: int) -> Array:
        """Positions (ticks, 23) in rad of the next ticks of 1 ms."""
        samples = np.empty((3, ticks, len(JOINTS)))
        for tick in range(ticks):
            for group, part in zip(self._groups, (_ARM, _HAND), strict=True):
                samples[:, tick, part] = group.advance(TICK)
        self._elapsed += ticks * TICK
        if ticks:
            self._note(*samples)
        return samples[0]

    def peaks(self) -> dict[str, float]:
        """The largest share of each limit that was used since the reset: velocity, acceleration and jerk of
        arm and fingers; 1 is the limit of `rfs_description.robot`."""
        parts = {"arm": _ARM, "finger": _HAND}
        return {
            f"{name}_{kind}_share": float(self._peaks[row, part].max())
            for name, part in parts.items()
            for row, kind in enumerate(_KINDS)
        }

    def _note(self, position: Array, velocity: Array, acceleration: Array) -> None:
        """Keep the peaks of some samples (ticks, 23)."""
        lowest, highest = arm_velocity.limits(position[:, _ARM])
        allowed = np.where(velocity[:, _ARM] < 0, -lowest, highest)
        fastest = np.hstack([allowed, np.broadcast_to(HAND_VELOCITY_LIMITS, (len(position), 16))])
        jerk = np.diff(np.vstack([self._acceleration, acceleration]), axis=0) / TICK
        self._acceleration = acceleration[-1]
        shares = (
            np.abs(velocity) / np.maximum(fastest, 1e-6),
            np.abs(acceleration) / np.concatenate([ARM_ACCELERATION_LIMITS, HAND_ACCELERATION_LIMITS]),
            np.abs(jerk) / np.concatenate([ARM_JERK_LIMITS, HAND_JERK_LIMITS]),
        )
        self._peaks = np.maximum(self._peaks, [share.max(axis=0) for share in shares])


def _checked(joints: ArrayLike) -> Array:
    checked = np.array(joints, dtype=np.float64)
    if checked.shape != (len(JOINTS),):
        raise ValueError(f"joint targets must be {len(JOINTS)} numbers, got shape {checked.shape}")
    if not np.isfinite(checked).all():
        wrong = int(np.argmin(np.isfinite(checked)))
        raise ValueError(f"joint targets must be finite; {JOINTS[wrong]} is {checked[wrong]}")
    return checked
