"""Simulator and executor in one, as the policy node sees them; and the node's process."""

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS
from sensor_msgs.msg import JointState, PointCloud2, PointField

from rfs_msgs.msg import ExecutedAction, PolicyAction
from rfs_msgs.srv import ResetPolicy

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

    def ask_to_reset(self, seed: int) -> ResetPolicy.Response:
        future = self.resetter.call_async(ResetPolicy.Request(seed=seed))
        assert self.spin_until(future.done, ENOUGH)
        return future.result()

    def reset(self, seed: int) -> None:
        assert self.ask_to_reset(seed).success

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


def node_process(checkpoint_folder, *parameters: str, before: str = "") -> subprocess.Popen:
    """A policy node with these parameters, `name:=value`; `before`: Python that its process runs first."""
    settings = [f"policy:={checkpoint_folder}", *parameters]
    arguments = [part for setting in settings for part in ("-p", setting)]
    script = f"import sys\nfrom rfs_policy.nodes import policy_node\n{before}\nsys.exit(policy_node.main())"
    command = [sys.executable, "-c", script, "--ros-args", *arguments]
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
