"""One bag's rewards from beginning to end: judged or reweighed, drawn, and written beside it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rfs_policy.checkpoint import write_atomically
from rfs_reward.judge import Judge, Tracking
from rfs_reward.robot_view import RobotView
from rfs_reward.trackers.registry import make_tracker
from rfs_teleop.bag_index import IndexedBag

from rfs_learning.reward_courses import recorded
from rfs_learning.reward_frames import RecordedFrames
from rfs_learning.reward_label_file import read_label_file, write_labels
from rfs_learning.reward_labels import BagIdentity, RewardLabels, labels_file
from rfs_learning.reward_plots import episode_plot
from rfs_learning.reward_relabel import LabelRows, judge_frames, reweigh
from rfs_learning.reward_run import RECORDED, RewardRun
from rfs_learning.reward_strip import Strip


@dataclass(frozen=True)
class EpisodeSummary:
    """recorded: outcome by the bag. agrees: whether the judged one is the same, None where none is recorded.
    confidence: mean where the object is known. shares: of the frames, by state of tracking. skipped: pictures
    that gave no frame, by reason."""

    bag: str
    frames: int
    recorded: str
    success: bool
    agrees: bool | None
    confidence: float | None
    shares: dict[str, float]
    skipped: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def relabel(path: Path, label: str, run: RewardRun, identity: Mapping[str, Any]) -> EpisodeSummary:
    """Compute and write the rewards of a bag; identity: what `run.identity()` gave.

    Raises:
        ValueError, OSError: the bag cannot be used, in a sentence.
    """
    with IndexedBag(path) as bag:
        strip, skipped = Strip(), Counter[str]()
        if run.tracker == RECORDED:
            rows = reweigh(bag, run.config)
        else:
            rows, skipped = judged(bag, run, strip)
        labels = rows.labels(bag, identity)
        file = labels_file(path, label)
        write_atomically(file.with_suffix(".png"), episode_plot(labels, recorded(bag), strip.shots()))
    write_labels(labels, file)  # last: it says that the bag is done
    return summary(labels, skipped)


def finished(path: Path, label: str, identity: Mapping[str, Any]) -> EpisodeSummary | None:
    """What was written before for this very bag in the same way; None where it is still to be done."""
    try:
        with IndexedBag(path) as bag:
            own = BagIdentity.of(bag)
        labels = read_label_file(labels_file(path, label))
    except (FileNotFoundError, ValueError):
        return None
    done = labels.bag.same(own) and labels.run == identity
    return summary(labels, Counter()) if done else None


def summary(labels: RewardLabels, skipped: Mapping[str, int]) -> EpisodeSummary:
    """What the table shows of an episode."""
    known = np.isfinite(labels.reward)
    success = bool(labels.success.any())
    told = labels.outcome in ("success", "failure")
    return EpisodeSummary(
        bag=labels.bag.name,
        frames=len(labels),
        recorded=labels.outcome,
        success=success,
        agrees=success == (labels.outcome == "success") if told else None,
        confidence=float(labels.confidence[known].mean()) if known.any() else None,
        shares={state.name: float((labels.tracking == state).mean()) for state in Tracking},
        skipped=dict(skipped),
    )


def judged(bag: IndexedBag, run: RewardRun, strip: Strip) -> tuple[LabelRows, Counter[str]]:
    """Judge the frames of a bag with the run's tracker; pictures that gave none are counted by reason.

    Raises:
        ValueError: there is no frame in it.
    """
    frames = RecordedFrames(bag, _robot())
    rows = judge_frames(_judge(run), frames, strip.add)
    if not rows.rows:
        why = ", ".join(frames.skipped) or "picture, depth and joint states are never of one time"
        raise ValueError(f"no frame could be judged: {why}")
    return rows, frames.skipped


@cache
def _judge(run: RewardRun) -> Judge:
    """One a process: to load a model takes longer than an episode."""
    return Judge(make_tracker(run.tracker, run.weights), run.config)


@cache
def _robot() -> RobotView:
    return RobotView()
