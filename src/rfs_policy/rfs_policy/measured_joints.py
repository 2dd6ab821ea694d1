"""Joint states that the robot may be moved by: of a robot that is read now, and in radians."""

from collections.abc import Sequence

import numpy as np
from rfs_description.joint_states import JointStates
from rfs_description.robot import ARM_LOWER, ARM_UPPER, HAND_LOWER, HAND_UPPER, JOINTS

_BEYOND = 0.1  # rad: real joints and simulated ones give a little at their stops
_LOWER, _UPPER = np.concatenate([ARM_LOWER, HAND_LOWER]), np.concatenate([ARM_UPPER, HAND_UPPER])
_RANGES = {name: (low, high) for name, low, high in zip(JOINTS, _LOWER, _UPPER, strict=True)}


class MeasuredJoints(JointStates):
    """As `JointStates`; with `max_age`, positions must also lie in the joints' ranges, and stamps advance.

    A driver that has lost the robot may send its last reading on and on: new messages, but an old stamp.
    """

    def __init__(self, max_age: float | None) -> None:
        super().__init__(max_age)
        self._outside: dict[str, float] = {}
        self._advanced = np.full(len(JOINTS), -np.inf)

    def update(self, names: Sequence[str], positions: Sequence[float], stamp: int, now: float) -> None:
        """Take a message, or remember why it was rejected (see `problem`)."""
        if self.max_age is not None and self._leaves_ranges(names, positions):
            return
        before = np.where(np.isfinite(self._heard), self._stamps, -1)
        super().update(names, positions, stamp, now)
        self._advanced[self._stamps != before] = now

    def problem(self, now: float) -> str:
        """Why the positions cannot be used; empty when they can. The text changes only with the cause."""
        return self._why_outside() or super().problem(now) or self._why_frozen(now)

    def _leaves_ranges(self, names: Sequence[str], positions: Sequence[float]) -> bool:
        """Whether a joint of this message is where it cannot be; the first such reading is remembered."""
        values = {
            name: float(value) for name, value in zip(names, positions, strict=False) if name in _RANGES
        }
        outside = {name: value for name, value in values.items() if _is_outside(name, value)}
        told = {name: value for name, value in self._outside.items() if name in outside or name not in values}
        self._outside = outside | told
        return bool(outside)

    def _why_outside(self) -> str:
        if not self._outside:
            return ""
        name = next(filter(self._outside.__contains__, JOINTS))
        low, high = _RANGES[name]
        return (
            f"joint states: {name} is at {self._outside[name]:.3g} rad, outside its range from {low:.3g} to "
            f"{high:.3g} rad; does its driver publish rad, and from the joint's own zero?"
        )

    def _why_frozen(self, now: float) -> str:
        if self.max_age is None:
            return ""
        text = f"no new stamp for {self.max_age} s (does the driver still read the robot?):"
        return self._prefixed(text, now - self._advanced > self.max_age)


def _is_outside(name: str, value: float) -> bool:
    low, high = _RANGES[name]
    return value < low - _BEYOND or value > high + _BEYOND
