"""Results of one cell as one small JSON file: unfinished ones in the run's folder, finished ones for good."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rfs_policy.checkpoint import write_atomically

from rfs_learning.differing_settings import differences
from rfs_learning.estimates import Count
from rfs_learning.rl.learning_curve import Curve, area, steps_to
from rfs_learning.rl.table1_plan import Cell, Plan, settings_hash

FORMAT = 1
RECORD_FILE = "cell.json"
_PACKAGES = ("torch", "numpy", "mujoco", "rsl-rl-lib")
_TRAINING_POINTS = 60
"""Of the success while training, kept for the figure."""


@dataclass
class CellRecord:
    """What is known of a cell.

    Attributes:
        problem: why it failed, in a sentence; diverged: training again would give the same.
        changed: settings that differ from the packaged ones, for people.
        curve: (control steps, successes, episodes) of the mean policy.
        training: (control steps, success) with sampled choices, one an iteration until it is written.
        final: `EpisodeResults.summary` by noise.
        levels: successes and episodes by factor on the task's disturbances.
    """

    cell: Cell
    settings: dict[str, Any]
    changed: list[str] = field(default_factory=list)
    finished: bool = False
    problem: str = ""
    diverged: bool = False
    control_steps: int = 0
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    curve: list[tuple[int, int, int]] = field(default_factory=list)
    training: list[tuple[int, float]] = field(default_factory=list)
    final: dict[str, dict[str, Any]] = field(default_factory=dict)
    levels: dict[str, Count] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, plan: Plan, cell: Cell) -> "CellRecord":
        """Of a cell of which nothing is known yet."""
        return cls(cell, plan.settings(cell), plan.changed(cell), versions=versions())

    @property
    def seconds(self) -> float:
        """Wall time of training and evaluation, one process on one core."""
        return self.training_seconds + self.evaluation_seconds

    @property
    def rates(self) -> Curve:
        """The learning curve: (control steps, success rate of the mean policy)."""
        return [(steps, successes / episodes) for steps, successes, episodes in self.curve]

    def count(self, noise: str) -> Count:
        """Successes and episodes of a final evaluation."""
        return self.final[noise]["successes"], self.final[noise]["episodes"]

    def write(self, file: Path) -> None:
        """Complete or not at all; measured numbers rounded to four digits, one line an entry."""
        content = asdict(self) | {"format": FORMAT, "training": thinned(self.training)}
        if len(self.curve) > 1:
            content |= {"steps_to_80": steps_to(self.rates), "area": area(self.rates)}
        content = _rounded(content) | {
            "settings": self.settings,
            "settings_sha256": settings_hash(self.settings),
        }
        lines = [f"{json.dumps(key)}: {json.dumps(content[key])}" for key in sorted(content)]
        write_atomically(file, ("{\n" + ",\n".join(lines) + "\n}\n").encode())

    @classmethod
    def read(cls, file: Path) -> "CellRecord":
        """What `write` wrote.

        Raises:
            ValueError: something else, or of another version.
        """
        try:
            content = json.loads(file.read_text())
            if content["format"] != FORMAT:
                raise ValueError(f"it has format {content['format']}, {FORMAT} is read here")
            return cls._from_json(content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            way_out = "remove it to do the cell again"
            raise ValueError(f"'{file}' is not the record of a cell ({error}): {way_out}") from error

    @classmethod
    def _from_json(cls, content: Mapping[str, Any]) -> "CellRecord":
        values = {name: content[name] for name in cls.__dataclass_fields__}
        values["cell"] = Cell(**values["cell"])
        values["curve"] = [tuple(point) for point in values["curve"]]
        values["training"] = [tuple(point) for point in values["training"]]
        values["levels"] = {level: tuple(count) for level, count in values["levels"].items()}
        return cls(**values)


def open_record(plan: Plan, cell: Cell, file: Path) -> CellRecord | None:
    """The record in `file`; None where there is none.

    Raises:
        ValueError: it was made with other settings, the text says with which.
    """
    if not file.is_file():
        return None
    record = CellRecord.read(file)
    differing = differences(record.settings, plan.settings(cell))
    if differing:
        raise ValueError(
            f"'{file}' was made with other settings; now: {', '.join(differing)}: "
            f"give another --output and --results, or remove it and {plan.run_folder(cell)}"
        )
    return record


def thinned(points: Sequence[tuple[int, float]], most: int = _TRAINING_POINTS) -> list[tuple[int, float]]:
    """At most `most` points: means over equally many neighbors, at their last control step."""
    size = max(1, -(-len(points) // most))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], float(np.mean([success for _, success in group]))) for group in groups]


def versions() -> dict[str, str]:
    """What a result depends on, besides settings."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def _rounded(value: Any) -> Any:
    """Floats to four significant digits: more would be noise."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list | tuple) else value
