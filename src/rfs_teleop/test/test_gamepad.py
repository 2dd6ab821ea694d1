"""Bytes of Linux' joystick interface, through a named pipe in place of /dev/input/js0."""

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from rfs_teleop.devices.config import ConfigError, DeviceConfig
from rfs_teleop.devices.gamepad import NO_DEVICE, Gamepad

PATIENCE = 5.0
BUTTON, AXIS, INITIAL = 1, 2, 0x80
SHOULDERS = (4, 5)


def event(kind: int, number: int, value: int) -> bytes:
    return struct.pack("<IhBB", 1234, value, kind, number)


REST = b"".join(event(AXIS | INITIAL, n, -32767 if n in (2, 5) else 0) for n in range(8))
REST += b"".join(event(BUTTON | INITIAL, n, 0) for n in range(11))


class Rig:
    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        loaded = DeviceConfig.load("gamepad")
        loaded.settings["path"] = str(path)
        self.changed = threading.Event()
        self.pad = Gamepad(loaded, self.changed.set)
        self.pad.SEARCH_PERIOD = 0.01
        self.pad.start()
        self.plug()

    def plug(self, state: bytes = b"") -> None:
        self.driver = os.open(self.path, os.O_WRONLY)  # waits for the reader
        os.write(self.driver, REST + state)

    def say(self, data: bytes) -> None:
        os.write(self.driver, data)

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, self.pad.reading
            time.sleep(0.002)

    def reaches(self, *axes: float) -> None:
        self.wait(lambda: np.allclose(self.pad.reading.axes, axes, atol=1e-9))


@pytest.fixture
def rig(tmp_path) -> Iterator[Rig]:
    made = Rig(tmp_path / "js0")
    yield made
    made.pad.close()
    os.close(made.driver)


def test_sticks_and_triggers(rig):
    rig.say(event(AXIS, 1, -32767))
    rig.reaches(1, 0, 0, 0, 0, 0)  # away from you: forward
    rig.say(event(AXIS, 1, 0) + event(AXIS, 0, -32767))
    rig.reaches(0, 1, 0, 0, 0, 0)
    rig.say(event(AXIS, 0, 2000) + event(AXIS, 5, 32767))  # 2000 is inside the dead band
    rig.reaches(0, 0, -1, 0, 0, 0)  # right trigger: fingers close
    rig.say(event(AXIS, 2, 32767))
    rig.reaches(0, 0, 0, 0, 0, 0)  # both at once


def test_events_that_come_in_pieces(rig):
    data = event(AXIS, 1, -32767) + event(BUTTON, 0, 1)
    for index in range(len(data)):
        rig.say(data[index : index + 1])
    rig.reaches(1, 0, 0, 0, 0, 0)
    rig.wait(lambda: rig.pad.reading.buttons == {"A"})


def test_buttons_and_unknown_numbers(rig):
    for number in SHOULDERS:
        rig.say(event(BUTTON, number, 1))
    rig.say(event(BUTTON, 200, 1) + event(AXIS, 200, 99) + event(64, 0, 1))
    rig.wait(lambda: rig.pad.reading.buttons == {"LB", "RB"})
    rig.say(event(BUTTON, SHOULDERS[0], 0))
    rig.wait(lambda: rig.pad.reading.buttons == {"RB"})


def test_unplugged_and_back(rig, monkeypatch):
    rig.say(event(AXIS, 1, -32767))
    rig.reaches(1, 0, 0, 0, 0, 0)
    rig.changed.clear()
    os.close(rig.driver)
    assert rig.changed.wait(PATIENCE)
    assert rig.pad.changes()[-1][1] is None
    monkeypatch.setattr("rfs_teleop.devices.gamepad._TIMEOUT", 1000)  # the fifo has no state from the start
    rig.plug(event(BUTTON, 0, 1) + event(AXIS, 0, -32767))
    rig.reaches(0, 1, 0, 0, 0, 0)
    assert [buttons for _, buttons in rig.pad.changes()] == [frozenset({"A"})]  # down all the time


def test_no_gamepad_says_so(monkeypatch):
    monkeypatch.setattr("rfs_teleop.devices.gamepad.glob", lambda pattern: [])
    told = threading.Event()
    pad = Gamepad(DeviceConfig.load("gamepad"), told.set)
    pad.start()
    assert told.wait(PATIENCE)
    assert pad.reading.problem == NO_DEVICE
    pad.close()


def test_wrong_settings_are_named():
    loaded = DeviceConfig.load("gamepad")
    loaded.settings["axes"]["x"] = [{"number": 1, "sign": -1}]
    with pytest.raises(ConfigError, match="lacks rest"):
        Gamepad(loaded, lambda: None)
