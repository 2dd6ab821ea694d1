"""Raw HID reports of real SpaceMouse models through pyspacemouse's decoder and the reading thread."""

import queue
import struct
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from rfs_teleop.devices import spacemouse_access
from rfs_teleop.devices.config import ConfigError, DeviceConfig
from rfs_teleop.devices.device import DeviceError
from rfs_teleop.devices.spacemouse import SpaceMouse, find_spacemouse

pytest.importorskip("pyspacemouse")
from easyhid import HIDException

MODELS = {  # vendor, product, whether translation and rotation come in one report
    "SpaceMouseCompact": (0x256F, 0xC635, False),
    "SpaceNavigator": (0x046D, 0xC626, False),
    "SpaceMousePro": (0x046D, 0xC62B, False),
    "SpaceMouseWireless": (0x256F, 0xC62E, True),
}
PATIENCE = 5.0
FULL = 350


class FakeHid:
    """What easyhid gives for one HID interface, with reports that the test hands in."""

    def __init__(self, model: str = "SpaceMouseCompact", path: str = "/dev/null", usage: int = 8) -> None:
        self.vendor_id, self.product_id, self.joint = MODELS[model]
        self.path, self.usage_page, self.usage = path, 1, usage
        self.reports: queue.Queue[bytes | None] = queue.Queue()
        self.written: list[bytes] = []
        self.lit, self.openable, self.opened = threading.Event(), True, 0

    def open(self) -> None:
        if not self.openable:
            raise HIDException("Failed to open device")
        self.opened += 1

    def close(self) -> None:
        self.opened -= 1

    def read(self, size: int, timeout: int) -> bytearray:
        try:
            report = self.reports.get(timeout=timeout / 1e3)
        except queue.Empty:
            return bytearray()
        if report is None:
            raise HIDException("Failed to read from HID device: -1")
        return bytearray(report[:size].ljust(size, b"\0")) if len(report) > 2 else bytearray(report)

    def write(self, data: bytes) -> int:
        self.written.append(bytes(data))
        self.lit.set()
        return len(data)

    def move(
        self, right: int = 0, back: int = 0, down: int = 0, turn: tuple[int, int, int] = (0, 0, 0)
    ) -> None:
        """The cap in the device's own axes, as its reports carry them."""
        translation, rotation = struct.pack("<3h", right, back, down), struct.pack("<3h", *turn)
        if self.joint:
            self.reports.put(b"\1" + translation + rotation)
        else:
            self.reports.put(b"\1" + translation)
            self.reports.put(b"\2" + rotation)

    def buttons(self, *data: int) -> None:
        self.reports.put(bytes([3, *data]).ljust(5, b"\0"))


class Rig:
    """A SpaceMouse on a fake device that the test may unplug."""

    def __init__(self, hid: FakeHid, **settings: object) -> None:
        loaded = DeviceConfig.load("spacemouse")
        loaded.settings.update(settings)
        self.present: list[FakeHid] = [hid]
        self.changed = threading.Event()
        self.mouse = SpaceMouse(loaded, self.changed.set, lambda: find_spacemouse(self.present))
        self.mouse.SEARCH_PERIOD = 0.01
        self.mouse.start()

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, self.mouse.reading
            time.sleep(0.002)

    def reaches(self, *axes: float) -> None:
        self.wait(lambda: np.allclose(self.mouse.reading.axes, axes, atol=1e-9))


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(hid: FakeHid, **settings: object) -> Rig:
        rigs.append(Rig(hid, **settings))
        return rigs[-1]

    yield make
    for made in rigs:
        made.mouse.close()


@pytest.mark.parametrize("model", MODELS)
def test_axes_are_those_of_rep_103(rig, model):
    hid = FakeHid(model)
    cap = rig(hid)
    hid.move(back=-FULL)
    cap.reaches(1, 0, 0, 0, 0, 0)  # pushed away: forward
    hid.move(right=-FULL)
    cap.reaches(0, 1, 0, 0, 0, 0)  # pushed to the left
    hid.move(down=-FULL)
    cap.reaches(0, 0, 1, 0, 0, 0)  # pulled up
    hid.move(turn=(0, -FULL, 0))
    cap.reaches(0, 0, 0, 1, 0, 0)  # around forward: the right side goes down
    hid.move(turn=(-FULL, 0, 0))
    cap.reaches(0, 0, 0, 0, 1, 0)  # around left: the front goes down
    hid.move(turn=(0, 0, -FULL))
    cap.reaches(0, 0, 0, 0, 0, 1)  # counterclockwise from above


def test_translation_and_rotation_of_separate_reports_are_one_state(rig):
    hid = FakeHid("SpaceNavigator")
    cap = rig(hid)
    hid.reports.put(b"\1" + struct.pack("<3h", 0, -FULL, 0))
    hid.reports.put(b"\2" + struct.pack("<3h", 0, 0, -FULL))
    cap.reaches(1, 0, 0, 0, 0, 1)


def test_clamped_and_dead_band(rig):
    hid = FakeHid()
    cap = rig(hid)
    hid.move(back=-480, right=34, down=-FULL // 2)  # 480 is more than full; 34 is inside the dead band of 0.1
    cap.reaches(1, 0, (0.5 - 0.1) / 0.9, 0, 0, 0)


@pytest.mark.parametrize(
    ("model", "left", "right"),
    [("SpaceMouseCompact", (1,), (2,)), ("SpaceMouseWireless", (1,), (2,)), ("SpaceMousePro", (1,), (2,))],
)
def test_buttons(rig, model, left, right):
    hid = FakeHid(model)
    cap = rig(hid)
    hid.buttons(*left)
    hid.buttons(left[0] | right[0])
    hid.buttons(0)
    seen = []
    cap.wait(lambda: seen.extend(cap.mouse.changes()) or len(seen) >= 3)
    assert [buttons for _, buttons in seen] == [
        frozenset({"LEFT"}),
        frozenset({"LEFT", "RIGHT"}),
        frozenset(),
    ]


def test_a_button_does_not_move_and_a_move_does_not_press(rig):
    hid = FakeHid()
    cap = rig(hid)
    hid.move(back=-FULL)
    hid.buttons(2)
    cap.wait(lambda: cap.mouse.reading.buttons == {"RIGHT"})
    cap.reaches(1, 0, 0, 0, 0, 0)
    hid.move(right=-FULL)
    cap.reaches(0, 1, 0, 0, 0, 0)
    assert cap.mouse.reading.buttons == {"RIGHT"}


def test_a_lost_last_report_does_not_push_forever(rig):
    hid = FakeHid()
    cap = rig(hid, release_seconds=0.05)
    hid.move(back=-FULL)
    cap.reaches(1, 0, 0, 0, 0, 0)
    cap.reaches(0, 0, 0, 0, 0, 0)  # no report of the cap's release came
    hid.reports.put(b"\2" + struct.pack("<3h", 0, 0, -FULL))
    cap.reaches(0, 0, 0, 0, 0, 1)  # and the old deflection does not come back with the next report


def test_garbage_changes_nothing(rig):
    hid = FakeHid()
    cap = rig(hid, release_seconds=5.0)
    hid.move(back=-FULL)
    cap.reaches(1, 0, 0, 0, 0, 0)
    for report in (b"\xff" * 7, b"\x17\1\2\3", b"\3", b"\1", b"\1" + struct.pack("<3h", 32767, -32768, 9999)):
        hid.reports.put(report)
    hid.buttons(1)
    cap.wait(lambda: cap.mouse.reading.buttons == {"LEFT"})
    cap.reaches(1, 0, 0, 0, 0, 0)
    hid.move(right=-FULL)
    cap.reaches(0, 1, 0, 0, 0, 0)


def test_unplugged_and_back(rig):
    hid = FakeHid()
    cap = rig(hid)
    hid.move(back=-FULL)
    hid.buttons(1)
    cap.wait(lambda: cap.mouse.reading.buttons)
    cap.changed.clear()
    cap.present.clear()
    hid.reports.put(None)
    assert cap.changed.wait(PATIENCE)
    cap.wait(lambda: cap.mouse.reading.problem == spacemouse_access.NO_DEVICE)
    assert not cap.mouse.reading.axes.any()
    assert cap.mouse.changes()[-1][1] is None
    again = FakeHid("SpaceNavigator")
    cap.present.append(again)
    again.move(right=-FULL)
    cap.reaches(0, 1, 0, 0, 0, 0)
    assert [buttons for _, buttons in cap.mouse.changes()] == [frozenset()]  # what is down from now on
    assert not cap.mouse.reading.problem
    assert (hid.opened, again.opened) == (0, 1)


def test_the_light_follows(rig):
    hid = FakeHid()
    cap = rig(hid)
    cap.mouse.set_light(True)
    assert hid.lit.wait(PATIENCE)
    assert hid.written[0] == b"\4\1"
    cap.mouse.close()
    assert hid.written[-1] == b"\4\0"


def test_no_device_says_so():
    with pytest.raises(DeviceError, match="no SpaceMouse found: connect one"):
        find_spacemouse([])


def test_without_permission_the_rule_is_ready_to_paste():
    hid = FakeHid(path="/dev/hidraw-that-nobody-may-open")
    hid.openable = False
    with pytest.raises(DeviceError) as error:
        find_spacemouse([hid])
    text = str(error.value)
    assert 'KERNEL=="hidraw*", KERNELS=="*:256F:C635.*", MODE="0666"' in text
    assert "udevadm control --reload-rules" in text
    assert "\n" not in text


def test_the_cap_is_chosen_among_the_interfaces_of_a_receiver():
    interfaces = [FakeHid(usage=6), FakeHid(usage=8)]
    find_spacemouse(interfaces)
    assert [hid.opened for hid in interfaces] == [0, 1]


def test_without_hidapi_the_package_is_named(monkeypatch):
    import easyhid

    def enumerate_without_library() -> None:
        raise AttributeError("function/symbol 'hid_enumerate' not found in library '<None>'")

    monkeypatch.setattr(easyhid, "Enumeration", enumerate_without_library)
    with pytest.raises(OSError, match="sudo apt install libhidapi-hidraw0"):
        SpaceMouse(DeviceConfig.load("spacemouse"), lambda: None)


def test_wrong_settings_are_named():
    loaded = DeviceConfig.load("spacemouse")
    loaded.settings["release_seconds"] = "soon"
    with pytest.raises(ConfigError, match="release_seconds"):
        SpaceMouse(loaded, lambda: None, lambda: None)
