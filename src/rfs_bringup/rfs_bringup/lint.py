"""``./rfs lint``: ruff (lint and format) on everything, pyright on the ROS-free cores.

What imports Isaac Lab is checked against the installed one, where ``./rfs setup isaaclab`` was run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from rfs_bringup import isaaclab_workspace

CHECKS = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("pyright", ["pyright"]),
)


def main(argv: list[str]) -> int:
    """1 when any check fails; all of them run."""
    argparse.ArgumentParser(prog="rfs lint", description=__doc__).parse_args(argv)
    failed = [name for name, command in (*CHECKS, *_isaaclab_checks()) if not _passes(command)]
    print(f"failed: {', '.join(failed)}" if failed else "all clean")
    return int(bool(failed))


def _isaaclab_checks() -> list[tuple[str, list[str]]]:
    place = isaaclab_workspace.open_isaaclab(Path(os.environ["RFS_ROOT"]))
    if not isaaclab_workspace.installed_version(place):
        return []
    return [("pyright of Isaac Lab's package", ["pyright", "--project", "src/rfs_isaaclab"])]


def _passes(command: list[str]) -> bool:
    print(f"== {' '.join(command)}", flush=True)
    line = [sys.executable, "-m", *command]
    return subprocess.run(line, cwd=os.environ["RFS_ROOT"], check=False).returncode == 0
