"""``./rfs test [PYTEST ARGUMENT...]``: the whole test suite in the built workspace."""

from __future__ import annotations

import os
import subprocess
import sys

WORKERS = ["-n", "2", "--dist", "loadfile"]
#: An installed ROS brings pytest plugins that older pytests load; only the ones used here are wanted.
PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin,_hypothesis_pytestplugin"}


def main(argv: list[str]) -> int:
    """pytest's exit status. Without arguments all tests run, on two processes."""
    command = [sys.executable, "-m", "pytest", *(argv or WORKERS)]
    variables = os.environ | PLUGINS | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=os.environ["RFS_ROOT"], env=variables, check=False).returncode
