"""Find holes in what must come regularly while the robot is engaged, and clock jumps. From raw CDR."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import NamedTuple

EXECUTED = "/rfs/executed_action"
REGULAR = ("/joint_states", "/camera/points", "/rfs/policy_action", EXECUTED)
_ENGAGED = (1, 2)  # rfs_msgs/ExecutedAction: STATE_AUTONOMOUS, STATE_CORRECTING
_MISSED = 1.8  # periods; less is jitter
_SHORTEST = 0.1  # s; what a fast topic may be silent
_SILENT_END = 1.0  # s
_SECOND = 1_000_000_000


def stamp_of(data: bytes) -> int:
    """`header.stamp` of a serialized message that begins with its header, ns.

    Raises:
        struct.error: the message is too short.
    """
    order = "<" if data[1] & 1 else ">"
    seconds, nanoseconds = struct.unpack_from(f"{order}iI", data, 4)
    return seconds * _SECOND + nanoseconds


def is_engaged(data: bytes) -> bool:
    """Whether a serialized rfs_msgs/ExecutedAction says that an action was executed."""
    order = "<" if data[1] & 1 else ">"
    length = struct.unpack_from(f"{order}I", data, 12)[0]  # of frame_id
    state = (16 + length + 3) // 4 * 4 + 16  # behind two stamps
    return data[state] in _ENGAGED


class _Entry(NamedTuple):
    arrival: int
    stamp: int
    goes_on: bool


@dataclass
class Regularity:
    """Stamps of the regular topics of one episode. `realtime`: stamps are wall time.

    An executor that stands still owes nothing: what follows such a message may come late.
    """

    realtime: bool = True
    _stamps: dict[str, list[_Entry]] = field(default_factory=lambda: defaultdict(list))
    _engaged: list[int] = field(default_factory=list)

    def take(self, topic: str, log_time: int, data: bytes) -> None:
        """A message came; log_time in ns. Topics that need not be regular are ignored."""
        if topic in REGULAR:
            goes_on = topic != EXECUTED or is_engaged(data)
            self._stamps[topic].append(_Entry(log_time, stamp_of(data), goes_on))
            if topic == EXECUTED and goes_on:
                self._engaged.append(log_time)

    def problems(self) -> list[str]:
        """Sentences about holes and jumps; empty for a sound episode, and for one that was never engaged."""
        if not self._engaged:
            return []
        first, last = self._engaged[0], self._engaged[-1]
        found: list[str] = []
        for topic in REGULAR:
            inside = [entry for entry in self._stamps[topic] if first <= entry.arrival <= last]
            found += _summary([f"{topic} {text}" for text in self._of_topic(inside, first, last)])
        return found

    def _of_topic(self, entries: list[_Entry], first: int, last: int) -> Iterator[str]:
        if not entries:
            if last - first > _SILENT_END * _SECOND:
                yield "did not come while the robot was engaged"
            return
        yield from self._holes(entries, first)
        silent = (last - entries[-1].arrival) / _SECOND
        if silent > _SILENT_END:
            yield f"did not come in the last {silent:.1f} s"

    def _holes(self, entries: list[_Entry], first: int) -> Iterator[str]:
        steps = [(after.stamp - before.stamp) / _SECOND for before, after in pairwise(entries)]
        forward = [step for step in steps if step > 0]
        limit = max(_MISSED * median(forward), _SHORTEST) if forward else 0.0
        for step, (before, after) in zip(steps, pairwise(entries), strict=True):
            at = f"{(after.arrival - first) / _SECOND:.2f} s after the robot was engaged"
            arrival = (after.arrival - before.arrival) / _SECOND
            if step < 0:
                yield f"jumped back by {-step:.2f} s in its stamps, {at}"
            elif step > limit and self.realtime and abs(step - arrival) > max(0.5 * step, _SHORTEST):
                yield f"jumped ahead by {step - arrival:.2f} s in its stamps, {at}"
            elif step > limit and before.goes_on:
                yield f"had a gap of {step:.2f} s, {at}"


def _summary(lines: list[str]) -> list[str]:
    """The first holes of a topic, and how many more."""
    return lines if len(lines) <= 3 else [*lines[:2], f"{lines[2]} (and {len(lines) - 3} more)"]
