"""What every operator's device gives, and the thread that reads most of them."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

AXES = ("x", "y", "z", "roll", "pitch", "yaw")
"""Names of the six axes: forward, left, up and the rotations around them (REP 103)."""

Axes = NDArray[np.float64]
Change = tuple[float, frozenset[str] | None]
"""Monotonic time (s), and the buttons that are down from then on; None: unknown, it was unplugged. The first
change after that tells what is down when it is back."""


class DeviceError(RuntimeError):
    """The device cannot be read; the text says why and what to do. It may come back."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Newest state of a device.

    `axes` (6,) in [-1, 1] in the order of `AXES`, after clamping and dead band; `buttons`: names of those
    that are down; `time`: monotonic time of reading, s; `problem`: why it cannot be read, else empty.
    """

    axes: Axes = field(default_factory=lambda: np.zeros(6))
    buttons: frozenset[str] = frozenset()
    time: float = 0.0
    problem: str = ""


def shaped(axes: Axes, dead_band: float) -> Axes:
    """Axes (6,) clamped to [-1, 1]; zero inside the dead band, and continuous from its edge to the full 1."""
    clamped = np.clip(axes, -1.0, 1.0)
    return np.sign(clamped) * np.maximum(np.abs(clamped) - dead_band, 0.0) / (1.0 - dead_band)


class Device(ABC):
    """An opened device. `name` as in `rfs_msgs/Correction.device`."""

    name: str

    @property
    @abstractmethod
    def reading(self) -> Reading:
        """The newest state."""

    @abstractmethod
    def changes(self) -> list[Change]:
        """What happened to the buttons since the last call, oldest first."""

    def set_light(self, on: bool) -> None:  # noqa: B027 - most devices have no light
        """Switch the device's light, where it has one."""

    @abstractmethod
    def close(self) -> None:
        """Give the device back. It is not read any more."""


class ThreadedDevice(Device):
    """A device that a thread of its own follows; unplugged, it is looked for until it comes back.

    Args:
        dead_band: share of an axis around zero that counts as zero.
        on_change: called in the reading thread when a button or the problem changes.
    """

    SEARCH_PERIOD = 0.5
    """Time between two attempts to open a missing device, s."""

    def __init__(self, dead_band: float, on_change: Callable[[], None]) -> None:
        self._dead_band, self._on_change = dead_band, on_change
        self._lock = threading.Lock()
        self._reading = Reading(time=time.monotonic(), problem=f"{self.name}: not opened yet")
        self._changes: list[Change] = []
        self._lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to read; to be called once the subclass is complete."""
        self._thread.start()

    @property
    def reading(self) -> Reading:
        return self._reading

    def changes(self) -> list[Change]:
        with self._lock:
            changes, self._changes = self._changes, []
        return changes

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    @abstractmethod
    def _follow(self) -> None:
        """Open the device and `_put` what it says until `_ended`; leave nothing open.

        Raises:
            DeviceError: it cannot be opened, or was unplugged.
        """

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except DeviceError as error:
                self._fail(str(error))
            self._ended.wait(self.SEARCH_PERIOD)

    def _put(self, raw: Axes, buttons: frozenset[str]) -> None:
        """The state read just now, axes (6,) as the device gives them."""
        now, before = time.monotonic(), self._reading
        self._reading = Reading(shaped(raw, self._dead_band), buttons, now)
        if buttons != before.buttons or self._lost:
            self._lost = False
            self._tell((now, buttons))
        elif before.problem:
            self._on_change()

    def _fail(self, problem: str) -> None:
        now, before = time.monotonic(), self._reading
        self._reading = Reading(time=now, problem=problem)
        if problem != before.problem:
            self._lost = True
            self._tell((now, None))

    def _tell(self, change: Change) -> None:
        with self._lock:
            self._changes.append(change)
        self._on_change()
