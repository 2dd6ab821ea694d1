"""Variables that a process of the built workspace runs with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rfs_bringup.errors import SetupError
from rfs_bringup.ros_flavor import PATH_LISTS, RosFlavor


def base(root: Path, venv: Path, flavor: RosFlavor, current: Mapping[str, str]) -> dict[str, str]:
    """The environment to build and source in: the wheels' prefix or the sourced ROS, without this workspace.

    Entries of this workspace are taken out, so sourcing its setup file before ``./rfs`` changes nothing.
    """
    result = dict(current)
    for name in PATH_LISTS:
        entries = [entry for entry in current.get(name, "").split(os.pathsep) if entry]
        own = (str(root / "install"), str(root / "build"), str(root / ".venv"), str(venv))
        kept = [entry for entry in entries if not entry.startswith(own) and _wanted(name, entry, flavor)]
        _set_list(result, name, kept)
    result["VIRTUAL_ENV"] = str(venv)
    result["PATH"] = os.pathsep.join([str(venv / "bin"), current.get("PATH", os.defpath)])
    result.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    result.pop("PYTHONHOME", None)
    result.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)
    return _with_wheels(result, venv) if flavor.from_wheels else result


def _wanted(name: str, entry: str, flavor: RosFlavor) -> bool:
    """With the wheels, path lists of another ROS must not leak in; other library folders stay."""
    return not flavor.from_wheels or (name == "LD_LIBRARY_PATH" and "/opt/ros/" not in entry)


def _set_list(environment: dict[str, str], name: str, entries: list[str]) -> None:
    if entries:
        environment[name] = os.pathsep.join(entries)
    else:
        environment.pop(name, None)


def _with_wheels(environment: dict[str, str], venv: Path) -> dict[str, str]:
    """The wheels' prefix and library folders; setting these saves the re-execution the wheels do else."""
    bundled = sorted(str(folder) for folder in venv.glob("lib/python3.*/site-packages/ros_*.libs"))
    inherited = environment.get("LD_LIBRARY_PATH", "")
    libraries = [str(venv / "lib"), *bundled, *filter(None, inherited.split(os.pathsep))]
    environment.pop("ROS_DISTRO", None)
    return environment | {
        "AMENT_PREFIX_PATH": str(venv),
        "CMAKE_PREFIX_PATH": str(venv),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
    }


def capture(setup: Path, environment: dict[str, str], file: Path) -> None:
    """Source a workspace's setup file once and keep the path lists it gives, for a fast start later."""
    script = 'source "$1" >/dev/null && exec "$2" -c "import json, os; print(json.dumps(dict(os.environ)))"'
    command = ["bash", "-c", script, "bash", str(setup), sys.executable]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(f"{setup} cannot be sourced: {done.stderr.strip()[-500:]}")
    sourced = json.loads(done.stdout)
    lists = {name: sourced.get(name, "") for name in PATH_LISTS}
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(lists, indent=1))
    temporary.replace(file)


def load(environment: dict[str, str], file: Path) -> dict[str, str]:
    """``environment`` with the captured path lists."""
    lists: dict[str, str] = json.loads(file.read_text())
    result = dict(environment)
    for name, value in lists.items():
        _set_list(result, name, [entry for entry in value.split(os.pathsep) if entry])
    return result
