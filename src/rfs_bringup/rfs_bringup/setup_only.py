"""``./rfs setup [isaaclab]``: make an environment and build, nothing else."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rfs_bringup import isaaclab_workspace, workspace
from rfs_bringup.errors import SetupError


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="rfs setup", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=("isaaclab",), help="Isaac Lab, in an environment of its own (8 GB)"
    )
    parser.add_argument("--dev", action="store_true", help="also install what tests and lint need")
    parser.add_argument("--python", default="", metavar="PATH", help="the Python 3.12 that Isaac Lab gets")
    options = parser.parse_args(argv)
    root = Path(os.environ["RFS_ROOT"])
    if options.python and options.what != "isaaclab":
        raise SetupError("--python goes with isaaclab, as in: ./rfs setup isaaclab --python PATH")
    place = workspace.open_workspace(root)
    workspace.ensure(place, options.dev)
    if options.what == "isaaclab":
        return _isaaclab(root, options.python)
    print(f"Ready: {place.flavor.title}. To use ros tools by hand: source {place.root}/install/setup.bash")
    return 0


def _isaaclab(root: Path, python: str) -> int:
    place = isaaclab_workspace.open_isaaclab(root, python)
    isaaclab_workspace.ensure(place)
    version = isaaclab_workspace.installed_version(place)
    print(f"Ready: Isaac Lab {version} in {place.venv}. Try: ./rfs demo --sim isaaclab --trials 2")
    return 0
