"""Which run a folder of training holds: settings and what was learned from, in its run.json. A run goes on as
the same one, and another one never takes its place.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rfs_learning.differing_settings import differences
from rfs_learning.flow_state import STATE_FILE, steps_done

RUN_FILE = "run.json"
_MAY_CHANGE = ("steps", "threads", "log_every", "save_every")  # the budget, and what no step depends on


def identify(command: str, settings: Mapping[str, Any], sources: Mapping[str, Any]) -> dict[str, Any]:
    """All that may not differ, as JSON data. sources: hashes of data and checkpoints by name."""
    kept = {name: value for name, value in settings.items() if name not in _MAY_CHANGE}
    return json.loads(json.dumps({"command": command, "training": kept, **sources}))


def require_same_run(folder: Path, identity: Mapping[str, Any]) -> None:
    """ValueError unless the run in a folder was begun as this one."""
    before = _read(folder)
    if not before:
        raise ValueError(
            f"'{folder / RUN_FILE}' is missing, so the run there may be another one: choose another --output"
        )
    different = differences(before, identity)
    if different:
        raise ValueError(
            f"the run in '{folder}' is another one: {', '.join(different)}. Resume with the same settings "
            "(its config.json has them) and data, or choose another --output"
        )


def require_no_run(folder: Path, identity: Mapping[str, Any], result: str) -> None:
    """ValueError where something of a run was saved; `result` is the file or folder that it would replace.

    This run itself may begin again where it ended before its first save: it cannot be resumed.
    """
    saved = any((folder / name).exists() for name in (STATE_FILE, result))
    if saved and (_read(folder) != identity or steps_done(folder)):
        raise ValueError(f"'{folder}' holds a run already: go on with --resume, or choose another --output")


def contents_id(*folders: str | Path) -> str:
    """SHA-256 over names and contents of all files below folders, such as datasets.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    digest = hashlib.sha256()
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no dataset at {folder}")
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    """Of the run in a folder; empty where there is none."""
    file = folder / RUN_FILE
    return json.loads(file.read_text()) if file.is_file() else {}
