"""Bags to a transition dataset, one bag at a time: memory does not grow with their number."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rfs_teleop.bag_index import IndexedBag
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rfs_learning.bag_transitions import read_episode
from rfs_learning.transitions import TransitionDataset


@dataclass
class BuildResult:
    """What became of the bags: episodes added, bags that were known already, skipped ones and why."""

    dataset: TransitionDataset | None = None
    added: int = 0
    known: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def find_bags(paths: Iterable[Path]) -> list[Path]:
    """Every bag among the paths and below them, in the order of the paths and then of the names.

    Raises:
        FileNotFoundError: a path does not exist, or there is no bag below it.
    """
    bags: dict[Path, None] = {}
    for path in paths:
        found = [path] if _is_bag(path) else [p for p in sorted(path.rglob("*")) if p.is_dir() and _is_bag(p)]
        if not found:
            what = "no bag is there or below it" if path.exists() else "there is no such file or folder"
            raise FileNotFoundError(f"{path}: {what}; give bags, or folders that hold some")
        bags.update(dict.fromkeys(found))
    return list(bags)


def _is_bag(path: Path) -> bool:
    return path.suffix == ".mcap" or (path / "metadata.yaml").is_file() or any(path.glob("*.mcap"))


def build(bags: Iterable[Path], output: Path, console: Console) -> BuildResult:
    """Add the episodes of bags to the dataset at output, made when it is not there.

    Each episode is added completely or not at all, and those that are in it already are passed over: an
    interrupted run goes on when it is started again. The first bag's layout is that of the dataset; bags
    of another one, and those that cannot be used, are skipped with a line that says why.

    Raises:
        ValueError, OSError: the dataset cannot be opened or written.
    """
    bags, result = list(bags), BuildResult()
    if output.exists():
        result.dataset = TransitionDataset.open(output, "a")
    known = result.dataset.bags() if result.dataset else set()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        for bag in progress.track(bags, description="bags"):
            try:
                _add(bag, output, result, known)
            except ValueError as error:
                result.skipped.append((bag, str(error)))
                progress.console.print(f"[yellow]skipped[/] {bag}: {error}", highlight=False, soft_wrap=True)
    return result


def _add(path: Path, output: Path, result: BuildResult, known: set[tuple[str, str]]) -> None:
    with IndexedBag(path) as bag:
        key = bag.contract.get("session", ""), bag.name
        if key in known:
            result.known += 1
            return
        layout, episode = read_episode(bag)
    if result.dataset is None:
        output.parent.mkdir(parents=True, exist_ok=True)
        result.dataset = TransitionDataset.create(output, layout)
    result.dataset.layout.require_same(layout, what="the bag")
    result.dataset.append(episode)
    known.add(key)
    result.added += 1
