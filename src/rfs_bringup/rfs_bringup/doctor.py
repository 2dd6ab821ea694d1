"""``./rfs doctor``: what this machine has, and what to install for what is missing."""

from __future__ import annotations

import argparse
import ctypes.util
import glob
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rfs_bringup import interpreter, isaaclab_workspace, packages, workspace
from rfs_bringup.errors import SetupError
from rfs_bringup.stamps import Stamps

MARKS = {"ok": "ok     ", "note": "note   ", "missing": "MISSING"}
REALSENSE, SPACEMOUSE = "8086", ("046d", "256f")
SPACEMOUSE_PRODUCTS = {"c603", "c605", "c606", "c621", "c623", "c625", "c626", "c627", "c628", "c629", "c62b"}


@dataclass(frozen=True)
class Finding:
    """One line: ``state`` is ok, note (optional thing not there) or missing (needed, not there)."""

    name: str
    state: str
    found: str
    advice: str = ""


def main(argv: list[str]) -> int:
    """Exit status 1 when something needed is missing."""
    parser = argparse.ArgumentParser(prog="rfs doctor", description=__doc__)
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the findings as a list")
    options = parser.parse_args(argv)
    place = workspace.open_workspace(Path(os.environ["RFS_ROOT"]))
    findings = list(examine(place))
    for finding in findings:
        print(f"{MARKS[finding.state]} {finding.name:<14} {finding.found}")
        if finding.advice:
            print(f"{'':<23}-> {finding.advice}")
    if options.json:
        options.json.write_text(json.dumps([asdict(finding) for finding in findings], indent=1) + "\n")
    return int(any(finding.state == "missing" for finding in findings))


def examine(place: workspace.Workspace) -> Iterator[Finding]:
    """All findings, in the order they are printed."""
    yield Finding("system", "ok", f"{_system_name()}, {platform.machine()}, {os.cpu_count()} cores")
    yield Finding("ros", "ok", place.flavor.title)
    yield from _toolchain(place)
    yield _disk(place)
    yield _state(place)
    yield _isaaclab(place)
    yield _graphics()
    yield _gpu()
    yield from _devices(place)


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return platform.system()


def _toolchain(place: workspace.Workspace) -> Iterator[Finding]:
    try:
        python = interpreter.choose(place.flavor)
    except SetupError as error:
        yield Finding("python", "missing", "no usable Python", str(error))
        return
    yield Finding("python", "ok", f"{'.'.join(map(str, python.version))} ({python.executable})")
    missing = interpreter.missing_tools(python)
    if missing:
        advice = f"apt install {' '.join(package for _, package in missing)}"
        yield Finding("build tools", "missing", ", ".join(what for what, _ in missing), advice)
    else:
        yield Finding("build tools", "ok", "C++ compiler, cmake, make, venv and Python.h")


def _disk(place: workspace.Workspace) -> Finding:
    free = shutil.disk_usage(place.root).free / 1e9
    if free < workspace.NEEDED_DISK_GB and not place.python.exists():
        advice = f"the environment needs about {workspace.NEEDED_DISK_GB:.0f} GB: free some space"
        return Finding("disk", "missing", f"{free:.1f} GB free", advice)
    return Finding("disk", "ok", f"{free:.1f} GB free")


def _state(place: workspace.Workspace) -> Finding:
    stamps = Stamps(place.state / "stamps.json")
    left = [step.title for step in workspace.pending(place, stamps, development=False)]
    if left:
        return Finding(
            "workspace", "note", f"to do: {', '.join(left)}", "any command does this; or: ./rfs setup"
        )
    return Finding("workspace", "ok", f"installed and built ({place.venv})")


def _isaaclab(place: workspace.Workspace) -> Finding:
    lab = isaaclab_workspace.open_isaaclab(place.root)
    version = isaaclab_workspace.installed_version(lab)
    try:
        isaaclab_workspace.run_environment(lab)
    except (FileNotFoundError, ValueError) as error:
        found = f"Isaac Lab {version}" if version else "no Isaac Lab"
        return Finding("isaaclab", "note", found, f"only for sim:=isaaclab: {error}")
    return Finding("isaaclab", "ok", f"{version} ({lab.venv})")


def _graphics() -> Finding:
    """How pictures can be rendered; the simulator's cameras need none of this."""
    for name in ("EGL", "OSMesa"):
        if ctypes.util.find_library(name):
            return Finding("rendering", "ok", f"{name} (report pictures with MuJoCo's renderer)")
    found = "neither EGL nor OSMesa: report pictures come from the built-in ray caster"
    return Finding("rendering", "note", found, "for shaded pictures: apt install libosmesa6 or libegl1")


def _gpu() -> Finding:
    if not packages.has_nvidia():
        return Finding("gpu", "note", "no NVIDIA GPU: everything runs on the CPU")
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Finding("gpu", "note", "an NVIDIA device without a working nvidia-smi", "check the driver")
    return Finding("gpu", "ok", done.stdout.strip().replace("\n", ", ") or "NVIDIA")


def _devices(place: workspace.Workspace) -> Iterator[Finding]:
    usb = _usb_devices()
    space = [(vendor, product) for vendor, product in usb if _is_spacemouse(vendor, product)]
    yield _spacemouse(space, place.root)
    camera = any(vendor == REALSENSE and product.startswith("0b") for vendor, product in usb)
    found = "RealSense found" if camera else "no RealSense found"
    advice = "" if camera else "only for the real robot: connect one to a USB 3 port"
    yield Finding("camera", "ok" if camera else "note", found, advice)
    yield _serial()


def _is_spacemouse(vendor: str, product: str) -> bool:
    return vendor == SPACEMOUSE[1] or (vendor == SPACEMOUSE[0] and product in SPACEMOUSE_PRODUCTS)


def _hidraw_node(vendor: str, product: str) -> str:
    """The file of the HID device with these ids, in hexadecimal; where none is, one that cannot be opened."""
    ids = f":{vendor}:{product}.".upper()
    found = (f for f in sorted(glob.glob("/sys/class/hidraw/*/device")) if ids in os.path.realpath(f).upper())
    return next((f"/dev/{Path(folder).parent.name}" for folder in found), "its /dev/hidraw file")


def _spacemouse(space: list[tuple[str, str]], root: Path) -> Finding:
    """In the words of the device itself, whose package may not be installed yet."""
    sys.path.append(str(root / "src" / "rfs_teleop"))
    from rfs_teleop.devices import spacemouse_access

    if not space:
        return Finding("spacemouse", "note", "no SpaceMouse found", "only for human corrections: connect one")
    vendor, product = space[0]
    node = _hidraw_node(vendor, product)
    if not os.access(node, os.R_OK | os.W_OK):
        advice = spacemouse_access.no_permission(node, int(vendor, 16), int(product, 16))
        return Finding("spacemouse", "missing", "SpaceMouse found, no permission", advice)
    if not ctypes.util.find_library(spacemouse_access.LIBRARY):
        return Finding("spacemouse", "missing", "SpaceMouse found", spacemouse_access.NO_LIBRARY)
    return Finding("spacemouse", "ok", "SpaceMouse found and readable")


def _serial() -> Finding:
    """The LEAP hand hangs on a USB serial adapter."""
    ports = sorted(glob.glob("/dev/serial/by-id/*") or glob.glob("/dev/ttyUSB*"))
    if not ports:
        return Finding("serial", "note", "no USB serial adapter found", "only for a real LEAP hand")
    locked = [port for port in ports if not os.access(port, os.R_OK | os.W_OK)]
    if locked:
        return Finding(
            "serial", "missing", f"no permission: {locked[0]}", 'usermod -aG dialout "$USER", log in anew'
        )
    return Finding("serial", "ok", ", ".join(ports))


def _usb_devices() -> list[tuple[str, str]]:
    """(vendor, product) of the connected USB devices, in hexadecimal."""
    found = []
    for folder in Path("/sys/bus/usb/devices").glob("*"):
        try:
            found.append(
                ((folder / "idVendor").read_text().strip(), (folder / "idProduct").read_text().strip())
            )
        except OSError:
            continue
    return found
