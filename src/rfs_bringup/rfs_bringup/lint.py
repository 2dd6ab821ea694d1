"""``./rfs lint``: ruff (lint and format) on everything, pyright on the ROS-free cores."""

from __future__ import annotations

import os
import subprocess
import sys

CHECKS = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("pyright", ["pyright"]),
)


def main(argv: list[str]) -> int:
    """1 when any check fails; all of them run."""
    if argv:
        print(f"rfs lint: takes no arguments, got {' '.join(argv)}", file=sys.stderr)
        return 2
    failed = [name for name, command in CHECKS if not _passes(command)]
    print(f"failed: {', '.join(failed)}" if failed else "all clean")
    return int(bool(failed))


def _passes(command: list[str]) -> bool:
    print(f"== {' '.join(command)}", flush=True)
    line = [sys.executable, "-m", *command]
    return subprocess.run(line, cwd=os.environ["RFS_ROOT"], check=False).returncode == 0
