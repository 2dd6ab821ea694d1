"""The recorder node in its own process, over DDS."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rfs_teleop.bag_reader import Bag  # noqa: E402
from rosbags.highlevel import AnyReader  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from rfs_msgs.msg import EpisodeStatus, PolicyAction  # noqa: E402
from rfs_msgs.srv import EndEpisode, StartEpisode  # noqa: E402

PATIENCE = 20.0
_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))


class Rig:
    """A publisher of joint states and policy actions, and clients of the recorder."""

    def __init__(self, bags: Path) -> None:
        self.bags = bags
        domain = next(_DOMAINS)
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.joints = self.node.create_publisher(JointState, "/joint_states", 100)
        self.actions = self.node.create_publisher(PolicyAction, "/rfs/policy_action", 10)
        self.starting = self.node.create_client(StartEpisode, "/rfs/episode/start")
        self.stopping = self.node.create_client(EndEpisode, "/rfs/episode/stop")
        command = [sys.executable, "-m", "rfs_teleop.nodes.recorder_node"]
        command += ["--ros-args", "-p", f"bags:={bags}"]
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.wait(self.starting.service_is_ready)
        self.wait(self.stopping.service_is_ready)
        self.wait(lambda: self.joints.get_subscription_count() and self.actions.get_subscription_count())

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.1)

    def start(self, name: str) -> StartEpisode.Response:
        future = self.starting.call_async(StartEpisode.Request(id=name, object="mug", seed=3))
        self.wait(future.done)
        return future.result()

    def stop(self, outcome: int = EpisodeStatus.OUTCOME_SUCCESS) -> EndEpisode.Response:
        future = self.stopping.call_async(EndEpisode.Request(outcome=outcome))
        self.wait(future.done)
        return future.result()

    def publish(self, count: int) -> None:
        for index in range(count):
            message = JointState(name=["x"], position=[float(index)])
            message.header.stamp.sec = index
            self.joints.publish(message)
        assert self.joints.wait_for_all_acked(rclpy.duration.Duration(seconds=PATIENCE))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=PATIENCE)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One recorder for the tests that leave it running."""
    rig = Rig(tmp_path_factory.mktemp("bags"))
    yield rig
    rig.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def positions(bag: Path) -> list[float]:
    return [float(m.message.position[0]) for m in Bag(bag).messages(["/joint_states"])]


def wait_until_on_disk(rig: Rig, bag: Path, count: int) -> None:
    rig.wait(lambda: len(positions(bag)) >= count)


def test_an_episode_becomes_a_bag_that_others_read(shared: Rig) -> None:
    rig, bag = shared, shared.bags / "episode"
    assert rig.start("episode").bag == str(bag)
    rig.actions.publish(PolicyAction(layout="delta_pose_22", checkpoint="abc", horizon=2))
    rig.publish(20)
    wait_until_on_disk(rig, bag, 20)
    response = rig.stop()
    assert response.success, response.message
    received = dict(zip(response.topics, response.received, strict=True))
    assert received["/joint_states"] == 20
    assert received["/camera/points"] == 0
    assert list(response.written) == list(response.received)
    assert positions(bag) == [float(index) for index in range(20)]
    contract = Bag(bag).contract
    assert contract["outcome"] == "success"
    assert (contract["object"], contract["seed"], contract["checkpoint"]) == ("mug", "3", "abc")
    with AnyReader([bag]) as reader:
        messages = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages()]
    assert len(messages) == sum(response.written)


def test_refusals_are_sentences(shared: Rig) -> None:
    response = shared.start("../elsewhere")
    assert not response.success
    assert "cannot name a bag" in response.message
    ended = shared.stop()
    assert not ended.success
    assert "start one first" in ended.message


def test_a_killed_recorder_leaves_what_was_on_disk(rig: Rig, tmp_path: Path) -> None:
    rig.start("episode")
    rig.publish(20)
    wait_until_on_disk(rig, tmp_path / "episode", 20)
    rig.process.kill()
    rig.process.wait()
    assert positions(tmp_path / "episode") == [float(index) for index in range(20)]


def test_interrupting_the_recorder_closes_the_bag(rig: Rig, tmp_path: Path) -> None:
    rig.start("episode")
    rig.publish(5)
    wait_until_on_disk(rig, tmp_path / "episode", 5)
    rig.process.send_signal(signal.SIGTERM)
    assert rig.process.wait(PATIENCE) == 0
    assert Bag(tmp_path / "episode").contract["outcome"] == "unknown"
    assert (tmp_path / "episode/metadata.yaml").exists()
