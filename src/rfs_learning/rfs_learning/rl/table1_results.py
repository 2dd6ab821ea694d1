"""The records of a results folder, and what the report asks of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rfs_learning.estimates import (
    Count,
    Estimate,
    combined,
    mean_difference,
    mean_estimate,
    over_tasks,
    rate_difference,
    rate_estimate,
)
from rfs_learning.rl.episode_choices import Noise
from rfs_learning.rl.learning_curve import area, steps_to
from rfs_learning.rl.methods import METHODS
from rfs_learning.rl.table1_plan import BASE, settings_hash
from rfs_learning.rl.table1_record import CellRecord

ROWS = (BASE, *METHODS)
"""Of the tables, in the paper's order, after where they start."""


def label(method: str) -> str:
    """Of a row, for people."""
    return "base alone, hand + arm" if method == BASE else METHODS[method].label


@dataclass(frozen=True)
class Results:
    """Records of all cells that finished or failed. tasks: in the order of the tables; seeds: how many a
    method should have."""

    records: tuple[CellRecord, ...]
    tasks: tuple[str, ...]
    seeds: int

    @classmethod
    def read(cls, folder: Path, tasks: Iterable[str], seeds: int) -> "Results":
        """All there is below a folder; `tasks` come first, and also where nothing is known of them.

        Raises:
            ValueError: a file is no record.
        """
        files = sorted(folder.glob("*/*/*.json"))
        records = [CellRecord.read(file) for file in files if file.parent.name in ROWS]
        records.sort(key=lambda record: record.cell.seed)
        names = dict.fromkeys([*tasks, *(record.cell.task for record in records)])
        return cls(tuple(records), tuple(names), seeds)

    def of(self, method: str, task: str) -> list[CellRecord]:
        """Finished records, by seed."""
        return [r for r in self.records if r.finished and (r.cell.method, r.cell.task) == (method, task)]

    @property
    def failed(self) -> list[CellRecord]:
        """Of cells without a result."""
        return [record for record in self.records if not record.finished]

    def missing(self, methods: Sequence[str]) -> list[str]:
        """`RFS, hand on pinch: 1 of 3 seeds` for all that is not complete."""
        wanted = {method: 1 if method == BASE else self.seeds for method in methods}
        return [
            f"{label(method)} on {task}: {len(self.of(method, task))} of {count}"
            for method, count in wanted.items()
            for task in self.tasks
            if len(self.of(method, task)) < count
        ]

    def mixed(self) -> list[str]:
        """Tasks whose records were made with more than one set of settings: they cannot be compared."""
        made = {(r.cell.task, settings_hash(r.settings)) for r in self.records if r.finished}
        return [task for task in self.tasks if sum(name == task for name, _ in made) > 1]

    def success(self, method: str, task: str | None, noise: Noise) -> Estimate | None:
        """On a task, or over all (None); None where nothing is known."""
        if task is not None:
            counts = self._counts(method, task, noise)
            return rate_estimate(counts) if counts else None
        counts = [self._counts(method, each, noise) for each in self.tasks]
        return over_tasks(counts) if all(counts) else None

    def difference(self, first: str, second: str, task: str | None, noise: Noise) -> Estimate | None:
        """Of two methods' success."""
        parts = []
        for each in self.tasks if task is None else (task,):
            a, b = (self._counts(method, each, noise) for method in (first, second))
            if not (a and b):
                return None
            parts.append(rate_difference(a, b))
        return combined(parts)

    def areas(self, method: str, task: str) -> Estimate | None:
        """Area under the learning curve."""
        found = self.mean(method, task, lambda record: area(record.rates))
        return found and replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))

    def area_difference(self, first: str, second: str, task: str | None) -> Estimate | None:
        """Of two methods' areas, on a task or over all (None)."""
        parts = []
        for each in self.tasks if task is None else (task,):
            a, b = ([area(record.rates) for record in self.of(method, each)] for method in (first, second))
            if not (a and b):
                return None
            parts.append(mean_difference(a, b))
        return combined(parts)

    def mean(self, method: str, task: str, value: Callable[[CellRecord], float]) -> Estimate | None:
        """Over seeds, of anything that a record tells."""
        values = [value(record) for record in self.of(method, task)]
        return mean_estimate(values) if values else None

    def steps(self, method: str, task: str) -> list[int | None]:
        """Control steps to 80 %, by seed; None: not reached."""
        return [steps_to(record.rates) for record in self.of(method, task)]

    def lifted(self, method: str, task: str) -> Estimate | None:
        """Share of all episodes that lifted and held, feasible or not; mean policy."""
        finals = [record.final["mean"] for record in self.of(method, task)]
        return rate_estimate([(final["lifted"], final["episodes"]) for final in finals]) if finals else None

    def infeasible(self, method: str, task: str, noise: Noise = "mean") -> Estimate | None:
        """Share of the lifting episodes in which fingers went into each other."""
        finals = [record.final[noise] for record in self.of(method, task)]
        counts = [(final["infeasible_of_lifted"], final["lifted"]) for final in finals if final["lifted"]]
        return rate_estimate(counts) if counts else None

    def levels(self, method: str, task: str) -> dict[float, Estimate]:
        """Success by factor on the task's disturbances."""
        found: dict[float, list[Count]] = {}
        for record in self.of(method, task):
            for name, count in record.levels.items():
                found.setdefault(float(name), []).append(count)
        return {level: rate_estimate(found[level]) for level in sorted(found)}

    def objects(self, task: str) -> list[str]:
        """Of a task."""
        finals = [r.final["mean"] for r in self.records if r.finished and r.cell.task == task]
        return list(dict.fromkeys(name for final in finals for name in final["objects"]))

    def on_object(self, method: str, task: str, name: str) -> Estimate | None:
        """Success with one object, mean policy."""
        entries = [r.final["mean"]["objects"].get(name) for r in self.of(method, task)]
        counts = [(entry["successes"], entry["episodes"]) for entry in entries if entry]
        return rate_estimate(counts) if counts else None

    def reasons(self, method: str, task: str) -> dict[str, float]:
        """Share of all episodes that failed for a reason, mean policy."""
        finals = [record.final["mean"] for record in self.of(method, task)]
        episodes = sum(final["episodes"] for final in finals)
        names = sorted({name for final in finals for name in final["failures"]})
        return {name: sum(final["failures"].get(name, 0) for final in finals) / episodes for name in names}

    def _counts(self, method: str, task: str, noise: Noise) -> list[Count]:
        return [record.count(noise) for record in self.of(method, task)]
