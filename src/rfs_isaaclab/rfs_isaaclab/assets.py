"""Where the files are that `./rfs setup isaaclab` made: robot, table and objects as USD."""

import os
from pathlib import Path

from rfs_sim_bridge.objects import find_object

from rfs_isaaclab.mjcf_sources import ROBOT_NAME

FOLDER_VARIABLE = "RFS_ISAACLAB_ASSETS"
_SET_UP = "run ./rfs setup isaaclab"


def folder() -> Path:
    """RFS_ISAACLAB_ASSETS, or `assets` beside the built workspace that this package lies in.

    Raises:
        FileNotFoundError: there is no robot in it.
    """
    named = os.environ.get(FOLDER_VARIABLE, "")
    found = Path(named) if named else _beside_this_environment()
    if not robot_in(found).is_file():
        raise FileNotFoundError(f"no robot for Isaac Lab at {robot_in(found)}: {_SET_UP}")
    return found


def _beside_this_environment() -> Path:
    return Path(os.environ.get("VIRTUAL_ENV", "/nonexistent")) / "rfs" / "assets"


def robot_in(assets: Path) -> Path:
    return assets / f"{ROBOT_NAME}.usda"


def table_in(assets: Path) -> Path:
    return assets / "table.usda"


def object_in(assets: Path, name: str) -> Path:
    """The object's file.

    Raises:
        ValueError: there is no such object.
        FileNotFoundError: it was not made.
    """
    file = assets / "objects" / f"{find_object(name).name}.usda"
    if not file.is_file():
        raise FileNotFoundError(f"no object '{name}' for Isaac Lab at {file}: {_SET_UP}")
    return file
