"""Success by object, by group and in total, as plain data and for people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rfs_teleop.statistics import describe_rate, wilson_interval
from rich.console import Console
from rich.table import Table

from rfs_learning.rollout import Trial

ALL = "all"


def rows_of(
    trials: Sequence[Trial], groups: Mapping[str, Sequence[str]] | None = None
) -> list[dict[str, Any]]:
    """Per object, per group of objects and in total: trials, successes, Wilson interval, mean seconds of
    successes, failures."""
    names = list(dict.fromkeys(trial.object for trial in trials))
    sets: dict[str, Sequence[str]] = {name: [name] for name in names}
    sets |= {**(groups or {}), ALL: names}
    return [_row(name, [trial for trial in trials if trial.object in held]) for name, held in sets.items()]


def _row(name: str, trials: Sequence[Trial]) -> dict[str, Any]:
    won = [trial for trial in trials if trial.success]
    low, high = wilson_interval(len(won), len(trials))
    return {
        "object": name,
        "trials": len(trials),
        "successes": len(won),
        "rate": len(won) / len(trials) if trials else 0.0,
        "low": low,
        "high": high,
        "mean_seconds": float(np.mean([trial.seconds for trial in won])) if won else None,
        "failures": dict(Counter(trial.reason for trial in trials if not trial.success)),
    }


def print_table(rows: Sequence[Mapping[str, Any]], console: Console, title: str) -> None:
    """The rows of `rows_of`, for people."""
    table = Table("object", "successes  rate [95 % interval]", "mean s", "failures", title=title)
    for row in rows:
        seconds = "" if row["mean_seconds"] is None else f"{row['mean_seconds']:.1f}"
        failures = ", ".join(f"{count} {reason}" for reason, count in row["failures"].items())
        table.add_row(row["object"], describe_rate(row["successes"], row["trials"]), seconds, failures)
    console.print(table)
