"""The policy node in its own process, spoken to over ROS topics as simulator and executor would."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs")

from builtin_interfaces.msg import Time  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import QoSProfile  # noqa: E402
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS  # noqa: E402
from rfs_policy.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from rfs_policy.observation import proprioception  # noqa: E402
from rfs_policy.policy import FlowPolicy  # noqa: E402
from sensor_msgs.msg import JointState, PointCloud2, PointField  # noqa: E402

from rfs_msgs.msg import ExecutedAction, PolicyAction  # noqa: E402
from rfs_msgs.srv import ResetPolicy  # noqa: E402

pytestmark = pytest.mark.ros

PERIOD = 100_000_000
POSITION = np.array([0.5, 0.05, 0.3])
ENOUGH, NOTHING = 20.0, 0.7  # s to wait for a message that must come, and for one that must not


def stamp(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def cloud_of(points: np.ndarray, when: int, frame: str = "fr3_link0") -> PointCloud2:
    message = PointCloud2(height=1, width=len(points), point_step=12, row_step=12 * len(points))
    message.header.stamp, message.header.frame_id = stamp(when), frame
    message.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate("xyz")
    ]
    message.data = points.astype(np.float32).tobytes()
    return message


class Partner:
    """Simulator and executor in one: publishes observations and commands, collects actions."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("partner")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.actions: list[PolicyAction] = []
        self.points = self.node.create_publisher(PointCloud2, "/camera/points", QoSProfile(depth=10))
        self.joints = self.node.create_publisher(JointState, "/joint_states", 10)
        self.executed = self.node.create_publisher(ExecutedAction, "/rfs/executed_action", 10)
        self.node.create_subscription(PolicyAction, "/rfs/policy_action", self.actions.append, 10)
        self.told: list[DiagnosticArray] = []
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self.told.append, 10)
        self.resetter = self.node.create_client(ResetPolicy, "/rfs/policy/reset")
        self.cloud = np.random.default_rng(0).uniform([0.4, -0.1, 0.02], [0.6, 0.1, 0.1], (1024, 3))

    def spin_until(self, done, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)
        return done()

    def connect(self) -> None:
        topics = (self.points, self.joints, self.executed)
        assert self.spin_until(lambda: all(t.get_subscription_count() for t in topics), ENOUGH)
        assert self.spin_until(self.resetter.service_is_ready, ENOUGH)
        assert self.spin_until(lambda: self.node.count_publishers("/diagnostics"), ENOUGH)

    def reset(self, seed: int) -> None:
        future = self.resetter.call_async(ResetPolicy.Request(seed=seed))
        assert self.spin_until(future.done, ENOUGH)
        assert future.result().success

    def command(self, when: int, latched: bool = False) -> None:
        message = ExecutedAction(target_joints=HAND_HOME, executed=[] if latched else [0.0] * 22)
        message.header.stamp = stamp(when)
        pose = message.target_pose
        pose.position.x, pose.position.y, pose.position.z = POSITION.tolist()
        pose.orientation.x, pose.orientation.w = 1.0, 0.0  # palm down
        self.executed.publish(message)

    def observe(self, when: int, cloud: PointCloud2 | None = None, order=None, count: int = 23) -> None:
        order = np.arange(23) if order is None else order
        positions = np.concatenate([ARM_HOME, HAND_HOME])
        order = order[:count]
        message = JointState(name=[JOINTS[i] for i in order], position=positions[order].tolist())
        message.header.stamp = stamp(when)
        self.joints.publish(message)
        self.points.publish(cloud or cloud_of(self.cloud, when))

    def answers(self, count: int) -> list[PolicyAction]:
        assert self.spin_until(lambda: len(self.actions) >= count, ENOUGH)
        return self.actions

    def silent(self) -> bool:
        before = len(self.actions)
        return not self.spin_until(lambda: len(self.actions) > before, NOTHING)


_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))


@pytest.fixture
def domain(monkeypatch) -> None:
    """A DDS domain of this test's own, so that nothing else that runs here is heard."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(next(_DOMAINS)))


@pytest.fixture
def checkpoint_folder(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "policy", checkpoint)
    return tmp_path / "policy"


def node_process(checkpoint_folder, *parameters: str) -> subprocess.Popen:
    settings = [f"policy:={checkpoint_folder}", *parameters]
    arguments = [part for setting in settings for part in ("-p", setting)]
    command = [sys.executable, "-m", "rfs_policy.nodes.policy_node", "--ros-args", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def partner_of(process: subprocess.Popen) -> Iterator[Partner]:
    """A partner of a node that must end cleanly, and is ended in any case."""
    rclpy.init()
    partner = Partner()
    try:
        partner.connect()
        yield partner
        process.terminate()
        assert process.wait(timeout=ENOUGH) == 0, process.stderr.read()
    finally:
        process.kill()
        partner.node.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def lockstep(domain, checkpoint_folder) -> Iterator[Partner]:
    """A partner of a node in lockstep."""
    yield from partner_of(node_process(checkpoint_folder, "sim_time:=lockstep", "seed:=3"))


@pytest.fixture
def realtime(domain, checkpoint_folder) -> Iterator[Partner]:
    """A partner of a node in realtime."""
    yield from partner_of(node_process(checkpoint_folder))


def test_lockstep_protocol(lockstep, checkpoint_folder):
    """One answer per complete observation, the same one when asked again, from the documented noise."""
    start = 10**10
    lockstep.reset(7)
    lockstep.observe(start)
    assert lockstep.silent(), "acted before it was engaged"
    lockstep.command(start, latched=True)
    first = lockstep.answers(1)[0]
    assert first.observation_stamp == stamp(start)
    lockstep.observe(start)
    assert lockstep.answers(2)[1] == first
    lockstep.observe(start + 2 * PERIOD)
    assert lockstep.silent(), "acted on a command that is two periods old"
    lockstep.command(start + PERIOD)
    second = lockstep.answers(3)[2]
    assert (first.joint_stamp, first.command_stamp) == (stamp(start), stamp(start))
    assert (second.joint_stamp, second.command_stamp) == (stamp(start + 2 * PERIOD), stamp(start + PERIOD))

    policy = FlowPolicy.load(checkpoint_folder, runtime="onnx")
    noise = np.random.default_rng([3, 7])
    rotation = np.diag([1.0, -1.0, -1.0])
    state = proprioception(np.concatenate([ARM_HOME, HAND_HOME]), POSITION, rotation, HAND_HOME)
    cloud = lockstep.cloud.astype(np.float32)
    for message in (first, second):
        expected = policy.act(cloud[None], state[None], policy.draw_noise(noise)[None])
        np.testing.assert_array_equal(np.array(message.noise), expected.noise.ravel())
        np.testing.assert_allclose(np.array(message.base_action), expected.base_action.ravel(), atol=1e-6)
        assert message.checkpoint == load_checkpoint(checkpoint_folder).id
        assert (message.horizon, message.action_dim, message.layout) == (2, 22, "delta_pose_22")


def test_bad_input_gives_no_action(lockstep):
    """Each kind of bad input silences the policy; good input brings it back."""
    when = 10**10
    lockstep.command(when, latched=True)
    lockstep.observe(when, order=np.random.default_rng(0).permutation(23))
    reordered = lockstep.answers(1)[0]
    nan = lockstep.cloud.copy()
    nan[5, 1] = np.nan
    other_fields = cloud_of(lockstep.cloud, when)
    other_fields.fields = other_fields.fields[:2]
    lockstep.command(when)
    bad = {
        "empty": cloud_of(lockstep.cloud[:0], when + PERIOD),
        "nan": cloud_of(nan, when + PERIOD),
        "frame": cloud_of(lockstep.cloud, when + PERIOD, frame="camera"),
        "fields": other_fields,
        "outside": cloud_of(lockstep.cloud + 5.0, when + PERIOD),
    }
    for name, cloud in bad.items():
        cloud.header.stamp = stamp(when + PERIOD)
        lockstep.observe(when + PERIOD, cloud)
        assert lockstep.silent(), name
    broken = ExecutedAction()
    broken.target_pose.orientation.w = 0.0
    lockstep.executed.publish(broken)
    later = when + 2 * PERIOD
    lockstep.command(when + PERIOD)
    lockstep.observe(later, count=20)
    assert lockstep.silent(), "short joint states"
    lockstep.reset(0)
    lockstep.command(later, latched=True)
    lockstep.observe(later)
    again = lockstep.answers(2)[1]
    assert again.base_action == reordered.base_action, "order of joint names mattered"


def test_realtime_acts_while_observed(realtime):
    def now() -> int:
        return realtime.node.get_clock().now().nanoseconds

    def observed_enough() -> bool:
        realtime.observe(now())
        return len(realtime.actions) >= 5

    realtime.command(now())
    assert realtime.spin_until(observed_enough, ENOUGH)
    stamps = [a.observation_stamp.sec * 10**9 + a.observation_stamp.nanosec for a in realtime.actions]
    assert all(later > earlier for earlier, later in pairwise(stamps))
    realtime.spin_until(lambda: False, 2 * NOTHING)  # what is still under way
    assert realtime.silent(), "acted on an observation that is no longer fresh"
    changes = [message.status[0].message for message in realtime.told if len(message.status) == 1]
    assert changes[-1] == "points: older than 0.25 s; is the camera still running?"


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("policy:=/nowhere", "no checkpoint at"),
        ("rate:=20.0", "rate is 20.0 Hz"),
        ("sim_time:=fast", "realtime or lockstep"),
    ],
)
def test_start_up_error_is_one_sentence(domain, checkpoint_folder, parameter, words):
    process = node_process(checkpoint_folder, parameter)
    _, errors = process.communicate(timeout=ENOUGH)
    assert process.returncode == 1
    assert words in errors
    assert "Traceback" not in errors
