"""Newest joint positions, collected by name from one or several publishers. Times in ns and monotonic s."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rfs_description.robot import ARM_VELOCITY_LIMITS, HAND_VELOCITY_LIMITS, JOINTS

_INDEX = {name: i for i, name in enumerate(JOINTS)}
_FASTEST = 2.0 * np.concatenate([ARM_VELOCITY_LIMITS, HAND_VELOCITY_LIMITS])  # rad/s, twice for shocks
_SLACK = 0.1  # rad
_JUMPS, _MEMORY = 3, 0.5  # so many jumps in so many s are no reset of a scene, but two sources


class JointStates:
    """Positions of the 23 joints, whatever order, grouping and further joints the messages have.

    With `max_age` (s) each joint must have been heard of within that time, messages older than what is known
    are not taken, and positions must not jump to and fro. Without, all joints must carry the newest message's
    stamp, as in lockstep.
    """

    def __init__(self, max_age: float | None) -> None:
        self.max_age = max_age
        self.positions: NDArray[np.float64] = np.full(len(JOINTS), np.nan)
        self.stamp = 0
        self._heard = np.full(len(JOINTS), -np.inf)
        self._stamps = np.zeros(len(JOINTS), dtype=np.int64)
        self._rejected = ""
        self._jumps: deque[float] = deque([-np.inf] * _JUMPS, maxlen=_JUMPS)

    @property
    def oldest(self) -> int:
        """Stamp (ns) of the joint that was measured first; 0 before all are known."""
        return int(self._stamps.min())

    def update(self, names: Sequence[str], positions: Sequence[float], stamp: int, now: float) -> None:
        """Take a message, or remember why it was rejected (see `problem`)."""
        values = np.asarray(positions, dtype=np.float64)
        self._rejected = _why_malformed(names, values)
        known = [name for name in names if name in _INDEX]
        if self._rejected or not known:
            return
        rows = [_INDEX[name] for name in known]
        values = values[[name in _INDEX for name in names]]
        if self.max_age is not None:
            self._rejected = self._why_outdated(rows, stamp, now)
            if self._rejected:
                return
            self._note_jump(rows, values, stamp, now)
        self.positions[rows] = values
        self._heard[rows] = now
        self._stamps[rows] = self.stamp = stamp

    def problem(self, now: float) -> str:
        """Why the positions cannot be used; empty when they can. The text changes only with the cause."""
        if self._rejected:
            return self._rejected
        if now - self._jumps[0] < _MEMORY:
            return "joint states: positions jump to and fro; do two sources publish them?"
        never = self._names(np.isnan(self.positions))
        if never:
            return f"joint states: nothing received for {never}; is the simulator or driver running?"
        if self.max_age is None:
            return self._prefixed("the newest message lacks", self._stamps != self.stamp)
        return self._prefixed(f"older than {self.max_age} s:", now - self._heard > self.max_age)

    def _why_outdated(self, rows: list[int], stamp: int, now: float) -> str:
        """A clock that was set back is believed once nothing newer comes any more."""
        newer = (self._stamps[rows] > stamp) & (now - self._heard[rows] < _MEMORY)
        problem = "joint states: a message is older than the one before; do two sources publish?"
        return problem if newer.any() else ""

    def _note_jump(self, rows: list[int], values: NDArray[np.float64], stamp: int, now: float) -> None:
        """Remember when a joint moved further than it can."""
        passed = np.maximum(1e-9 * (stamp - self._stamps[rows]), now - self._heard[rows])
        far = np.abs(values - self.positions[rows]) > _SLACK + _FASTEST[rows] * np.minimum(passed, 1e3)
        if far.any():
            self._jumps.append(now)

    def _prefixed(self, text: str, which: NDArray[np.bool_]) -> str:
        names = self._names(which)
        return f"joint states: {text} {names}" if names else ""

    def _names(self, which: NDArray[np.bool_]) -> str:
        names = [name for name, wanted in zip(JOINTS, which, strict=True) if wanted]
        return "all joints" if len(names) == len(JOINTS) else _listed(names)


def _why_malformed(names: Sequence[str], values: NDArray[np.float64]) -> str:
    if len(names) != len(values):
        return f"joint states: {len(names)} names but {len(values)} positions in a message"
    if len(set(names)) != len(names):
        return "joint states: a joint is named twice in a message"
    broken = [name for name, value in zip(names, values, strict=True) if not np.isfinite(value)]
    return f"joint states: position is not finite for {_listed(broken)}" if broken else ""


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
