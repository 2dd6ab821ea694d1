"""Trials of the whole stack that are judged by what the camera sees, in lockstep over DDS."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from rfs_bringup.stack import STACKS  # noqa: E402
from rfs_learning.reward_frames import RecordedFrames  # noqa: E402
from rfs_reward.judge import Judge  # noqa: E402
from rfs_reward.robot_view import RobotView  # noqa: E402
from rfs_reward.trackers.registry import make_tracker  # noqa: E402
from rfs_teleop.bag_index import IndexedBag  # noqa: E402
from rfs_teleop.bag_reader import Bag  # noqa: E402

from rfs_bringup import arguments, processes  # noqa: E402
from rfs_msgs.msg import GraspReward  # noqa: E402

_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))
SEED = 1_000_000
SCENE = 9_000_000_000  # ns; what is older is of another scene


def run(folder: Path) -> list[Path]:
    """Two trials of one seed; their bags."""
    stack = STACKS["grasp"]
    words = ("sim_time:=lockstep", "reward:=rgbd", "object:=box", "trials:=2", f"seed:={SEED}")
    nodes = stack.nodes(arguments.parse(stack.arguments, (*words, f"bags:={folder}")))
    lines: list[tuple[str, str]] = []
    variables = os.environ | {"ROS_DOMAIN_ID": str(next(_DOMAINS))}
    status = processes.run(nodes, processes.Lines(lambda *line: lines.append(line)), variables)
    assert status == 0, lines
    return sorted(path for path in folder.iterdir() if path.is_dir())


def rewards(bag: Path, topic: str) -> dict[int, object]:
    found = {}
    for recorded in Bag(bag).messages([topic]):
        stamp = recorded.message.header.stamp
        found[stamp.sec * 1_000_000_000 + stamp.nanosec] = recorded.message
    return found


def judged_again(bag: Path, stamps: list[int]) -> list[tuple[float, ...]]:
    """What a judge of its own says of the recorded frames of these stamps, without ROS."""
    judge = Judge(make_tracker("rgbd"))
    with IndexedBag(bag) as source:
        frames = [recorded.frame for recorded in RecordedFrames(source, RobotView())]
        return [numbers(judge.observe(frame)) for frame in frames if frame.stamp in stamps]


def numbers(judgement: object) -> tuple[float, ...]:
    """Of a judgement or a message, as float32 holds them."""
    names = ("palm_distance", "lift", "reward", "confidence", "age", "success", "tracking")
    return tuple(float(np.float32(getattr(judgement, name))) for name in names)


def center(message: object) -> np.ndarray:
    point = message.centroid  # type: ignore[attr-defined]
    return np.array([point.x, point.y, point.z])


def test_trials_are_judged_by_vision_and_by_nothing_else(tmp_path: Path) -> None:
    """A trial ends when vision says success, which is true, and what the node said in it follows from the
    recorded frames alone: not from the time that anything took, nor from the trial before."""
    for bag in run(tmp_path):
        seen, true, masks = (rewards(bag, t) for t in ("/rfs/reward", "/sim/reward", "/rfs/reward/mask"))
        assert Bag(bag).contract["outcome"] == "success"
        stamps = [stamp for stamp in sorted(seen) if stamp > max(seen) - SCENE]
        assert len(stamps) > 20
        assert {message.source for message in seen.values()} == {"rgbd"}
        assert {message.source for message in true.values()} == {"simulator"}
        assert [stamp for stamp in stamps if seen[stamp].success] == stamps[-1:]
        assert true[stamps[-1]].lift > 0.15
        assert set(stamps) <= set(masks)
        known = [stamp for stamp in stamps if seen[stamp].tracking == GraspReward.TRACKING_SEEN]
        assert len(known) > 0.5 * len(stamps)
        assert np.median([np.linalg.norm(center(seen[s]) - center(true[s])) for s in known]) < 0.02
        np.testing.assert_array_equal(judged_again(bag, stamps), [numbers(seen[s]) for s in stamps])
