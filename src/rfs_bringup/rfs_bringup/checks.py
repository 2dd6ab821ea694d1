"""``./rfs test [PYTEST ARGUMENT...]``: the whole test suite in the built workspace."""

from __future__ import annotations

import os
import subprocess
import sys

TEST_DOMAIN = "87"
"""ROS domain of the tests, away from the default that a user's own nodes are on."""


def main(argv: list[str]) -> int:
    """pytest's exit status. Without arguments all tests run, on two processes."""
    variables = os.environ | {
        "OMP_NUM_THREADS": "1",
        "ROS_DOMAIN_ID": os.environ.get("RFS_TEST_DOMAIN", TEST_DOMAIN),
    }
    arguments = argv or ["-n", "2", "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=os.environ["RFS_ROOT"], env=variables, check=False).returncode
