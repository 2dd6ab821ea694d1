"""The ``rfs`` command: find the command, make sure it can run, run it in the built workspace."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

from rfs_bringup import commands, workspace
from rfs_bringup.errors import SetupError

_HELP = ("-h", "--help")


def main(root: Path, arguments: list[str]) -> int:
    """Exit status of the command; 2 for a mistake in the arguments, 1 when this machine lacks something."""
    if not arguments or arguments[0] in (*_HELP, "help"):
        print(commands.overview())
        return 0
    group = commands.group(arguments[0]) if arguments[1:] and arguments[1] in _HELP else ""
    if group:
        print(group)
        return 0
    try:
        command, rest = commands.find(arguments)
    except ValueError as error:
        print(f"rfs: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return run_here(root, command, rest) if not command.installed else run_installed(root, command, rest)
    except SetupError as error:
        print(f"rfs: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrfs: interrupted. Run the same command again: a setup resumes.", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def run_here(root: Path, command: commands.Command, arguments: list[str]) -> int:
    """Run in this interpreter, with the standard library only."""
    os.environ["RFS_ROOT"] = str(root)
    return importlib.import_module(command.module).main(arguments)


def run_installed(root: Path, command: commands.Command, arguments: list[str]) -> int:
    """Become the environment's Python, so that signals and the exit status are the command's own."""
    place = workspace.open_workspace(root)
    variables = workspace.ensure(place, command.development) | {"RFS_ROOT": str(root)}
    python = str(place.python)
    sys.stdout.flush()
    sys.stderr.flush()
    forward = [python, "-m", "rfs_bringup.forward", command.words, command.module, *arguments]
    os.execve(python, forward, variables)
