"""Evaluations of several methods, each run from one or more training seeds: rates, failures, differences."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np

from rfs_learning.differing_settings import differences
from rfs_learning.estimates import Count, Estimate, rate_difference, rate_estimate
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.evaluation_table import ALL
from rfs_learning.paired_comparison import McNemar, Outcomes, mcnemar, paired_difference
from rfs_learning.protocol import Job
from rfs_learning.rollout import Trial

Objects = Collection[str]


@dataclass(frozen=True)
class MethodResults:
    """All evaluations of one method: a record for each training seed."""

    name: str
    records: tuple[EvaluationRecord, ...]

    @classmethod
    def of(cls, name: str, records: Sequence[EvaluationRecord]) -> Self:
        """Of records that are said to be one method's.

        Raises:
            ValueError: they were not made in one way, or two of them are the same episodes of one run.
        """
        for first, second in combinations(records, 2):
            changed = differences(_circumstances(first), _circumstances(second))
            if changed:
                raise ValueError(
                    f"evaluations of '{name}' were not made in one way: {', '.join(changed[:3])}. Give each "
                    "method a name of its own, as NAME=FILE"
                )
            if _run(first) == _run(second) and _jobs(first) & _jobs(second):
                raise ValueError(
                    f"two evaluations of '{name}' have the same episodes of the same policy, modulation and "
                    "--policy-seed: they are no two training seeds, give one of them"
                )
        return cls(name, tuple(records))

    def trials(self, objects: Objects | None = None) -> list[Trial]:
        """Of all runs, with these objects (all of them by default)."""
        return [trial for record in self.records for trial in _of(record, objects)]

    def counts(self, objects: Objects | None = None) -> list[Count]:
        """Successes and trials of each run that has some."""
        runs = [_of(record, objects) for record in self.records]
        return [(sum(trial.success for trial in run), len(run)) for run in runs if run]

    def rate(self, objects: Objects | None = None) -> Estimate | None:
        """Mean success over runs with its 95 % interval; None without trials."""
        counts = self.counts(objects)
        return rate_estimate(counts) if counts else None

    def failures(self) -> Counter[str]:
        """How often each failure mode came up, over all runs."""
        return Counter(trial.reason for trial in self.trials() if not trial.success)

    def jobs(self, objects: Objects | None = None) -> set[Job]:
        """Episodes that every run has."""
        return set.intersection(*(_jobs(record, objects) for record in self.records))

    def outcomes(self, jobs: Sequence[Job]) -> Outcomes:
        """(runs, episodes) 1 where a run succeeded."""
        rows = [{Job(t.object, t.seed): t.success for t in record.trials} for record in self.records]
        return np.array([[row[job] for job in jobs] for row in rows], np.float64)


@dataclass(frozen=True)
class Difference:
    """First minus second method. paired: over the same episodes; test: with one run each, if paired."""

    first: str
    second: str
    estimate: Estimate
    paired: bool
    test: McNemar | None = None


def compare(first: MethodResults, second: MethodResults, objects: Objects | None = None) -> Difference | None:
    """The difference of two methods: paired where both faced the same episodes of the same task; None without
    trials."""
    if not first.counts(objects) or not second.counts(objects):
        return None
    jobs = sorted(first.jobs(objects))
    same_task = first.records[0].task == second.records[0].task
    if not same_task or set(jobs) != second.jobs(objects) or not jobs:
        estimate = rate_difference(first.counts(objects), second.counts(objects))
        return Difference(first.name, second.name, estimate, paired=False)
    a, b = first.outcomes(jobs), second.outcomes(jobs)
    test = mcnemar(a[0], b[0]) if len(a) == len(b) == 1 else None
    return Difference(first.name, second.name, paired_difference(a, b), paired=True, test=test)


def by_method(named: Sequence[tuple[str, EvaluationRecord]]) -> list[MethodResults]:
    """Records of the same name together, in the order in which names first come.

    Raises:
        ValueError: those of one name cannot be one method's.
    """
    found: dict[str, list[EvaluationRecord]] = {}
    for name, record in named:
        found.setdefault(name, []).append(record)
    return [MethodResults.of(name, records) for name, records in found.items()]


def groups_of(methods: Sequence[MethodResults]) -> dict[str, tuple[str, ...]]:
    """Groups of objects by name: those of the protocols that were followed, and all objects."""
    groups: dict[str, tuple[str, ...]] = {}
    for record in (record for method in methods for record in method.records):
        if record.protocol is not None:
            groups |= record.protocol.groups()
    return groups | {ALL: objects_of_methods(methods)}


def objects_of_methods(methods: Sequence[MethodResults]) -> tuple[str, ...]:
    """All objects that were tried, in their order."""
    return tuple(dict.fromkeys(trial.object for method in methods for trial in method.trials()))


def _of(record: EvaluationRecord, objects: Objects | None) -> list[Trial]:
    return [trial for trial in record.trials if objects is None or trial.object in objects]


def _jobs(record: EvaluationRecord, objects: Objects | None = None) -> set[Job]:
    return {Job(trial.object, trial.seed) for trial in _of(record, objects)}


def _circumstances(record: EvaluationRecord) -> dict[str, Any]:
    """What all runs of one method have in common, as plain data."""
    return {
        "robot": record.robot_words,
        "modulation": "some" if record.modulation else "none",
        "protocol": asdict(record.protocol) if record.protocol else None,
        "task": record.task.to_dict(),
    }


def _run(record: EvaluationRecord) -> tuple[str, str, int]:
    """What tells one run of a method from another."""
    return record.policy, record.modulation, record.policy_seed
