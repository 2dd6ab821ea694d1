"""Where a transition's reward comes from: what was recorded, or labels that were computed afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_policy.stamps import nanoseconds

from rfs_learning.reward_labels import RewardLabels


@dataclass(frozen=True, eq=False)
class MeasuredRewards:
    """Rewards of one episode, in order of their stamps: stamp (n,) ns, reward (n,), NaN where not known,
    success (n,) bool. source: who measured them. run: how labels were made, empty for recorded rewards."""

    stamp: NDArray[np.int64]
    reward: NDArray[np.float64]
    success: NDArray[np.bool_]
    source: str = ""
    run: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def recorded(cls, messages: Sequence[Any]) -> "MeasuredRewards":
        """From decoded messages of /rfs/reward; of several with one stamp the last one counts."""
        by_stamp = {nanoseconds(message.header.stamp): message for message in messages}
        chosen = [by_stamp[stamp] for stamp in sorted(by_stamp)]
        return cls(
            np.array(sorted(by_stamp), np.int64),
            np.array([message.reward for message in chosen], np.float64),
            np.array([message.success for message in chosen], bool),
            ", ".join(sorted({message.source for message in chosen} - {""})),
        )

    @classmethod
    def of_labels(cls, labels: RewardLabels) -> "MeasuredRewards":
        """From rewards beside the bag."""
        return cls(labels.stamp, labels.reward, labels.success, labels.run["tracker"], labels.run)

    def near(self, stamp: int, tolerance: float) -> int | None:
        """Index of the reward nearest to a stamp, both ns, if it is within the tolerance."""
        if not len(self.stamp):
            return None
        distances = np.abs(self.stamp - stamp)
        index = int(np.argmin(distances))
        return index if distances[index] <= tolerance else None
