"""``./rfs setup``: make the environment and build, nothing else."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rfs_bringup import workspace


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="rfs setup", description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also install what tests and lint need")
    options = parser.parse_args(argv)
    place = workspace.open_workspace(Path(os.environ["RFS_ROOT"]))
    workspace.ensure(place, options.dev)
    print(f"Ready: {place.flavor.title}. To use ros tools by hand: source {place.root}/install/setup.bash")
    return 0
