"""What the reward node says, as the page takes it."""

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue  # noqa: E402
from rfs_reward.tracking import Tracking  # noqa: E402
from rfs_viewer.nodes import messages  # noqa: E402
from rfs_viewer.view import TrackerReport  # noqa: E402

from rfs_msgs.msg import GraspReward  # noqa: E402


def reward(x: float, tracking: int, frame: str = "fr3_link0") -> GraspReward:
    message = GraspReward(tracking=tracking, confidence=0.5, age=1.5, source="rgbd")
    message.header.frame_id = frame
    message.centroid.x = x
    return message


def test_an_unknown_object_is_nowhere() -> None:
    sight = messages.sight(reward(float("nan"), GraspReward.TRACKING_LOST), 3.0)
    assert (sight.tracking, sight.centroid, sight.heard) == (Tracking.LOST, None, 3.0)
    seen = messages.sight(reward(0.4, GraspReward.TRACKING_WITH_PALM), 3.0)
    assert (seen.tracking, seen.age, seen.source) == (Tracking.WITH_PALM, 1.5, "rgbd")
    np.testing.assert_array_equal(seen.centroid, [0.4, 0, 0])


@pytest.mark.parametrize("bad", [reward(0.4, 99), reward(0.4, 0, frame="camera")])
def test_what_cannot_be_shown_is_refused(bad: GraspReward) -> None:
    with pytest.raises(ValueError, match=r"99|frame 'camera'"):
        messages.sight(bad, 0.0)


def test_the_reward_nodes_report_is_found_among_others() -> None:
    def status(name: str, level: bytes, message: str, **values: str) -> DiagnosticStatus:
        pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
        return DiagnosticStatus(name=name, level=level, message=message, values=pairs)

    others = [status("rfs executor", b"\0", "acting", state="holding")]
    assert messages.tracker_report(DiagnosticArray(status=others)) is None
    bad = status("rfs reward", b"\1", "no depth comes", prompts="3", answer="taken")
    report = messages.tracker_report(DiagnosticArray(status=[*others, bad]))
    assert report == TrackerReport("no depth comes", "taken", 3)
    well = status("rfs reward", b"\0", "tracking", prompts="x")
    assert messages.tracker_report(DiagnosticArray(status=[well])) == TrackerReport("", "", 0)
