"""Bags to a transition dataset, one bag at a time: memory does not grow with their number."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rfs_teleop.bag_index import IndexedBag
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rfs_learning.bag_transitions import read_episode
from rfs_learning.measured_rewards import MeasuredRewards
from rfs_learning.reward_label_file import read_labels
from rfs_learning.transitions import EpisodeTransitions, TransitionDataset

_ROWS = 512


@dataclass
class BuildResult:
    """What became of the bags: episodes added, bags that were known already, those of an outcome that is not
    asked for, skipped ones and why."""

    dataset: TransitionDataset | None = None
    added: int = 0
    known: int = 0
    left_out: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def build(
    bags: Sequence[Path], output: Path, console: Console, label: str = "", outcome: str = ""
) -> BuildResult:
    """Add the episodes of bags to the dataset at output, made when it is not there.

    label: of rewards beside the bags, which take the place of the recorded ones; empty: the recorded ones.
    outcome: of the episodes that are wanted; empty: all.

    Each episode is added completely or not at all, and those that are in it already are passed over: an
    interrupted run goes on when it is started again. The first bag's layout is that of the dataset; bags
    of another one, and those that cannot be used, are skipped with a line that says why. The same goes for
    the way in which labels were made.

    Raises:
        ValueError, OSError: the dataset cannot be opened or written, or has other rewards.
    """
    builder = _Builder(output, label, outcome)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        try:
            for bag in progress.track(bags, description="bags"):
                problem = builder.add(bag)
                if problem:
                    text = f"[yellow]skipped[/] {escape(str(bag))}: {escape(problem)}"
                    progress.console.print(text, highlight=False, soft_wrap=True)
        finally:
            builder.flush()
    return builder.result


class _Builder:
    """Keeps episodes until there are enough rows to be written together: small pieces take long to write."""

    def __init__(self, output: Path, label: str, outcome: str) -> None:
        self.result = BuildResult(TransitionDataset.open(output, "a") if output.exists() else None)
        self._output, self._label, self._outcome = output, label, outcome
        if self.result.dataset is not None:
            _require_same_label(self.result.dataset, label)
        self._known = set() if self.result.dataset is None else self.result.dataset.recordings()
        self._waiting: list[EpisodeTransitions] = []

    def add(self, path: Path) -> str:
        """Take the episode of a bag; returns why not, empty when it was taken or is known."""
        dataset = self.result.dataset
        try:
            with IndexedBag(path) as bag:
                key = bag.contract.get("session", ""), bag.began  # a copy may have another name
                if key in self._known:
                    self.result.known += 1
                    return ""
                if self._outcome and bag.contract.get("outcome") != self._outcome:
                    self.result.left_out += 1
                    return ""
                if bag.contract.get("modulation") and dataset is not None and not dataset.notes_modulations:
                    raise ValueError("a modulation acted in it, which this older dataset cannot note")
                rewards = self._rewards(bag, path)
                layout, episode = read_episode(bag, None if dataset is None else dataset.layout, rewards)
        except (ValueError, OSError) as error:
            self.result.skipped.append((path, str(error)))
            return str(error)
        if dataset is None:
            self._output.parent.mkdir(parents=True, exist_ok=True)
            about = {"label": self._label, "run": rewards.run} if rewards else {}
            self.result.dataset = TransitionDataset.create(self._output, layout, about)
        self._known.add(key)
        self._waiting.append(episode)
        if sum(map(len, self._waiting)) >= _ROWS:
            self.flush()
        return ""

    def _rewards(self, bag: IndexedBag, path: Path) -> MeasuredRewards | None:
        """Of the label, made in the same way as those of the dataset; None: the recorded ones."""
        if not self._label:
            return None
        labels, dataset = read_labels(bag, path, self._label), self.result.dataset
        if dataset is not None and dataset.rewards["run"] != labels.run:
            raise ValueError(
                f"its rewards '{self._label}' were made in another way than those of the dataset"
            )
        return MeasuredRewards.of_labels(labels)

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting and self.result.dataset is not None:
            self.result.dataset.append(self._waiting)
            self.result.added += len(self._waiting)
            self._waiting = []


def _require_same_label(dataset: TransitionDataset, label: str) -> None:
    before = dataset.rewards.get("label", "")
    if before != label:
        names = [f"the rewards '{name}'" if name else "recorded rewards" for name in (before, label)]
        raise ValueError(f"{dataset.path} has {names[0]}, not {names[1]}: give another output")
