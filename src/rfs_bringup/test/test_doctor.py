"""What `./rfs doctor` says of devices."""

from pathlib import Path

from rfs_teleop.devices import spacemouse_access

from rfs_bringup import doctor

ROOT = Path(__file__).resolve().parents[3]
COMPACT, NAVIGATOR, KEYBOARD = ("256f", "c635"), ("046d", "c626"), ("046d", "c31c")


def test_without_a_spacemouse_nothing_is_missing():
    assert doctor._spacemouse([], ROOT).state == "note"


def test_a_spacemouse_without_permission_gets_the_rule_of_the_device_itself():
    finding = doctor._spacemouse([COMPACT], ROOT)
    assert (finding.state, finding.found) == ("missing", "SpaceMouse found, no permission")
    assert spacemouse_access.udev_rule(0x256F, 0xC635) in finding.advice


def test_the_library_is_named_once_there_is_permission(monkeypatch):
    monkeypatch.setattr(doctor, "_hidraw_node", lambda vendor, product: "/dev/null")
    monkeypatch.setattr(doctor.ctypes.util, "find_library", lambda name: None)
    assert "sudo apt install libhidapi-hidraw0" in doctor._spacemouse([NAVIGATOR], ROOT).advice
    monkeypatch.setattr(doctor.ctypes.util, "find_library", lambda name: f"lib{name}.so.0")
    assert doctor._spacemouse([NAVIGATOR], ROOT).state == "ok"


def test_logitech_makes_other_things_too():
    assert [doctor._is_spacemouse(*ids) for ids in (COMPACT, NAVIGATOR, KEYBOARD)] == [True, True, False]
