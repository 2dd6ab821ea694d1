"""Viewer node: shows the robot in a browser and passes on what the operator presses there.

Nothing depends on it: it keeps the newest of what it hears, draws at 10 Hz while somebody watches, and can be
ended or started at any time.

Parameters: `address` and `port` of the page (0: any free port), `token` that a browser must enter (empty:
none on loopback; on any other address one is made up and printed), `residual` (YAML file of the operator's
bounds; empty: the package's).
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, TransformStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from rfs_control.residual_bounds import ResidualBounds
from rfs_description.joint_states import JointStates
from rfs_description.robot import BASE_FRAME
from rfs_policy.nodes.run import run
from rfs_policy.point_cloud import read_points
from rfs_teleop.session_commands import Command
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2

from rfs_msgs.msg import ExecutedAction, GraspReward, SessionStatus
from rfs_viewer.gate import chosen_token
from rfs_viewer.nodes import messages
from rfs_viewer.nodes.operator_calls import OperatorCalls
from rfs_viewer.view import View
from rfs_viewer.web_server import WebServer

_NICENESS = 10
_PERIOD = 0.1  # s
_IMAGES_EVERY = 2  # periods
_POINTS = "/camera/points"
_NAMES = {"/joint_states": "joint states", _POINTS: "point cloud", "/camera/color/image_raw": "picture"}
_SILENT_AFTER = 1.5  # s
_LIVE = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_MANY = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)  # all nodes share one topic
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)


class ViewerNode(Node):
    """Moves messages into a `View`, which a `WebServer` shows."""

    def __init__(self) -> None:
        super().__init__("viewer")
        address = str(self.declare_parameter("address", "127.0.0.1").value)
        port = _port(self.declare_parameter("port", 8090, _ANY_TYPE).value)
        given = str(self.declare_parameter("token", "", _ANY_TYPE).value)
        bounds = ResidualBounds.load(self.declare_parameter("residual", "").value or None)
        token, made_up = chosen_token(address, given)
        self._view = View()
        self._joints = JointStates(max_age=float("inf"))
        self._newest: dict[str, bytes] = {}
        self._drawn: dict[str, tuple[type, Callable[[Any], None]]] = {
            _POINTS: (PointCloud2, self._take_points),
            "/camera/color/image_raw": (Image, self._take_image),
            "/camera/color/camera_info": (CameraInfo, self._take_intrinsics),
            "/rfs/reward/mask": (Image, self._take_mask),
        }
        self._heard: dict[str, float] = {}
        self._close: list[Subscription] = []
        self._count = 0
        self._calls = OperatorCalls(self)
        self._prompt = self.create_publisher(PointStamped, "/rfs/reward/prompt", 10)
        self._listen()
        self._server = WebServer(address, port, token, bounds, self)
        self.create_timer(_PERIOD, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        host = f"[{address}]" if ":" in address else address
        self.get_logger().info(f"the page is at http://{host}:{self._server.port}")
        if made_up:
            print(f"viewer: the page asks for this token: {token}", flush=True)

    def close(self) -> None:
        """Close the page."""
        self._server.stop()

    # ---- what the operator does; called from the server's threads ----
    def press(self, command: Command) -> None:
        """A button."""
        self._calls.press(command)

    def prompt(self, pixel: tuple[float, float]) -> None:
        """A click on the picture."""
        self._view.prompt = pixel
        message = messages.prompt(pixel)
        message.header.stamp = self.get_clock().now().to_msg()
        self._prompt.publish(message)

    # ---- listening ----
    def _listen(self) -> None:
        """To what is small, always: traces and state are there when somebody opens the page."""
        self.create_subscription(ExecutedAction, "/rfs/executed_action", self._on_executed, _LIVE)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, _MANY)
        self.create_subscription(GraspReward, "/rfs/reward", self._on_reward, _LIVE)
        self.create_subscription(SessionStatus, "/rfs/session", self._on_session, _LATCHED)
        self.create_subscription(TransformStamped, "/camera/color/extrinsics", self._on_extrinsics, _LATCHED)

    def _listen_closely(self, wanted: bool) -> None:
        """To what is large or frequent, only while somebody watches."""
        if wanted and not self._close:
            self._close = [
                self.create_subscription(JointState, "/joint_states", self._on_joint_states, _LIVE),
                *(self._keep(topic, kind) for topic, (kind, _) in self._drawn.items()),
            ]
        elif not wanted and self._close:
            for subscription in self._close:
                self.destroy_subscription(subscription)
            self._close.clear()

    def _keep(self, topic: str, kind: type) -> Subscription:
        """Only the newest message, packed as it came: most are never drawn."""

        def keep(data: bytes) -> None:
            self._newest[topic] = data
            self._heard[topic] = time.monotonic()

        return self.create_subscription(kind, topic, keep, _LIVE, raw=True)

    def _on_joint_states(self, message: JointState) -> None:
        now = self._heard["/joint_states"] = time.monotonic()
        self._joints.update(message.name, message.position, 0, now)

    def _on_executed(self, message: ExecutedAction) -> None:
        with suppress(ValueError):  # an unknown state: the page says that it hears nothing
            self._view.hear(messages.tick(message, time.monotonic()))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        state, tracker = messages.executor_state(message), messages.tracker_report(message)
        if state is not None:
            self._view.hear_of(*state, time.monotonic())
        if tracker is not None:
            self._view.report(tracker)

    def _on_reward(self, message: GraspReward) -> None:
        now = time.monotonic()
        self._view.traces.reward.add(now, message.reward)
        with suppress(ValueError):
            self._view.sight = messages.sight(message, now)

    def _on_session(self, message: SessionStatus) -> None:
        with suppress(ValueError):
            self._view.session = messages.session(message)

    def _on_extrinsics(self, message: TransformStamped) -> None:
        if message.header.frame_id == BASE_FRAME:
            self._view.camera_position = messages.vector(message.transform.translation)
            self._view.camera_wxyz = messages.quaternion(message.transform.rotation)

    # ---- drawing ----
    def _on_timer(self) -> None:
        self._calls.collect()
        watched = self._server.watched
        self._listen_closely(watched)
        if not watched:
            return
        self._view.notice = self._calls.notice
        if np.isfinite(self._joints.positions).all():
            self._view.joints = self._joints.positions.copy()
        for topic in self._drawn if self._count % _IMAGES_EVERY == 0 else (_POINTS,):
            self._unpack(topic)
        self._count += 1
        now = time.monotonic()
        self._view.silent = tuple(
            name for topic, name in _NAMES.items() if now - self._heard.get(topic, now) > _SILENT_AFTER
        )
        self._server.update(self._view, now)

    def _unpack(self, topic: str) -> None:
        """Take the newest message of a topic into the view. What is wrong with one is the policy's to say."""
        data = self._newest.pop(topic, None)
        if data is not None:
            kind, take = self._drawn[topic]
            with suppress(ValueError):
                take(deserialize_message(data, kind))

    def _take_points(self, message: PointCloud2) -> None:
        self._view.points = read_points(message, BASE_FRAME)

    def _take_image(self, message: Image) -> None:
        self._view.picture = messages.image_pixels(message)

    def _take_mask(self, message: Image) -> None:
        self._view.mask = messages.image_pixels(message)[..., 0]

    def _take_intrinsics(self, message: CameraInfo) -> None:
        if message.k[0] > 0:
            self._view.intrinsics = np.array(message.k).reshape(3, 3)


def _port(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 65536:
        raise ValueError(f"parameter port must be a number from 0 to 65535; got {value!r}")
    return value


def main() -> int:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    os.nice(_NICENESS)
    return run("viewer", ViewerNode, ViewerNode.close)


if __name__ == "__main__":
    sys.exit(main())
