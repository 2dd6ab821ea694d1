"""The correction node with a SpaceMouse whose HID reports come through a file descriptor: `_cap.py FD`."""

from __future__ import annotations

import os
import select
import sys

from rfs_policy.nodes.run import run
from rfs_teleop.devices.config import DeviceConfig
from rfs_teleop.devices.device import Device
from rfs_teleop.devices.spacemouse import SpaceMouse, find_spacemouse
from rfs_teleop.nodes.correction_node import CorrectionNode

COMPACT = (0x256F, 0xC635)


class PipedHid:
    """What easyhid gives for a SpaceMouse Compact; like a hidraw file it is polled, then read."""

    vendor_id, product_id = COMPACT
    usage_page, usage, path = 1, 8, "pipe"

    def __init__(self, file: int) -> None:
        self._file = file

    def open(self) -> None:
        """Open already."""

    def close(self) -> None:
        """The process ends with it."""

    def write(self, data: bytes) -> int:
        """A light that nobody sees."""
        return len(data)

    def read(self, size: int, timeout: int) -> bytes:
        """One report (7 bytes, as they are written), or nothing within `timeout` ms."""
        ready = select.select([self._file], [], [], timeout / 1e3)[0]
        return os.read(self._file, size) if ready else b""


class PipedNode(CorrectionNode):
    """The real node; only the HID object below the decoder is another one."""

    def _open(self, config: DeviceConfig) -> Device:
        hid = PipedHid(int(sys.argv[1]))
        mouse = SpaceMouse(config, self._changed.trigger, lambda: find_spacemouse([hid]))
        mouse.start()
        return mouse


if __name__ == "__main__":
    sys.exit(run("correction", PipedNode, PipedNode.close))
