"""A bag that a thread of its own writes, so that a slow disk does not hold up who receives messages."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from rfs_teleop.bag import BagError, BagWriter, cut_short

CAPACITY = 256 * 1024 * 1024  # bytes; 1.5 s of clouds and images at 30 Hz
_PERIOD = 0.25  # s: what a killed recorder loses at most while the disk keeps up
_BITE = 4 * 1024 * 1024  # bytes written between two looks at the queue


class _Message(NamedTuple):
    arrival: float
    topic: str
    data: bytes
    log_time: int
    publish_time: int


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, BagError) else f"the bag could not be written: {error!r}"


class BagQueue:
    """Messages on their way to a bag. `put`, `note` and `close` are for one thread.

    Args:
        bag: is the writing thread's from now on, until `close` has returned true.
        capacity: bytes that may wait; when more come, the disk is too slow and the recording ends.
    """

    def __init__(self, bag: BagWriter, capacity: int = CAPACITY) -> None:
        self.problem = ""
        self._bag = bag
        self._capacity = capacity
        self._waiting: deque[_Message | Mapping[str, str]] = deque()
        self._bytes = 0
        self._oldest = 0.0
        self._closing = False
        self._result: Mapping[str, str] = {}
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="bag", daemon=True)
        self._thread.start()

    def put(self, topic: str, data: bytes, log_time: int, publish_time: int) -> None:
        """Hand over one message. Never blocks; after a `problem` nothing more is taken."""
        with self._changed:
            if self.problem:
                return
            if self._bytes + len(data) > self._capacity:
                self._end_as_too_slow()
                return
            now = time.monotonic()
            if not self._bytes:
                self._oldest = now
            self._waiting.append(_Message(now, topic, data, log_time, publish_time))
            self._bytes += len(data)
            if self._bytes >= _BITE:
                self._changed.notify()

    def note(self, entries: Mapping[str, str]) -> None:
        """Hand over entries of the contract."""
        with self._changed:
            if not self.problem:
                self._waiting.append(entries)

    @property
    def lag(self) -> float:
        """Since when the disk has not caught up, s: what a killed recorder would lose now, at most."""
        with self._changed:
            return time.monotonic() - self._oldest if self._bytes else 0.0

    def close(self, result: Mapping[str, str], patience: float) -> bool:
        """Write what waits, then the end of the bag. False when the disk took longer than `patience` s:
        the writing goes on, and the bag needs `repair` if the process ends before it."""
        with self._changed:
            self._result = result
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _end_as_too_slow(self) -> None:
        megabytes = self._bytes // 1_000_000
        self.problem = (
            f"the disk of {self._bag.folder.parent} is too slow: {megabytes} MB wait to be written. Record "
            "to a faster one, leave the recorder more processor time, or send less; what came is kept"
        )
        self._changed.notify()

    # ---- the writing thread ----
    def _run(self) -> None:
        try:
            while self._write_next():
                pass
        except Exception as error:  # whatever it is: a thread that dies in silence loses the whole episode
            with self._changed:
                self.problem = self.problem or _told(error)
                self._waiting.clear()
                self._bytes = 0
        self._await_closing()
        try:
            self._bag.close(cut_short(self._result, self.problem) if self.problem else self._result)
        except Exception as error:
            self.problem = _told(error)

    def _write_next(self) -> bool:
        """Bring some of the queue to disk; false at its end."""
        with self._changed:
            self._changed.wait_for(self._is_due, _PERIOD)
            bite, size = self._take()
        for entry in bite:
            if isinstance(entry, _Message):
                self._bag.write(entry.topic, entry.data, entry.log_time, entry.publish_time)
            else:
                self._bag.note(entry)
        self._bag.flush()
        with self._changed:
            self._bytes -= size
            self._oldest = next((m.arrival for m in self._waiting if isinstance(m, _Message)), 0.0)
            return bool(self._waiting) or not (self._closing or self.problem)

    def _is_due(self) -> bool:
        return self._bytes >= _BITE or self._closing or bool(self.problem)

    def _take(self) -> tuple[list[_Message | Mapping[str, str]], int]:
        bite, size = [], 0
        while self._waiting and size < _BITE:
            entry = self._waiting.popleft()
            size += len(entry.data) if isinstance(entry, _Message) else 0
            bite.append(entry)
        return bite, size

    def _await_closing(self) -> None:
        """A bag that ended by itself still waits for how the episode ended, which goes into it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing)
