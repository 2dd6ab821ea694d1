"""Relabels many bags, in this process or in several; what was finished before is passed over."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import cv2

from rfs_learning.reward_episode import EpisodeSummary, finished, relabel
from rfs_learning.reward_labels import labels_folder
from rfs_learning.reward_run import RewardRun, claimed


@dataclass
class RelabelResult:
    """What became of the bags. known: how many were finished before. skipped: why, by bag."""

    rows: dict[Path, EpisodeSummary] = field(default_factory=dict)
    known: int = 0
    skipped: dict[Path, str] = field(default_factory=dict)


def relabel_all(
    bags: Sequence[Path], label: str, run: RewardRun, workers: int, on_bag: Callable[[Path, str], None]
) -> RelabelResult:
    """Compute the rewards of all bags; `on_bag` hears of each one, with the reason where it is skipped.

    Raises:
        ValueError: the label was made in another way in one of the folders, or another process is at it;
            nothing is done then.
        FileNotFoundError: there are no such weights.
        OSError: a process ended unasked; what was finished stays.
    """
    identity = run.identity()
    with ExitStack() as claims:
        for folder in sorted({labels_folder(bag, label) for bag in bags}):
            claims.enter_context(claimed(folder, identity))
        return _relabel_all(bags, label, run, identity, workers, on_bag)


def _relabel_all(
    bags: Sequence[Path],
    label: str,
    run: RewardRun,
    identity: Mapping[str, Any],
    workers: int,
    on_bag: Callable[[Path, str], None],
) -> RelabelResult:
    result, todo = RelabelResult(), []
    for bag in bags:
        before = finished(bag, label, identity)
        if before is None:
            todo.append(bag)
        else:
            result.rows[bag], result.known = before, result.known + 1
            on_bag(bag, "")
    for bag, row, problem in _worked(todo, label, run, identity, workers):
        if row is None:
            result.skipped[bag] = problem
        else:
            result.rows[bag] = row
        on_bag(bag, problem)
    return result


Work = tuple[Path, EpisodeSummary | None, str]


def _worked(
    bags: Sequence[Path], label: str, run: RewardRun, identity: Mapping[str, Any], workers: int
) -> Iterator[Work]:
    if workers == 1 or len(bags) < 2:
        yield from (_try(bag, label, run, identity) for bag in bags)
        return
    with _pool(min(workers, len(bags)), run.tracker) as pool:
        try:
            for future in as_completed([pool.submit(_try, bag, label, run, identity) for bag in bags]):
                yield future.result()
        except BrokenProcessPool as error:
            way_out = "run the same command again with fewer --workers, it goes on where it ended"
            raise OSError(f"a worker ended unasked, perhaps for want of memory: {way_out}") from error


def _try(bag: Path, label: str, run: RewardRun, identity: Mapping[str, Any]) -> Work:
    """One bag that cannot be used does not keep the others from their turn."""
    try:
        return bag, relabel(bag, label, run, identity), ""
    except (ValueError, OSError) as error:
        return bag, None, str(error)


@contextmanager
def _pool(workers: int, tracker: str) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes that share the cores and end with this one, also when it is killed."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (threads, tracker))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(threads: int, tracker: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends the others
    cv2.setNumThreads(threads)
    if tracker == "sam2":
        import torch  # takes longer to import than a short bag takes without it

        torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
