"""The keyboard on a real pseudo-terminal."""

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from rfs_teleop.devices.config import ConfigError, DeviceConfig
from rfs_teleop.devices.keyboard import HeldKeys, Keyboard, KeyboardSettings
from rfs_teleop.devices.terminal import Terminal, key_names

PATIENCE = 10.0
_HOLD_TERMINAL = """
import sys, time
from rfs_teleop.devices.config import DeviceConfig
from rfs_teleop.devices.keyboard import Keyboard
keyboard = Keyboard(DeviceConfig.load("keyboard"), lambda: None, sys.argv[1])
keyboard.start()
while keyboard.reading.problem:
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(60)
"""


def wait(done: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.002)


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The end of a terminal at which a person types, and the path of the other one."""
    person, line = pty.openpty()
    yield person, os.ttyname(line)
    os.close(person)
    os.close(line)


@pytest.fixture
def keyboard(terminal) -> Iterator[Keyboard]:
    opened = Keyboard(DeviceConfig.load("keyboard"), threading.Event().set, terminal[1])
    opened.start()
    wait(lambda: not opened.reading.problem)
    yield opened
    opened.close()


def modes(path: str) -> list:
    file = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        return termios.tcgetattr(file)
    finally:
        os.close(file)


def test_keys_deflect_and_are_let_go(keyboard, terminal):
    os.write(terminal[0], b"w")
    wait(lambda: np.allclose(keyboard.reading.axes, [0.8, 0, 0, 0, 0, 0]))
    wait(lambda: not keyboard.reading.axes.any())  # nothing repeats it


def test_arrows_and_capital_letters(keyboard, terminal):
    os.write(terminal[0], b"\x1b[DE")
    wait(lambda: np.allclose(keyboard.reading.axes, [0, 0.8, 0, 0, 0.8, 0]))


def test_other_keys_are_buttons(keyboard, terminal):
    os.write(terminal[0], b" ")
    seen: list = []
    wait(lambda: seen.extend(keyboard.changes()) or len(seen) >= 2)
    assert [buttons for _, buttons in seen] == [frozenset({"space"}), frozenset()]
    assert not keyboard.reading.axes.any()


def test_keys_that_come_together_are_told_one_by_one(keyboard, terminal):
    os.write(terminal[0], b" \r")
    seen: list = []
    wait(lambda: seen.extend(keyboard.changes()) or len(seen) >= 3)
    assert [buttons for _, buttons in seen] == [frozenset({"space"}), frozenset({"enter"}), frozenset()]


def test_a_held_key_stays_and_ends_soon_after_its_last_repetition():
    keys = HeldKeys(0.5, 0.15)
    keys.type("w", 0.0)
    assert keys.at(0.45) == {"w"}
    for at in np.arange(0.48, 2.0, 0.04):
        keys.type("w", float(at))
        assert keys.at(float(at) + 0.1) == {"w"}
    assert keys.at(2.2) == frozenset()
    keys.type("w", 3.0)
    assert keys.at(3.4) == {"w"}


def test_a_command_ends_the_one_before():
    keys = HeldKeys(1.0, 0.15, single=True)
    keys.type("space", 0.0)
    keys.type("u", 0.2)
    assert keys.at(0.3) == {"u"}


def test_a_file_without_the_newest_setting_counts():
    entries = DeviceConfig.load("keyboard").settings
    del entries["command_seconds"]
    assert KeyboardSettings.checked(entries, "my.yaml").command_seconds == 1.0


def test_a_command_lasts_until_a_held_key_is_repeated(keyboard, terminal):
    os.write(terminal[0], b"\r")
    seen: list = []
    wait(lambda: seen.extend(keyboard.changes()) or len(seen) >= 2)
    assert seen[1][0] - seen[0][0] > 0.66 + 0.1  # X.org's delay, and some more on a busy machine


def test_names_of_keys():
    assert key_names(b"wW\r\x7f\x1b[A\x1bOB\x1b[5~\x1b[3~ \xc3\x01\x1b") == [
        *("w", "w", "enter", "backspace", "up", "down", "pageup", "delete", "space", "escape")
    ]
    assert key_names(b"\x1b\x1b") == ["escape", "escape"]


@pytest.mark.parametrize(
    "before", [b"\x1b", b"\x1b\x1b", b"\x1b[", b"\x1b[1", b"\x1bO", b"\x1b[1;5", b"\xc3"]
)
def test_what_stops_is_never_swallowed(before):
    assert key_names(before + b" ")[-1:] == ["space"]


UNKNOWN = {
    "Home": b"\x1b[H",
    "Home of another terminal": b"\x1b[1~",
    "F1": b"\x1bOP",
    "F1 of the console": b"\x1b[[A",
    "F5": b"\x1b[15~",
    "Ctrl-Up": b"\x1b[1;5A",
    "Alt-x": b"\x1bx",
    "Alt-Enter": b"\x1b\r",
    "Alt-Up": b"\x1b\x1b[A",
    "Alt-ö": b"\x1b\xc3\xb6",
    "keypad's Enter": b"\x1bOM",
}


@pytest.mark.parametrize("key", UNKNOWN)
def test_keys_that_nothing_is_bound_to_are_no_other_keys(key):
    assert key_names(UNKNOWN[key]) == []
    assert key_names(b"p" + UNKNOWN[key] + b"w") == ["p", "w"]


@pytest.fixture
def opened(terminal) -> Iterator[Terminal]:
    opened = Terminal(terminal[1])
    yield opened
    opened.close()


@pytest.mark.parametrize("key", [*UNKNOWN.values(), b"\x1b[A", b"\x1b[5~"])
def test_a_sequence_may_come_in_pieces(opened, terminal, key):
    for cut in range(1, len(key)):
        os.write(terminal[0], key[:cut])
        assert opened.read(PATIENCE) == []
        os.write(terminal[0], key[cut:] + b"w")
        assert opened.read(PATIENCE) == [*key_names(key), "w"]


def test_escape_alone_is_told_when_nothing_follows(opened, terminal):
    for typed, keys in ((b"w\x1b", ["w", "escape"]), (b"\x1b[", []), (b"\x1bO", [])):
        os.write(terminal[0], typed)
        assert opened.read(PATIENCE) + opened.read(0.0) == keys


def test_no_echo_meanwhile_and_the_terminal_is_as_before_afterwards(terminal):
    before = modes(terminal[1])
    keyboard = Keyboard(DeviceConfig.load("keyboard"), lambda: None, terminal[1])
    keyboard.start()
    wait(lambda: not keyboard.reading.problem)
    assert not modes(terminal[1])[3] & (termios.ECHO | termios.ICANON)
    assert modes(terminal[1])[3] & termios.ISIG  # Ctrl-C still interrupts
    keyboard.close()
    assert modes(terminal[1]) == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_the_terminal_is_as_before_after_a_signal(terminal, name):
    before = modes(terminal[1])
    command = [sys.executable, "-c", _SIGNALS_END + _HOLD_TERMINAL, terminal[1]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline() == "ready\n"
    assert modes(terminal[1]) != before
    process.send_signal(getattr(signal, name))
    process.wait(PATIENCE)
    process.stdout.close()
    assert modes(terminal[1]) == before


_SIGNALS_END = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as rclpy does it in a node
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests started in the background ignore these
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # two, which is inherited
"""


def test_a_path_that_is_no_terminal_says_what_to_do(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path, reason in ((str(file), "is not a terminal"), ("/dev/pts/none", "cannot be opened")):
        keyboard = Keyboard(DeviceConfig.load("keyboard"), lambda: None, path)
        keyboard.start()
        wait(lambda reason=reason, keyboard=keyboard: reason in keyboard.reading.problem)
        assert "tty; sleep infinity" in keyboard.reading.problem
        keyboard.close()


def test_a_closed_terminal_is_a_problem():
    person, line = pty.openpty()
    path = os.ttyname(line)
    keyboard = Keyboard(DeviceConfig.load("keyboard"), lambda: None, path)
    keyboard.start()
    wait(lambda: not keyboard.reading.problem)
    os.close(line)
    os.close(person)
    wait(lambda: path in keyboard.reading.problem)
    keyboard.close()


def test_wrong_settings_are_named():
    loaded = DeviceConfig.load("keyboard")
    loaded.settings["axes"] = {"forward": {"plus": ["w"], "minus": ["s"]}}
    with pytest.raises(ConfigError, match="one of x, y, z, roll, pitch, yaw; got 'forward'"):
        Keyboard(loaded, lambda: None)
