"""Rewards over the time of an episode, whoever measured them: what plots compare."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_policy.stamps import nanoseconds
from rfs_teleop.bag_index import IndexedBag

from rfs_learning.reward_labels import RewardLabels
from rfs_learning.reward_relabel import REWARD, recorded_rewards

Array = NDArray[np.float64]
_TRUTH = "/sim/reward"


@dataclass(frozen=True, eq=False)
class RewardCourse:
    """stamp (n,) ns, reward (n,), lift and palm_distance (n,) m; NaN where not known."""

    name: str
    stamp: NDArray[np.int64]
    reward: Array
    lift: Array
    palm_distance: Array


def labeled(labels: RewardLabels) -> RewardCourse:
    """The course of labels, called as their tracker."""
    name = labels.run["tracker"]
    return RewardCourse(name, labels.stamp, labels.reward, labels.lift, labels.palm_distance)


def recorded(bag: IndexedBag) -> list[RewardCourse]:
    """What the bag holds: its reward, and the simulator's truth where that is another one."""
    courses = []
    for topic in (REWARD, _TRUTH):
        try:
            messages = list(recorded_rewards(bag, topic))
        except ValueError:
            continue
        name = f"recorded ({messages[0].source or 'unknown'})"
        columns = [
            np.array([getattr(m, key) for m in messages], np.float64)
            for key in ("reward", "lift", "palm_distance")
        ]
        stamps = np.array([nanoseconds(m.header.stamp) for m in messages], np.int64)
        courses.append(RewardCourse(name, stamps, *columns))
    return courses
