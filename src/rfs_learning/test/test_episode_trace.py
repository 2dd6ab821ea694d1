"""What a report shows of an episode in which the object was lost for a while."""

import numpy as np
from rfs_learning.episode_trace import EpisodeTrace


def trace(lift: list[float]) -> EpisodeTrace:
    count, none = len(lift), np.empty(0)
    return EpisodeTrace(
        contract={},
        time=0.1 * np.arange(count),
        reward=np.zeros(count),
        lift=np.array(lift),
        joint_time=none,
        joints=none,
        object_time=none,
        object_pose=none,
        periods=none,
        latencies=none,
    )


def test_an_unknown_lift_is_no_moment_to_show() -> None:
    nan = float("nan")
    assert trace([0.0, nan, 0.05, 0.2, nan]).moments() == {"start": 0.0, "grasp": 0.1, "lift": 0.1 * 3}
    assert list(trace([nan, nan, nan]).moments()) == ["start", "middle", "end"]
