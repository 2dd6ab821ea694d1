"""The rewards of a recorded episode, computed again: from its pictures, or from recorded distances."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rfs_policy.stamps import nanoseconds
from rfs_reward.frame import Frame
from rfs_reward.judge import Judge, Judgement
from rfs_reward.reward_config import RewardConfig
from rfs_reward.success import HeldLift
from rfs_reward.tracker import PromptError
from rfs_teleop.bag_index import IndexedBag

from rfs_learning.reward_frames import RecordedFrame, newest_scene
from rfs_learning.reward_labels import BagIdentity, RewardLabels
from rfs_learning.reward_run import versions
from rfs_reward import grasp_reward

REWARD = "/rfs/reward"
_GRASP_REWARD = "rfs_msgs/msg/GraspReward"


@dataclass
class LabelRows:
    """Collects what is known of each frame; `labels` makes arrays of it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    terms: list[Mapping[str, float]] = field(default_factory=list)
    weights: list[Mapping[str, float]] = field(default_factory=list)

    def add(self, judgement: Judgement) -> None:
        """A frame that the judge has seen."""
        names = ("stamp", "centroid", "palm", "palm_distance", "lift", "reward", "success", "tracking")
        row = {name: getattr(judgement, name) for name in (*names, "confidence", "age", "problem")}
        self.rows.append({**row, "mask_pixels": int(judgement.mask.sum())})
        self.terms.append(judgement.terms)
        self.weights.append(judgement.weights)

    def labels(self, bag: IndexedBag, run: Mapping[str, Any]) -> RewardLabels:
        """All of it; there must be some."""
        kinds = {"stamp": np.int64, "success": bool, "tracking": np.uint8, "mask_pixels": np.int32}
        columns = {
            name: np.array([row[name] for row in self.rows], kinds.get(name, np.float64))
            for name in self.rows[0]
            if name != "problem"
        }
        parts = [
            {name: np.array([entry[name] for entry in entries], np.float64) for name in entries[0]}
            for entries in (self.terms, self.weights)
        ]
        problems = tuple(row["problem"] for row in self.rows)
        return RewardLabels(
            bag=BagIdentity.of(bag),
            outcome=bag.contract.get("outcome", "") or "unknown",
            run=run,
            terms=parts[0],
            weights=parts[1],
            problem=problems,
            versions=versions(),
            **columns,
        )


def judge_frames(
    judge: Judge, frames: Iterable[RecordedFrame], on_frame: Callable[[Frame, Judgement], None]
) -> LabelRows:
    """Judge an episode from its beginning; `on_frame` sees each frame and what came of it."""
    judge.reset()
    rows = LabelRows()
    for recorded in frames:
        judgement = _judgement(judge, recorded)
        rows.add(judgement)
        on_frame(recorded.frame, judgement)
    return rows


def _judgement(judge: Judge, recorded: RecordedFrame) -> Judgement:
    """A prompt that names no object changes nothing, as live."""
    if recorded.prompt is not None:
        try:
            return judge.prompt(recorded.frame, **recorded.prompt)
        except PromptError:
            pass
    return judge.observe(recorded.frame)


def reweigh(bag: IndexedBag, config: RewardConfig) -> LabelRows:
    """Terms, reward and success from the recorded distances and lifts, by another configuration.

    Raises:
        ValueError: no reward was recorded.
    """
    success, rows = HeldLift(config.success), LabelRows()
    weights = grasp_reward.weights(config.reward)
    for message in recorded_rewards(bag):
        stamp, lift = nanoseconds(message.header.stamp), float(message.lift)
        terms = grasp_reward.terms(float(message.palm_distance), lift, config.reward)
        point = message.centroid
        rows.rows.append(
            {
                "stamp": stamp,
                "centroid": (point.x, point.y, point.z),
                "palm": (np.nan,) * 3,
                "palm_distance": float(message.palm_distance),
                "lift": lift,
                "reward": grasp_reward.total(terms, weights),
                "success": success.see(stamp, lift),
                "tracking": int(getattr(message, "tracking", 0)),
                "confidence": float(message.confidence),
                "age": float(getattr(message, "age", 0.0)),
                "mask_pixels": 0,
                "problem": "",
            }
        )
        rows.terms.append(terms)
        rows.weights.append(weights)
    return rows


def recorded_rewards(bag: IndexedBag, topic: str = REWARD) -> Iterator[Any]:
    """Messages of a reward's topic in the episode, in order of their stamps, each stamp once.

    Raises:
        ValueError: there are none.
    """
    if bag.types.get(topic) != _GRASP_REWARD:
        raise ValueError(f"it has no {topic} of type {_GRASP_REWARD}")
    begin = newest_scene(bag, topic)
    messages = {raw.stamp: raw for raw in bag.raw([topic]) if raw.stamp >= begin}
    if not messages:
        raise ValueError(f"nothing was recorded on {topic}")
    return (bag.decode(messages[stamp]) for stamp in sorted(messages))
