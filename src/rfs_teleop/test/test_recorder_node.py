"""The recorder node in its own process, over DDS."""

import itertools
import os
import random
import resource
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

from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rfs_bringup.stack import middleware_variables  # noqa: E402
from rfs_teleop.bag_check import check  # noqa: E402
from rfs_teleop.bag_reader import Bag  # noqa: E402
from rfs_teleop.bag_repair import repair  # noqa: E402
from rosbags.highlevel import AnyReader  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, JointState  # noqa: E402

from rfs_msgs.msg import EpisodeStatus, PolicyAction  # noqa: E402
from rfs_msgs.srv import EndEpisode, StartEpisode  # noqa: E402

PATIENCE = 20.0
_SHARED_DOMAIN, *_OTHERS = map(int, os.environ["RFS_TEST_DOMAINS"].split(","))
_DOMAINS = itertools.cycle(_OTHERS)


class Rig:
    """A publisher of joint states and policy actions, and clients of the recorder."""

    def __init__(self, bags: Path, domain: int) -> None:
        self.bags, self.domain = bags, domain
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.joints = self.node.create_publisher(JointState, "/joint_states", 100)
        self.actions = self.node.create_publisher(PolicyAction, "/rfs/policy_action", 10)
        best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.images = self.node.create_publisher(Image, "/camera/color/image_raw", best_effort)
        self.cameras = self.node.create_publisher(CameraInfo, "/camera/color/camera_info", best_effort)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.extrinsics = self.node.create_publisher(TransformStamped, "/camera/color/extrinsics", latched)
        self.states: list[int] = []
        self.node.create_subscription(
            EpisodeStatus, "/rfs/episode", lambda status: self.states.append(status.state), latched
        )
        self.starting = self.node.create_client(StartEpisode, "/rfs/episode/start")
        self.stopping = self.node.create_client(EndEpisode, "/rfs/episode/stop")
        command = [sys.executable, "-m", "rfs_teleop.nodes.recorder_node"]
        command += ["--ros-args", "-p", f"bags:={bags}"]
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.wait(self.starting.service_is_ready)
        self.wait(self.stopping.service_is_ready)
        publishers = (self.joints, self.actions, self.images, self.cameras, self.extrinsics)
        self.wait(lambda: all(publisher.get_subscription_count() for publisher in publishers))

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.1)

    def start(self, name: str, session: str = "") -> StartEpisode.Response:
        request = StartEpisode.Request(id=name, object="mug", seed=3, operator_name="ann", session=session)
        future = self.starting.call_async(request)
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
    rig = Rig(tmp_path_factory.mktemp("bags"), _SHARED_DOMAIN)
    yield rig
    rig.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, next(_DOMAINS))
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


def test_interrupting_the_recorder_closes_the_bag(rig: Rig, tmp_path: Path) -> None:
    rig.start("episode")
    rig.publish(5)
    wait_until_on_disk(rig, tmp_path / "episode", 5)
    rig.process.send_signal(signal.SIGTERM)
    assert rig.process.wait(PATIENCE) == 0
    assert Bag(tmp_path / "episode").contract["outcome"] == "unknown"
    assert (tmp_path / "episode/metadata.yaml").exists()


def test_a_kill_under_load_loses_less_than_a_second_and_nothing_of_the_contract(
    rig: Rig, tmp_path: Path
) -> None:
    """Each joint state carries in its stamp when it was sent."""
    rig.extrinsics.publish(TransformStamped(child_frame_id="camera"))
    bag = tmp_path / "monday/episode"
    assert rig.start("episode", session="monday").bag == str(bag)
    rig.actions.publish(PolicyAction(layout="delta_pose_22", checkpoint="abc", horizon=2))
    rig.cameras.publish(CameraInfo(width=640, height=480))
    rig.wait(lambda: {"checkpoint", "calibration"} <= Bag(bag).contract.keys())
    image = serialize_message(Image(data=bytes(1_000_000)))
    end = time.monotonic() + random.uniform(0.5, 1.5)
    while time.monotonic() < end:
        message = JointState()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.time_ns(), 10**9)
        rig.joints.publish(message)
        rig.images.publish(image)
        rig.executor.spin_once(timeout_sec=0.01)
    rig.process.kill()
    killed = time.time()
    rig.process.wait()
    repair(bag)
    stamps = [m.message.header.stamp for m in Bag(bag).messages(["/joint_states"])]
    assert killed - (stamps[-1].sec + 1e-9 * stamps[-1].nanosec) < 1.0
    with AnyReader([bag]) as reader:
        assert sum(1 for _ in reader.messages()) >= len(stamps)
    contract = Bag(bag).contract
    told = {"operator": "ann", "session": "monday", "layout": "delta_pose_22", "outcome": "unknown"}
    assert told.items() <= contract.items()
    assert '"palm_height"' in contract["residual_bounds"]
    assert '"workspace_lower"' in contract["limits"]
    assert '"width": 640' in contract["calibration"]
    assert [m.message.child_frame_id for m in Bag(bag).messages(["/camera/color/extrinsics"])] == ["camera"]
    assert {problem[:16] for problem in check(bag)} == {"there is nothing", "1 of 1 policy ac"}


def test_a_full_disk_ends_the_episode_aloud_and_keeps_what_came(rig: Rig) -> None:
    """With a recorder of its own, whose middleware is short of shared memory from then on."""
    bag = rig.bags / "full"
    rig.start("full")
    rig.wait(lambda: rig.states[-1:] == [EpisodeStatus.STATE_RECORDING])
    rig.publish(5)
    wait_until_on_disk(rig, bag, 5)
    full = next(bag.glob("*.mcap")).stat().st_size + 200_000
    resource.prlimit(rig.process.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    image = Image(data=bytes(1_000_000))

    def ended() -> bool:
        rig.images.publish(image)
        return rig.states[-1] == EpisodeStatus.STATE_ENDED

    rig.wait(ended)
    response = rig.stop()
    assert not response.success
    assert "free some space" in response.message
    assert sum(response.written) < sum(response.received)
    assert positions(bag) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert (bag / "metadata.yaml").exists()
    resource.prlimit(rig.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert rig.start("next").success


def test_a_bag_is_played_bit_for_bit(shared: Rig) -> None:
    rig, bag = shared, shared.bags / "to_play"
    rig.start("to_play")
    rig.publish(10)
    wait_until_on_disk(rig, bag, 10)
    rig.stop()
    came: list[bytes] = []
    rig.node.create_subscription(JointState, "/joint_states", came.append, 100, raw=True)
    command = [
        sys.executable,
        "-c",
        "import sys; from rfs_teleop.bags_command import main; sys.exit(main(sys.argv[1:]))",
    ]
    command += ["play", str(bag), "--topics", "/joint_states", "--rate", "3"]
    environment = os.environ | middleware_variables(os.environ) | {"ROS_DOMAIN_ID": str(rig.domain)}
    for _ in range(3):  # a busy machine may connect the two after the last message
        came.clear()
        player = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        rig.wait(lambda player=player: len(came) == 10 or player.poll() is not None)
        assert "10 messages played" in player.communicate(timeout=PATIENCE)[0]
        if len(came) == 10:
            break
    assert came == [record.data for topic, record in Bag(bag).raw_messages() if topic == "/joint_states"]
