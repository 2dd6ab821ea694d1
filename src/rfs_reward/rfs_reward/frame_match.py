"""Finds picture, depth and joints of one moment among messages that come when they like. No ROS."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rfs_description.joint_states import JointStates

Array = NDArray[np.float64]

_SECOND = 1_000_000_000
_RESTART = _SECOND  # ns that stamps must run back for another clock; less is a message that was late
_PENDING = 8  # pictures that wait for the rest
_JOINTS = 1000  # samples: 10 s at 100 Hz, 1 s at 1 kHz
_SILENT = 1.0  # s
_MAX_AGE = 0.25  # s; of joint states in realtime
SCENE_GAP = 5 * _SECOND
"""ns; in lockstep the stamps of two scenes are farther apart."""


@dataclass(frozen=True, eq=False)
class Match:
    """A color and a depth message of about the same time, and the joints (23,), rad, at `stamp` (ns), which
    is the color's. restarted: the camera's clock was set back since the last match."""

    stamp: int
    color: Any
    depth: Any
    joints: Array
    restarted: bool = False


class FrameMatcher:
    """Keeps what came lately, in bounded memory, and gives out the newest complete set.

    Args:
        joints: collects joint states by name.
        tolerance: by which stamps of color and depth may differ, s.
        gap: longest time between two joint states that are interpolated, s; 0: only the very stamp will do,
            as in lockstep.
    """

    def __init__(self, joints: JointStates, tolerance: float = 0.02, gap: float = 0.1) -> None:
        self._joints = JointHistory(joints, round(gap * _SECOND))
        self._tolerance = round(tolerance * _SECOND)
        self._color, self._depth = _Pending(), _Pending()
        self._given = -1
        self._given_at = -np.inf
        self._restarted = False

    @classmethod
    def for_time(cls, lockstep: bool) -> Self:
        """As lockstep or realtime needs it, live and over recordings."""
        return cls(JointStates(None), gap=0.0) if lockstep else cls(JointStates(_MAX_AGE))

    def take_color(self, stamp: int, message: Any, now: float) -> None:
        """A picture of `stamp` (ns) came at monotonic time `now` (s)."""
        if self._color.put(stamp, message, now):
            self._given, self._restarted = -1, True

    def take_depth(self, stamp: int, message: Any, now: float) -> None:
        """A depth picture came."""
        self._depth.put(stamp, message, now)

    def take_joints(self, names: Sequence[str], positions: Sequence[float], stamp: int, now: float) -> None:
        """Joint states of all or some joints came."""
        self._joints.take(names, positions, stamp, now)

    def newest(self, now: float) -> Match | None:
        """The newest complete set, unless one of a later stamp was given already; a stamp that comes again is
        given again. All that is older is forgotten."""
        for stamp, color in self._color.newest_first():
            if stamp < self._given:
                break
            depth, joints = self._depth_at(stamp), self._joints.at(stamp)
            if depth is not None and joints is not None:
                return self._give(Match(stamp, color, depth[1], joints, self._restarted), depth[0], now)
        return None

    def excuse(self, now: float) -> None:
        """Nobody could listen until monotonic time `now` (s): that nothing came until then is no problem."""
        self._given_at = now

    def _give(self, match: Match, depth_stamp: int, now: float) -> Match:
        self._color.forget(match.stamp)
        self._depth.forget(depth_stamp)
        self._given, self._given_at, self._restarted = match.stamp, now, False
        return match

    def _depth_at(self, stamp: int) -> tuple[int, Any] | None:
        """The nearest depth within the tolerance, once none that is much nearer can come."""
        nearest = min(self._depth.newest_first(), key=lambda pair: abs(pair[0] - stamp), default=None)
        if nearest is None or abs(nearest[0] - stamp) > self._tolerance:
            return None
        final = abs(nearest[0] - stamp) <= self._tolerance // 4 or self._depth.newest > stamp
        return nearest if final else None

    def problem(self, now: float) -> str:
        """Why there was no match lately, at monotonic time `now` (s); empty where there was one. The text
        changes only with the cause."""
        if now - self._given_at < _SILENT:
            return ""
        if now - self._color.heard > _SILENT:
            return "no picture comes on /camera/color/image_raw: is the camera running?"
        if now - self._depth.heard > _SILENT:
            return "no depth comes on /camera/depth/image_rect: turn on the camera's depth"
        if self._joints.problem(now):
            return self._joints.problem(now)
        if not any(self._depth_at(stamp) for stamp, _ in self._color.newest_first()):
            return "picture and depth are not of the same time: let the camera driver synchronize them"
        return "joint states and pictures are not of the same time: are their clocks synchronized?"


class _Pending:
    """The newest messages of a topic by stamp; `heard`: when the last one came, monotonic s."""

    def __init__(self) -> None:
        self._messages: deque[tuple[int, Any]] = deque(maxlen=_PENDING)
        self.newest = -1
        self.heard = -np.inf

    def put(self, stamp: int, message: Any, now: float) -> bool:
        """Add one; True where the clock was set back, and all before was forgotten."""
        restarted = stamp < self.newest - _RESTART
        if restarted:
            self._messages.clear()
        self.newest = stamp if restarted else max(self.newest, stamp)
        self.heard = now
        self._messages.append((stamp, message))
        return restarted

    def newest_first(self) -> Iterator[tuple[int, Any]]:
        return iter(sorted(self._messages, key=lambda pair: -pair[0]))

    def forget(self, stamp: int) -> None:
        """All up to this stamp."""
        kept = [pair for pair in self._messages if pair[0] > stamp]
        self._messages.clear()
        self._messages.extend(kept)


class JointHistory:
    """Joint positions over the last seconds. gap: longest time between two samples to interpolate, ns."""

    def __init__(self, joints: JointStates, gap: int) -> None:
        self._states, self._gap = joints, gap
        self._samples: deque[tuple[int, Array]] = deque(maxlen=_JOINTS)

    def take(self, names: Sequence[str], positions: Sequence[float], stamp: int, now: float) -> None:
        """A message of stamp (ns) came at monotonic time `now` (s)."""
        self._states.update(names, positions, stamp, now)
        if self._states.problem(now):
            return
        at, known = self._states.stamp, self._states.positions.copy()
        if self._samples and at < self._samples[-1][0] - _RESTART:
            self._samples.clear()
        if self._samples and at <= self._samples[-1][0]:  # arm and hand may come one after the other
            at, _ = self._samples.pop()
        self._samples.append((at, known))

    def problem(self, now: float) -> str:
        """Why the newest joint states cannot be used; empty when they can."""
        return self._states.problem(now)

    def at(self, stamp: int) -> Array | None:
        """Positions (23,) at a stamp (ns) between two samples; None where there are no two."""
        later: tuple[int, Array] | None = None
        for sample in reversed(self._samples):
            if sample[0] == stamp:
                return sample[1]
            if sample[0] < stamp:
                return self._between(sample, later, stamp)
            later = sample
        return None

    def _between(
        self, before: tuple[int, Array], after: tuple[int, Array] | None, stamp: int
    ) -> Array | None:
        if after is None or after[0] - before[0] > self._gap:
            return None
        part = (stamp - before[0]) / (after[0] - before[0])
        return before[1] + part * (after[1] - before[1])
