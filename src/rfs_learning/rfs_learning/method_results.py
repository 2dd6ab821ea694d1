"""Evaluations of several methods, each run from one or more training seeds: rates, failures, differences."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

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
        return set.intersection(*({Job(t.object, t.seed) for t in _of(r, objects)} for r in self.records))

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
    """The difference of two methods: paired where both faced the same episodes; None without trials."""
    if not first.counts(objects) or not second.counts(objects):
        return None
    jobs = sorted(first.jobs(objects))
    if set(jobs) != second.jobs(objects) or not jobs:
        estimate = rate_difference(first.counts(objects), second.counts(objects))
        return Difference(first.name, second.name, estimate, paired=False)
    a, b = first.outcomes(jobs), second.outcomes(jobs)
    test = mcnemar(a[0], b[0]) if len(a) == len(b) == 1 else None
    return Difference(first.name, second.name, paired_difference(a, b), paired=True, test=test)


def by_method(named: Sequence[tuple[str, EvaluationRecord]]) -> list[MethodResults]:
    """Records of the same name together, in the order in which names first come."""
    found: dict[str, list[EvaluationRecord]] = {}
    for name, record in named:
        found.setdefault(name, []).append(record)
    return [MethodResults(name, tuple(records)) for name, records in found.items()]


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
