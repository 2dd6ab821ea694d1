"""What ``./rfs adapt`` has done so far: a JSON file beside the results, written after every step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rfs_learning.differing_settings import differences
from rfs_policy.checkpoint import write_atomically

FORMAT = "rfs-adapt"


class AdaptRecord:
    """Steps by name: their settings, seconds, the command, and whether they are finished or out of date.

    Raises:
        ValueError: the file is something else.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.steps: dict[str, dict[str, Any]] = {}
        if file.is_file():
            try:
                content = json.loads(file.read_text())
                if content["format"] != FORMAT:
                    raise ValueError(f"it has the format {content['format']}")
                self.steps = {str(name): dict(step) for name, step in content["steps"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"'{file}' does not tell what was done ({error}): give another --output"
                ) from error

    def known(self, name: str) -> bool:
        """Whether the step was begun at all."""
        return name in self.steps

    def finished(self, name: str) -> bool:
        """Whether its result stands."""
        step = self.steps.get(name, {})
        return bool(step.get("finished")) and not step.get("outdated")

    def outdated(self, name: str) -> bool:
        """Whether a step that it needs was done again since."""
        return bool(self.steps.get(name, {}).get("outdated"))

    def seconds(self, name: str) -> float:
        """Wall time that it took so far."""
        return float(self.steps.get(name, {}).get("seconds", 0.0))

    def changed(self, name: str, settings: Mapping[str, Any]) -> list[str]:
        """What differs from the settings with which it was begun."""
        if not self.known(name):
            return []
        return differences(self.steps[name]["settings"], json.loads(json.dumps(settings)))

    def begin(self, name: str, settings: Mapping[str, Any], command: str, outdates: Iterable[str]) -> None:
        """The step begins, or goes on; what needs it is out of date."""
        before = self.seconds(name)
        self.steps[name] = {"settings": dict(settings), "command": command, "seconds": before}
        for other in outdates:
            if other in self.steps:
                self.steps[other]["outdated"] = True
        self._write()

    def end(self, name: str, seconds: float, finished: bool) -> None:
        """It ran for that long, and is finished or was interrupted."""
        step = self.steps[name]
        step |= {"seconds": round(step["seconds"] + seconds, 1), "finished": finished}
        self._write()

    def forget(self, name: str) -> None:
        """It will be done anew."""
        self.steps.pop(name, None)
        self._write()

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "steps": self.steps}
        write_atomically(self.file, (json.dumps(content, indent=2) + "\n").encode())
