"""What has been done already: one hash of inputs for each finished step, kept in the environment's folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path


class Stamps:
    """Step name -> hash of the inputs it was last finished with. A damaged file counts as empty."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.done: dict[str, str] = {}
        try:
            loaded = json.loads(file.read_text())
            self.done = {str(key): str(value) for key, value in loaded.items()}
        except (OSError, ValueError, AttributeError):
            self.done = {}

    def fresh(self, step: str, inputs: str) -> bool:
        return self.done.get(step) == inputs

    def finish(self, step: str, inputs: str) -> None:
        """Record the step; written to a temporary name and renamed, so that a kill leaves the old file."""
        self.done[step] = inputs
        self._write()

    def forget(self, steps: Iterable[str]) -> None:
        self.done = {key: value for key, value in self.done.items() if key not in set(steps)}
        self._write()

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(self.done, indent=1, sort_keys=True))
        temporary.replace(self.file)


def digest(*parts: str | bytes) -> str:
    """Hash of the parts; where one ends and the next begins matters."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "little") + raw)
    return total.hexdigest()


def digest_files(root: Path, files: Iterable[Path]) -> str:
    """Hash of names (relative to ``root``) and contents; order of ``files`` does not matter."""
    parts: list[str | bytes] = []
    for file in sorted(files):
        parts += [str(file.relative_to(root)), file.read_bytes()]
    return digest(*parts)
