"""What a run of grasp trials consists of, and what came of it. No ROS."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """One trial to be run. object: empty leaves the choice to the simulator, which goes round by seed."""

    number: int
    object: str
    seed: int


@dataclass
class TrialResult:
    """outcome: success, failure, or broken (the stack failed; `problem` says how). Times in s.

    received, written: messages that reached the recorder, and its bag.
    """

    number: int
    object: str
    seed: int
    outcome: str
    seconds: float
    wall_seconds: float
    bag: str = ""
    received: int = 0
    written: int = 0
    problem: str = ""


def plan(objects: Sequence[str], seed: int, trials: int) -> Iterator[Trial]:
    """Trials with successive seeds, going round the objects; endless when trials is 0.

    Raises:
        ValueError: a negative number.
    """
    if trials < 0 or seed < 0:
        raise ValueError(f"trials ({trials}) and seed ({seed}) must be 0 or more")
    names = list(objects) or [""]
    numbers = range(trials) if trials else count()
    return (Trial(number + 1, names[number % len(names)], seed + number) for number in numbers)


def read_plan(path: Path) -> list[Trial]:
    """Trials from a JSON list of objects and seeds.

    Raises:
        ValueError: it is something else.
        OSError: it cannot be read.
    """
    try:
        entries = [(str(entry["object"]), int(entry["seed"])) for entry in json.loads(path.read_text())]
    except (ValueError, KeyError, TypeError) as error:
        form = '[{"object": "mug", "seed": 7}, ...]'
        raise ValueError(f"{path} is no plan of trials ({error}): it must be like {form}") from error
    if not entries or min(seed for _, seed in entries) < 0:
        raise ValueError(f"{path} must hold at least one trial, and seeds of 0 or more")
    return [Trial(number, name, seed) for number, (name, seed) in enumerate(entries, start=1)]


@dataclass
class Results:
    """Results so far, written to a JSON file after each trial (complete or not at all)."""

    path: Path | None
    planned: int
    rows: list[TrialResult] = field(default_factory=list)

    @property
    def successes(self) -> int:
        """Trials with outcome success."""
        return sum(row.outcome == "success" for row in self.rows)

    def add(self, row: TrialResult) -> None:
        """Take one more result and write the file."""
        self.rows.append(row)
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        content = {"planned": self.planned, "trials": len(self.rows), "successes": self.successes}
        rows = [asdict(row) for row in self.rows]
        temporary.write_text(json.dumps({**content, "rows": rows}, indent=2) + "\n")
        temporary.replace(self.path)


def result_line(row: TrialResult, planned: int) -> str:
    """One trial in one line."""
    of = f"/{planned}" if planned else ""
    head = f"trial {row.number:>2}{of}  {row.object:<14} seed {row.seed:<6}"
    return f"{head} {row.outcome:<8} {row.seconds:4.1f} s  {row.problem}".rstrip()
