"""Finding a Python 3.12, which Isaac Lab 3 needs, wherever it usually lies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rfs_bringup import interpreter
from rfs_bringup.errors import SetupError

WANTED = (3, 12)
_HOW = (
    "Install it (Ubuntu 24.04: apt install python3.12 python3.12-venv python3.12-dev; elsewhere: "
    "`uv python install 3.12` or `pyenv install 3.12`), or name one: ./rfs setup isaaclab --python PATH"
)


def choose(named: str, variables: Mapping[str, str]) -> interpreter.Interpreter:
    """The named executable, or the first Python 3.12 of `candidates`.

    Raises:
        SetupError: there is none, or the named one is something else.
    """
    if named:
        return _checked(named)
    for path in candidates(variables):
        found = interpreter.probe(path)
        if found is not None and found.version[:2] == WANTED:
            return found
    raise SetupError(f"Isaac Lab needs Python 3.12, and none was found. {_HOW}")


def _checked(named: str) -> interpreter.Interpreter:
    found = interpreter.probe(named)
    if found is None:
        raise SetupError(f"--python {named}: this is no Python that runs. {_HOW}")
    if found.version[:2] != WANTED:
        version = ".".join(map(str, found.version))
        raise SetupError(f"--python {named} is Python {version}; Isaac Lab needs 3.12. {_HOW}")
    return found


def candidates(variables: Mapping[str, str]) -> list[str]:
    """Executables to try: on the path, of pyenv, of uv."""
    on_path = [shutil.which(name, path=variables.get("PATH")) for name in ("python3.12", "python3")]
    home = variables.get("HOME", "/nonexistent")
    pyenv = Path(variables.get("PYENV_ROOT") or Path(home) / ".pyenv")
    of_pyenv = sorted(map(str, pyenv.glob("versions/3.12*/bin/python3.12")), reverse=True)
    return list(dict.fromkeys(path for path in (*on_path, *of_pyenv, _of_uv(variables)) if path))


def _of_uv(variables: Mapping[str, str]) -> str:
    """What uv has installed; it must not download one unasked."""
    uv = shutil.which("uv", path=variables.get("PATH"))
    if uv is None:
        return ""
    command = [uv, "python", "find", "--no-project", "--offline", "3.12"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, env=os.environ | dict(variables), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
