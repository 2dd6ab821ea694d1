"""Robot, camera and policy of a ROS domain, and the processes that a test starts in it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
from geometry_msgs.msg import PointStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rfs_description.robot import ARM_HOME, BASE_FRAME, HAND_HOME, JOINTS
from rfs_policy.layout import DELTA_POSE
from sensor_msgs.msg import Image, JointState, PointCloud2, PointField
from std_srvs.srv import SetBool

from rfs_msgs.msg import ExecutedAction, PolicyAction, SessionStatus
from rfs_msgs.srv import OperatorCommand

PATIENCE = 40.0


class Rig:
    """Plays robot, camera and policy at 10 Hz to an executor and viewers of one ROS domain."""

    def __init__(self, domain: int) -> None:
        self.environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.executed: list[ExecutedAction] = []
        self.prompts: list[PointStamped] = []
        self.node.create_subscription(ExecutedAction, "/rfs/executed_action", self.executed.append, 10)
        self.node.create_subscription(PointStamped, "/rfs/reward/prompt", self.prompts.append, 10)
        self.publishers = {
            kind: self.node.create_publisher(kind, topic, 10)
            for kind, topic in {
                JointState: "/joint_states",
                PointCloud2: "/camera/points",
                Image: "/camera/color/image_raw",
                PolicyAction: "/rfs/policy_action",
            }.items()
        }
        self.services = {
            name: self.node.create_client(SetBool, f"/rfs/{name}") for name in ("stop", "engage")
        }
        self.nonsense = self.node.create_publisher(ExecutedAction, "/rfs/executed_action", 10)
        self.node.create_timer(0.1, self.play)
        self.processes: list[subprocess.Popen] = []

    def launch(self, module: str, log: Path, **parameters: object) -> subprocess.Popen:
        command = [sys.executable, "-u", "-m", module, "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        with log.open("w") as file:
            process = subprocess.Popen(command, env=self.environment, stdout=file, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def play(self) -> None:
        """One period of a robot that stands still and a policy that wants nothing."""
        stamp = self.node.get_clock().now().to_msg()
        messages = (joint_states(), cloud(), picture(), action())
        for message in messages:
            message.header.stamp = stamp
            if isinstance(message, PolicyAction):
                message.observation_stamp = stamp
            self.publishers[type(message)].publish(message)

    def wait(self, done: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"this never came: {what}"
            self.executor.spin_once(timeout_sec=0.05)

    def engage(self) -> None:
        """Until the executor follows the policy, stopped or not."""
        self.wait(lambda: all(s.service_is_ready() for s in self.services.values()), "the services")
        self.wait(lambda: self.publishers[JointState].get_subscription_count(), "the executor")
        self.request("stop", False)
        self.wait(lambda: self.request("engage", True), "a robot to engage")
        self.wait(lambda: self.state() == ExecutedAction.STATE_AUTONOMOUS, "the policy is followed")

    def request(self, service: str, wanted: bool) -> bool:
        """Whether the executor did it."""
        answer = self.services[service].call_async(SetBool.Request(data=wanted))
        self.wait(answer.done, f"an answer to {service}")
        return answer.result().success

    def send_nonsense(self) -> None:
        """Messages that nobody can show."""
        self.nonsense.publish(ExecutedAction(human_residual=[1.0] * 3))
        for message in (JointState(name=["a"]), PointCloud2(), Image(encoding="rgb8")):
            self.publishers[type(message)].publish(message)

    def state(self) -> int:
        return self.executed[-1].state if self.executed else -1

    def close(self) -> None:
        # First: Fast DDS may crash at the end of a participant to which a killed process was just writing.
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
        for process in self.processes:
            process.kill()
            process.wait()


def joint_states() -> JointState:
    return JointState(name=JOINTS, position=np.concatenate([ARM_HOME, HAND_HOME]).tolist())


def cloud() -> PointCloud2:
    points = np.random.default_rng(0).uniform([0.4, -0.2, 0], [0.6, 0.2, 0.3], (512, 3)).astype(np.float32)
    message = PointCloud2(height=1, width=512, point_step=12, row_step=12 * 512, data=points.tobytes())
    message.header.frame_id = BASE_FRAME
    message.fields = [PointField(name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate("xyz")]
    return message


def picture() -> Image:
    pixels = np.full((120, 160, 3), 200, np.uint8)
    return Image(height=120, width=160, encoding="rgb8", step=480, data=pixels.tobytes())


def action() -> PolicyAction:
    base = np.zeros((2, 22), np.float32)
    message = PolicyAction(
        layout=DELTA_POSE.name, horizon=2, action_dim=22, base_action=base.ravel().tolist()
    )
    message.residual = [0.0] * 44
    message.header.frame_id = BASE_FRAME
    return message


class FakeSession:
    """A session that refuses everything."""

    def __init__(self, rig: Rig) -> None:
        self.commands: list[int] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        publisher = rig.node.create_publisher(SessionStatus, "/rfs/session", latched)
        publisher.publish(SessionStatus(session="monday", state=0, episode=3, planned=50, object="mug"))
        rig.node.create_service(OperatorCommand, "/rfs/session/command", self._answer)

    def _answer(self, request: OperatorCommand.Request, answer: OperatorCommand.Response) -> object:
        self.commands.append(request.command)
        answer.message = "no episode is running"
        return answer
