"""Simulator, policy, operator and runner in one, for tests of the executor node in its own process."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS
from rfs_policy.layout import DELTA_POSE
from rfs_policy.nodes import stamps
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from rfs_msgs.msg import Correction, ExecutedAction, PolicyAction

T0 = 1_000_000_000
STEP = 100_000_000  # ns
PATIENCE = 15.0


class Rig:
    """Plays simulator, policy, operator and runner to executors of one ROS domain."""

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
        self.corrections = self.node.create_publisher(Correction, "/rfs/correction", 10)
        self.diagnostics = self.node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        services = ("engage", "pause", "stop")
        self.services = {name: self.node.create_client(SetBool, f"/rfs/{name}") for name in services}
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
        self.wait(lambda: all(client.service_is_ready() for client in self.services.values()))
        publishers = (self.actions, self.joints, self.corrections)
        self.wait(lambda: all(publisher.get_subscription_count() for publisher in publishers))
        topics = ("/rfs/executed_action", "/arm/target_pose", "/hand/target_joints")
        self.wait(lambda: all(self.node.count_publishers(topic) for topic in topics))

    def call(self, name: str, wanted: bool = True) -> SetBool.Response:
        answer = self.services[name].call_async(SetBool.Request(data=wanted))
        self.wait(answer.done)
        return answer.result()

    def engage(self, wanted: bool = True) -> SetBool.Response:
        return self.call("engage", wanted)

    def engage_now(self) -> None:
        """In realtime: joints that were measured since the request are latched."""

        def engaged() -> bool:
            self.observe(self.present())
            return self.engage().success

        def latched() -> bool:
            self.observe(self.present())
            return any(not message.executed for message in self.received["executed"])

        self.wait(engaged)
        self.wait(latched)

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

    def correct(self, stamp: int, dy: float = 0.01, **changes: object) -> None:
        message = Correction(active=True, residual=[0.0, dy] + [0.0] * 20, device="scripted")
        message.header.frame_id = "fr3_link0"
        message.header.stamp = stamps.time_message(stamp + 5)
        message.observation_stamp = stamps.time_message(stamp)
        for name, value in changes.items():
            setattr(message, name, value)
        self.corrections.publish(message)

    def be_there(self) -> None:
        """A sign of life of the operator."""
        self.corrections.publish(Correction(device="scripted"))

    def present(self) -> int:
        return self.node.get_clock().now().nanoseconds

    def answer(self, count: int) -> ExecutedAction:
        """The `count`-th message of what the executor did."""
        self.wait(lambda: len(self.received["executed"]) >= count)
        return self.received["executed"][count - 1]

    def close(self) -> None:
        # First: Fast DDS may crash at the end of a participant to which a killed process was just writing.
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
        for process in self.processes:
            process.kill()
            process.wait()
