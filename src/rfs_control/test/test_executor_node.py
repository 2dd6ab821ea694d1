"""The executor node in its own process, over DDS."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS  # noqa: E402
from rfs_policy.layout import DELTA_POSE  # noqa: E402
from rfs_policy.nodes import stamps  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from rfs_msgs.msg import ExecutedAction, PolicyAction  # noqa: E402

T0 = 1_000_000_000
STEP = 100_000_000  # ns
PATIENCE = 15.0


class Rig:
    """Plays simulator, policy and runner to executors of one ROS domain."""

    def __init__(self, domain: int) -> None:
        self.environment = os.environ | {
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.received: dict[str, list] = {"executed": [], "pose": [], "fingers": [], "diagnostics": []}
        topics = {
            "executed": (ExecutedAction, "/rfs/executed_action"),
            "pose": (PoseStamped, "/arm/target_pose"),
            "fingers": (JointState, "/hand/target_joints"),
            "diagnostics": (DiagnosticArray, "/diagnostics"),
        }
        for key, (kind, topic) in topics.items():
            self.node.create_subscription(kind, topic, self.received[key].append, 10)
        self.actions = self.node.create_publisher(PolicyAction, "/rfs/policy_action", 10)
        self.joints = self.node.create_publisher(JointState, "/joint_states", 10)
        self.engaging = self.node.create_client(SetBool, "/rfs/engage")
        self.processes: list[subprocess.Popen] = []

    def launch(self, **parameters: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "rfs_control.nodes.executor_node", "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.1)

    def ready(self) -> None:
        """Everything matched, in both directions."""
        self.wait(self.engaging.service_is_ready)
        self.wait(lambda: self.actions.get_subscription_count() and self.joints.get_subscription_count())
        topics = ("/rfs/executed_action", "/arm/target_pose", "/hand/target_joints")
        self.wait(lambda: all(self.node.count_publishers(topic) for topic in topics))

    def engage(self, wanted: bool = True) -> SetBool.Response:
        answer = self.engaging.call_async(SetBool.Request(data=wanted))
        self.wait(answer.done)
        return answer.result()

    def observe(self, stamp: int = T0, joints: tuple[str, ...] = JOINTS) -> None:
        positions = dict(zip(JOINTS, np.concatenate([ARM_HOME, HAND_HOME]).tolist(), strict=True))
        message = JointState(name=joints, position=[positions[name] for name in joints])
        message.header.stamp = stamps.time_message(stamp)
        self.joints.publish(message)

    def act(self, stamp: int, dx: float = 0.01, **changes: object) -> None:
        action = np.zeros((2, 22), dtype=np.float32)
        action[:, 0] = dx
        message = PolicyAction(layout=DELTA_POSE.name, horizon=2, action_dim=22)
        message.header.frame_id = "fr3_link0"
        message.base_action, message.residual = action.ravel().tolist(), [0.0] * 44
        message.observation_stamp = stamps.time_message(stamp)
        for name, value in changes.items():
            setattr(message, name, value)
        self.actions.publish(message)

    def answer(self, count: int) -> ExecutedAction:
        """The `count`-th message of what the executor did."""
        self.wait(lambda: len(self.received["executed"]) >= count)
        return self.received["executed"][count - 1]

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig(domain=next(_DOMAINS))
    yield made
    made.close()


def test_lockstep_episode_with_bad_messages_in_between(rig: Rig) -> None:
    process = rig.launch(sim_time="lockstep")
    rig.ready()
    refused = rig.engage()
    assert not refused.success
    assert "nothing received" in refused.message

    rig.observe(T0)
    rig.wait(lambda: rig.engage().success)
    latched = rig.answer(1)
    assert len(latched.executed) == 0
    assert latched.target_pose.position.x == pytest.approx(0.5, abs=1e-6)

    before = len(rig.received["executed"])
    rig.act(T0)
    first = rig.answer(before + 1)
    assert first.state == ExecutedAction.STATE_AUTONOMOUS
    assert stamps.nanoseconds(first.header.stamp) == T0
    rig.act(T0)
    assert rig.answer(before + 2) == first

    rig.act(T0 + STEP, layout="arm_joints_23")
    held = rig.answer(before + 3)
    assert held.state == ExecutedAction.STATE_HOLDING
    assert "arm_joints_23" in held.reason
    assert held.target_pose == first.target_pose

    rig.act(T0 + 2 * STEP)
    assert rig.answer(before + 4).target_pose.position.x == pytest.approx(0.52, abs=1e-6)
    rig.wait(lambda: len(rig.received["pose"]) >= 4 and len(rig.received["fingers"]) >= 4)
    assert stamps.nanoseconds(rig.received["pose"][-1].header.stamp) == T0 + 2 * STEP

    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert "Traceback" not in process.stderr.read()


def test_realtime_holds_when_the_policy_or_the_joint_states_stop(rig: Rig) -> None:
    process = rig.launch(sim_time="realtime", max_joint_state_age=1.0)
    rig.ready()

    def engaged() -> bool:
        rig.observe(rig.node.get_clock().now().nanoseconds)
        return rig.engage().success

    rig.wait(engaged)
    rig.act(rig.node.get_clock().now().nanoseconds)
    reasons = ["policy is late and its chunk is used up", "joint states: older than 1.0 s: all joints"]
    for reason in reasons:
        rig.wait(lambda reason=reason: any(m.reason == reason for m in rig.received["executed"]))
    done = [m for m in rig.received["executed"] if m.state == ExecutedAction.STATE_AUTONOMOUS]
    assert [m.chunk_index for m in done] == [0, 1]
    assert rig.engage(False).success

    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    errors = process.stderr.read()
    assert "Traceback" not in errors
    assert all(errors.count(f"holding: {reason}") == 1 for reason in reasons)


def test_a_second_executor_leaves_and_the_first_stays(rig: Rig) -> None:
    first = rig.launch()
    rig.ready()
    second = rig.launch()
    assert second.wait(PATIENCE) == 1
    assert "another executor" in second.stderr.read()
    seen = len(rig.received["diagnostics"])
    rig.wait(lambda: len(rig.received["diagnostics"]) > seen + 1)
    assert first.poll() is None


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [("sim_time", "never", "sim_time"), ("rate", "-1.0", "rate"), ("limits", "nowhere.yaml", "nowhere.yaml")],
)
def test_a_wrong_parameter_is_one_sentence_and_a_failure(rig: Rig, name: str, value: str, named: str) -> None:
    process = rig.launch(**{name: value})
    assert process.wait(PATIENCE) == 1
    errors = process.stderr.read()
    assert named in errors
    assert "Traceback" not in errors
