"""A terminal's keys as they are typed, without echo, and the terminal as it was afterwards."""

import atexit
import os
import re
import select
import termios
import tty
from contextlib import suppress

from rfs_teleop.devices.device import DeviceError

_ADVICE = "in another terminal run 'tty; sleep infinity' and give what it prints as terminal:=/dev/pts/..."
_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_NAMES = {
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\t": "tab",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    **{b"\x1b" + mode + end: name for mode in (b"[", b"O") for end, name in _ARROWS.items()},
    b"\x1b[5~": "pageup",
    b"\x1b[6~": "pagedown",
    b"\x1b[3~": "delete",
}
# One key: what escape begins (a function key by ESC [ or ESC O, Alt with a key), or a character. The Linux
# console has F1 as ESC [ [ A, some terminals Alt-Up as ESC ESC [ A.
_KEY = re.compile(rb"\x1b+(?:\[(?:\[.|[0-?]*[ -/]*[@-~]?)|O[0-9;]*[@-~]?|[^\x1b\[O])|.", re.DOTALL)
_BEGUN = re.compile(rb"\x1b+(?:\[\[?|\[[0-?]*[ -/]*|O[0-9;]*)?\Z")


def key_names(typed: bytes) -> list[str]:
    """Keys in what a terminal sent: letters in lower case, and names like up, enter or space. Keys without a
    name are none, also those that a terminal tells by escape and letters which mean something alone. A space,
    the key that stops, is told whatever stands before it: no key's sequence ends in one."""
    return [name for key in _KEY.findall(typed) if (name := _NAMES.get(key) or _character(key))]


def _character(key: bytes) -> str:
    if key.endswith(b" "):
        return "space"
    return chr(key[0]).lower() if len(key) == 1 and 33 <= key[0] < 127 else ""


class Terminal:
    """A terminal in character mode until `close`; Ctrl-C still interrupts.

    Raises:
        DeviceError: there is no such terminal; what to do.
    """

    def __init__(self, path: str) -> None:
        self.path = path or "/dev/tty"
        self._begun = b""
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise DeviceError(
                f"keyboard: {self.path} cannot be opened ({error.strerror}); {_ADVICE}"
            ) from error
        try:
            self._before = termios.tcgetattr(self._file)
            tty.setcbreak(self._file)
        except termios.error as error:
            os.close(self._file)
            raise DeviceError(f"keyboard: {self.path} is not a terminal; {_ADVICE}") from error
        atexit.register(self.close)

    def read(self, timeout: float) -> list[str]:
        """Keys typed since the last call; waits up to `timeout` s for one.

        What may be the beginning of a key is told by the next call: with its rest, or when nothing followed.

        Raises:
            DeviceError: the terminal was closed.
        """
        if not select.select([self._file], [], [], timeout)[0]:
            typed, self._begun = self._begun, b""
            return key_names(typed)
        try:
            typed = os.read(self._file, 1024)
        except BlockingIOError:
            return []
        except OSError:
            typed = b""
        if not typed:
            raise DeviceError(f"keyboard: the terminal {self.path} was closed; {_ADVICE}")
        typed = self._begun + typed
        begun = _BEGUN.search(typed)
        whole = begun.start() if begun else len(typed)
        self._begun = typed[whole:]
        return key_names(typed[:whole])

    def close(self) -> None:
        """Set the terminal back to how it was."""
        if self._file < 0:
            return
        with suppress(termios.error):
            termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)
        os.close(self._file)
        self._file = -1
        atexit.unregister(self.close)
