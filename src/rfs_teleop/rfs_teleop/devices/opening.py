"""Opens a device by its name."""

from collections.abc import Callable

from rfs_teleop.devices.config import DeviceConfig
from rfs_teleop.devices.device import ThreadedDevice
from rfs_teleop.devices.gamepad import Gamepad
from rfs_teleop.devices.keyboard import Keyboard
from rfs_teleop.devices.spacemouse import SpaceMouse


def open_device(loaded: DeviceConfig, on_change: Callable[[], None], terminal: str = "") -> ThreadedDevice:
    """The device of a configuration, being read.

    Args:
        loaded: of any device but the scripted operator, which is no device of this machine.
        on_change: called in another thread when a button or the device's problem changes.
        terminal: the keyboard's, as in /dev/pts/3; empty: the one that the process was started in.

    Raises:
        ValueError: its settings are wrong.
        OSError: this machine lacks something that no waiting brings; the text says what to do.
    """
    device = _made(loaded, on_change, terminal)
    device.start()
    return device


def _made(loaded: DeviceConfig, on_change: Callable[[], None], terminal: str) -> ThreadedDevice:
    if loaded.device == "keyboard":
        return Keyboard(loaded, on_change, terminal)
    return Gamepad(loaded, on_change) if loaded.device == "gamepad" else SpaceMouse(loaded, on_change)
