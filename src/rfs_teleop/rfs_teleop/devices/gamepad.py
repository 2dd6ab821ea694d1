"""Gamepads through Linux' joystick interface, /dev/input/js*."""

import os
import select
import struct
from collections.abc import Callable
from dataclasses import dataclass
from glob import glob
from typing import Any

import numpy as np

from rfs_teleop.devices import config
from rfs_teleop.devices.device import AXES, Axes, DeviceError, ThreadedDevice

_EVENT = struct.Struct("<IhBB")  # js_event: time in ms, value, type, number
_BUTTON, _AXIS, _INITIAL = 1, 2, 0x80
_FULL = 32767
_TIMEOUT = 50  # ms between looks at other things
NO_DEVICE = "no gamepad found (/dev/input/js*): connect one; it is then used at once"


@dataclass(frozen=True)
class AxisSource:
    """A number of the driver that deflects an axis; `rest` is its value when nobody touches it, -1 to 1."""

    number: int
    sign: float
    rest: float


@dataclass(frozen=True)
class GamepadSettings:
    """Entries below `settings` in `gamepad.yaml`. `axes` by index in `AXES`, `buttons` by number."""

    path: str
    axes: dict[int, list[AxisSource]]
    buttons: dict[int, str]

    @classmethod
    def checked(cls, entries: dict[str, Any], source: str) -> "GamepadSettings":
        """ConfigError names the entry that is wrong."""
        what = f"settings in {source}"
        found = config.keys(entries, {"path", "axes", "buttons"}, what)
        if not isinstance(found["path"], str):
            raise config.ConfigError(f"path of {what} must be a text, got {found['path']!r}")
        axes, buttons = (config.mapping(found[key], f"{key} of {what}") for key in ("axes", "buttons"))
        numbers = {name: _whole(number, f"{name} of buttons of {what}") for name, number in buttons.items()}
        return cls(
            found["path"],
            {
                AXES.index(config.choice(axis, AXES, f"each entry of axes of {what}")): _sources(value, what)
                for axis, value in axes.items()
            },
            {number: str(name) for name, number in numbers.items()},
        )


def _sources(value: Any, what: str) -> list[AxisSource]:
    if not isinstance(value, list):
        raise config.ConfigError(f"each axis of {what} must be a list, got {value!r}")
    sources = []
    for entry in value:
        found = config.keys(entry, {"number", "sign", "rest"}, f"axis of {what}")
        number = _whole(found["number"], f"number of an axis of {what}")
        sign = config.number(found["sign"], -1.0, 1.0, f"sign of an axis of {what}")
        sources.append(AxisSource(number, sign, config.number(found["rest"], -1.0, 0.9, f"rest of {what}")))
    return sources


def _whole(value: Any, what: str) -> int:
    return int(config.number(value, 0, 255, what))


class GamepadState:
    """The newest value of each of the driver's numbers."""

    def __init__(self, settings: GamepadSettings) -> None:
        self._settings = settings
        self._axes: dict[int, float] = {}
        self._down: set[int] = set()

    def take(self, events: bytes) -> None:
        """Whole js_events; the driver begins with the present state of everything."""
        for _, value, kind, number in _EVENT.iter_unpack(events):
            if kind & ~_INITIAL == _AXIS:
                self._axes[number] = value / _FULL
            elif kind & ~_INITIAL == _BUTTON:
                (self._down.add if value else self._down.discard)(number)

    @property
    def buttons(self) -> frozenset[str]:
        """Names of those that are down."""
        return frozenset(name for number, name in self._settings.buttons.items() if number in self._down)

    @property
    def axes(self) -> Axes:
        """(6,), not clamped."""
        axes = np.zeros(len(AXES))
        for index, sources in self._settings.axes.items():
            axes[index] = sum(source.sign * self._deflection(source) for source in sources)
        return axes

    def _deflection(self, source: AxisSource) -> float:
        return (self._axes.get(source.number, source.rest) - source.rest) / (1.0 - source.rest)


class Gamepad(ThreadedDevice):
    """Follows a joystick file, and looks for it again when it was unplugged."""

    name = "gamepad"

    def __init__(self, loaded: config.DeviceConfig, on_change: Callable[[], None]) -> None:
        self._settings = GamepadSettings.checked(loaded.settings, loaded.source)
        super().__init__(loaded.dead_band, on_change)

    def _follow(self) -> None:
        path = self._settings.path or next(iter(sorted(glob("/dev/input/js*"))), "")
        file = _opened(path)
        try:
            self._read(file, path)
        finally:
            os.close(file)

    def _read(self, file: int, path: str) -> None:
        state, poll, rest = GamepadState(self._settings), select.poll(), b""
        poll.register(file, select.POLLIN)
        while not self._ended.is_set():
            if poll.poll(_TIMEOUT):
                rest += _read_some(file, path)
                whole = len(rest) - len(rest) % _EVENT.size
                state.take(rest[:whole])
                rest = rest[whole:]
            self._put(state.axes, state.buttons)


def _opened(path: str) -> int:
    if not path:
        raise DeviceError(NO_DEVICE)
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        advice = 'sudo usermod -aG input "$USER", then log in anew'
        raise DeviceError(f"gamepad: no permission for {path}: {advice}") from error
    except OSError as error:
        raise DeviceError(f"gamepad: {path} cannot be opened ({error.strerror}): connect it") from error


def _read_some(file: int, path: str) -> bytes:
    try:
        data = os.read(file, 64 * _EVENT.size)
    except BlockingIOError:
        return b""
    except OSError as error:
        raise DeviceError(f"the gamepad {path} was unplugged: connect it again") from error
    if not data:
        raise DeviceError(f"the gamepad {path} was unplugged: connect it again")
    return data
