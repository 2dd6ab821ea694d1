"""Isaac Lab's environment, for tests that run in another one."""

import subprocess
from pathlib import Path

import pytest

from rfs_bringup import isaaclab_workspace

PATIENCE = 600.0  # s: Isaac Lab compiles its kernels when it starts first


def require_isaaclab() -> None:
    """Skip where Isaac Lab was never set up; where it is, but out of date, fail and say so."""
    place = isaaclab_workspace.open_isaaclab(isaaclab_workspace.own_checkout())
    if not place.captured.is_file():
        pytest.skip("needs Isaac Lab: ./rfs setup isaaclab", allow_module_level=True)


def run_in_isaaclab(script: Path, *arguments: str) -> None:
    """Run a script by Isaac Lab's interpreter and wait for it."""
    command = [isaaclab_workspace.own_python(), str(script), *arguments]
    variables = isaaclab_workspace.own_environment()
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
