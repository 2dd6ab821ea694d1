"""Keys of a terminal as a device."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rfs_teleop.devices import config
from rfs_teleop.devices.device import AXES, Axes, ThreadedDevice
from rfs_teleop.devices.terminal import Terminal

_LOOK = 0.02  # s; a key that is not repeated any more is let go so soon
_COMMAND_SECONDS = 1.0


@dataclass(frozen=True)
class KeyboardSettings:
    """Entries below `settings` in `keyboard.yaml`. `keys`: the axis and the direction of each key."""

    keys: dict[str, tuple[int, float]]
    deflection: float
    first_seconds: float
    command_seconds: float
    repeat_seconds: float

    @classmethod
    def checked(cls, entries: dict[str, Any], source: str) -> "KeyboardSettings":
        """ConfigError names the entry that is wrong."""
        what = f"settings in {source}"
        seconds = {"first_seconds", "command_seconds", "repeat_seconds"}
        entries = {"command_seconds": _COMMAND_SECONDS, **entries}  # older files have none
        found = config.keys(entries, {"axes", "deflection", *seconds}, what)
        return cls(
            _keys(found["axes"], f"axes of {what}"),
            config.number(found["deflection"], 0.01, 1.0, f"deflection of {what}"),
            config.number(found["first_seconds"], 0.05, 2.0, f"first_seconds of {what}"),
            config.number(found["command_seconds"], 0.05, 5.0, f"command_seconds of {what}"),
            config.number(found["repeat_seconds"], 0.02, 2.0, f"repeat_seconds of {what}"),
        )


def _keys(value: Any, what: str) -> dict[str, tuple[int, float]]:
    keys: dict[str, tuple[int, float]] = {}
    for axis, sides in config.mapping(value, what).items():
        index = AXES.index(config.choice(axis, AXES, f"each entry of {what}"))
        found = config.keys(sides, {"plus", "minus"}, f"{axis} of {what}")
        for side, sign in (("plus", 1.0), ("minus", -1.0)):
            keys |= dict.fromkeys(config.words(found[side], f"{side} of {axis} of {what}"), (index, sign))
    return keys


class HeldKeys:
    """Which keys are held, from a terminal's repetition of them. Times are monotonic, s.

    `single`: a key ends the one before, which a terminal does not repeat any more.
    """

    def __init__(self, first: float, repeat: float, single: bool = False) -> None:
        self._first, self._repeat, self._single = first, repeat, single
        self._until: dict[str, float] = {}

    def type(self, key: str, now: float) -> None:
        """A key was typed, by a finger or by the terminal's repetition."""
        until = now + (self._repeat if key in self._until else self._first)
        self._until = {key: until} if self._single else self._until | {key: until}

    def at(self, now: float) -> frozenset[str]:
        """The keys that are held by now."""
        self._until = {key: until for key, until in self._until.items() if until > now}
        return frozenset(self._until)


def _end_like_terminated() -> None:
    """Let what would kill at once end the process in order, so that the terminal is set back."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGTERM))


class Keyboard(ThreadedDevice):
    """Follows a terminal (empty path: the one that the process was started in)."""

    name = "keyboard"

    def __init__(
        self, loaded: config.DeviceConfig, on_change: Callable[[], None], terminal: str = ""
    ) -> None:
        self._settings = KeyboardSettings.checked(loaded.settings, loaded.source)
        self._path = terminal
        _end_like_terminated()
        super().__init__(loaded.dead_band, on_change)

    def _follow(self) -> None:
        terminal = Terminal(self._path)
        settings = self._settings
        axes = HeldKeys(settings.first_seconds, settings.repeat_seconds)
        commands = HeldKeys(settings.command_seconds, settings.repeat_seconds, single=True)
        try:
            while not self._ended.is_set():
                typed, now = terminal.read(_LOOK), time.monotonic()
                for key in typed:  # each is told, though the next one ends it
                    (axes if key in settings.keys else commands).type(key, now)
                    self._put(self._axes(axes.at(now)), commands.at(now))
                self._put(self._axes(axes.at(now)), commands.at(now))
        finally:
            terminal.close()

    def _axes(self, keys: frozenset[str]) -> Axes:
        axes = np.zeros(len(AXES))
        for index, sign in (self._settings.keys[key] for key in keys):
            axes[index] += sign * self._settings.deflection
        return axes
