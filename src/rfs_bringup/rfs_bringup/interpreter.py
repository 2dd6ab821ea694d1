"""Finding the Python that the environment is made with, and what it lacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rfs_bringup.errors import SetupError
from rfs_bringup.ros_flavor import RosFlavor

SUPPORTED = ((3, 11), (3, 12))
_PROBE = """
import importlib.util, json, os, sys, sysconfig
has = lambda name: importlib.util.find_spec(name) is not None
print(json.dumps({
    "version": list(sys.version_info[:3]), "prefix": sys.prefix,
    "venv": has("venv") and has("ensurepip"), "rclpy": has("rclpy"),
    "header": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """One Python: its executable, version, and whether venv, Python.h and rclpy are there."""

    executable: str
    version: tuple[int, int, int]
    has_venv: bool
    has_header: bool
    has_rclpy: bool

    @property
    def name(self) -> str:
        return f"python{self.version[0]}.{self.version[1]}"

    @property
    def supported(self) -> bool:
        return self.version[:2] in SUPPORTED


def probe(executable: str, environment: dict[str, str] | None = None) -> Interpreter | None:
    """Ask an interpreter about itself; None when it does not run."""
    try:
        done = subprocess.run(
            [executable, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=30,
            env=environment,
            check=False,
        )
        facts = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    major, minor, micro = facts["version"]
    return Interpreter(executable, (major, minor, micro), facts["venv"], facts["header"], facts["rclpy"])


def candidates() -> list[str]:
    """Executables to try: the running one (outside any virtual environment), then the usual names."""
    own = getattr(sys, "_base_executable", None) or sys.executable
    named = [shutil.which(name) for name in ("python3", "python3.12", "python3.11")]
    found = [own, *(path for path in named if path), "/usr/bin/python3"]
    return list(dict.fromkeys(path for path in found if path and Path(path).exists()))


def choose(flavor: RosFlavor) -> Interpreter:
    """The interpreter for this flavor; SetupError that says what to install when there is none."""
    found = [python for python in map(probe, candidates()) if python is not None]
    if flavor.from_wheels:
        usable = [python for python in found if python.supported]
        if usable:
            return usable[0]
        seen = ", ".join(sorted({".".join(map(str, python.version)) for python in found})) or "none"
        raise SetupError(
            f"Python 3.11 or 3.12 is needed, found: {seen}. Install one (Debian 12: apt install python3 "
            "python3-venv python3-dev; Ubuntu 24.04: the same) and run this again."
        )
    usable = [python for python in found if python.has_rclpy]
    if usable:
        return usable[0]
    raise SetupError(
        f"ROS 2 {flavor.distro} is sourced, but no Python here can import rclpy (tried: "
        f"{', '.join(python.executable for python in found)}). Install ros-{flavor.distro}-rclpy, "
        "or run this in a shell where ROS is not sourced."
    )


def missing_tools(python: Interpreter) -> list[tuple[str, str]]:
    """What the installation needs and this machine lacks, as (what, Debian package)."""
    versioned = f"{python.name}-" if python.executable.startswith(("/usr/bin", "/bin")) else "python3-"
    needs = [
        ("the venv module of " + python.name, versioned + "venv", python.has_venv),
        ("Python.h of " + python.name, versioned + "dev", python.has_header),
        ("a C++ compiler (g++)", "g++", any(map(shutil.which, ("c++", "g++", "clang++")))),
        ("cmake", "cmake", shutil.which("cmake") is not None),
        ("make", "make", any(map(shutil.which, ("make", "ninja")))),
    ]
    return [(what, package) for what, package, there in needs if not there]


def require_tools(python: Interpreter) -> None:
    """SetupError that names everything missing at once, with the one command that installs it."""
    missing = missing_tools(python)
    if missing:
        sudo = "" if os.geteuid() == 0 else "sudo "
        raise SetupError(
            f"This machine lacks {', '.join(what for what, _ in missing)}. Install with:\n"
            f"    {sudo}apt install {' '.join(package for _, package in missing)}\nand run this again."
        )
