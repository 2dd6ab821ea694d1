"""Policy node: point cloud and joint states in, chunks of actions out.

Callbacks only keep the newest messages; a thread of its own acts, in realtime at absolute deadlines, in
lockstep as soon as an observation is complete. Offers `/rfs/policy/reset`.

Parameters: `sim_time` ("realtime" or "lockstep"), `policy` (checkpoint; "default" and "distilled" ship),
`modulation` (checkpoint of one that was trained for this policy; empty: none),
`rate` (Hz; must be the checkpoint's), `seed` (of the noise), `max_age` (s; older inputs are not acted on in
realtime).
"""

import sys
import threading
import time
from dataclasses import replace

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState, PointCloud2

from rfs_msgs.msg import ExecutedAction, PolicyAction
from rfs_msgs.srv import ResetPolicy
from rfs_policy.cadence import Cadence
from rfs_policy.command_state import read_command
from rfs_policy.control_tick import Answer, PolicyTick
from rfs_policy.deadlines import Deadlines
from rfs_policy.diagnostics import Level, Status, cadence_status, to_message
from rfs_policy.layout import DELTA_POSE
from rfs_policy.nodes import messages, stamps
from rfs_policy.nodes.run import run, take_precedence
from rfs_policy.observation import WORKSPACE_BOX
from rfs_policy.policy import FlowPolicy

_NAME = "rfs policy"
_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)
_LOCKSTEP_WAIT = 0.1  # s; how long the lockstep thread sleeps at most before it looks whether to end


class PolicyNode(Node):
    """Moves messages between ROS and `rfs_policy.control_tick.PolicyTick`."""

    def __init__(self) -> None:
        super().__init__("policy")
        self._lockstep = self._sim_time() == "lockstep"
        path = self.declare_parameter("policy", "default").value
        modulation = self.declare_parameter("modulation", "").value or None
        self._policy = FlowPolicy.load(path, None, "onnx", modulation)
        expected = replace(DELTA_POSE, rate_hz=self._policy.layout.rate_hz)  # the rate is the next check
        expected.require_same(self._policy.layout, what=f"checkpoint '{path}'")
        self._period = 1.0 / self._checked_rate()
        seed = int(self.declare_parameter("seed", 0).value)
        max_age = float(self.declare_parameter("max_age", 0.25, _ANY_TYPE).value)
        self._tick = PolicyTick(self._policy, self._lockstep, seed, max_age)
        self._warm_up()
        if not self._lockstep:
            take_precedence()
        self._told = ""
        self._arrived = threading.Event()
        self._ended = False
        self._failure: Exception | None = None
        self._cadences = {"loop": Cadence(self._period)} | {
            topic: Cadence(0.0) for topic in ("points", "joint_states", "executed_action")
        }
        self._actions = self.create_publisher(PolicyAction, "/rfs/policy_action", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        reliability = ReliabilityPolicy.RELIABLE if self._lockstep else ReliabilityPolicy.BEST_EFFORT
        camera = QoSProfile(depth=1, reliability=reliability)
        self.create_subscription(PointCloud2, "/camera/points", self._on_points, camera)
        self.create_subscription(JointState, "/joint_states", self._on_joint_states, 10)
        self.create_subscription(ExecutedAction, "/rfs/executed_action", self._on_executed, 10)
        self.create_service(ResetPolicy, "/rfs/policy/reset", self._on_reset)
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._thread = threading.Thread(target=self._control, name="policy control", daemon=True)
        self._thread.start()
        mode = "lockstep" if self._lockstep else "realtime"
        self.get_logger().info(f"ready ({mode}, {1 / self._period:g} Hz, {self._policy.describe()})")

    def close(self) -> None:
        """End the control thread; raises what it had ended of."""
        self._ended = True
        self._arrived.set()
        self._thread.join(timeout=2.0)
        if self._failure is not None:
            raise self._failure

    def _sim_time(self) -> str:
        value = self.declare_parameter("sim_time", "realtime").value
        if value not in ("realtime", "lockstep"):
            raise ValueError(f"parameter sim_time must be realtime or lockstep; got {value!r}")
        return str(value)

    def _checked_rate(self) -> float:
        rate, trained = self.declare_parameter("rate", 10.0, _ANY_TYPE).value, self._policy.layout.rate_hz
        if rate != trained:
            raise ValueError(f"parameter rate is {rate!r} Hz, but the checkpoint acts at {trained:g} Hz")
        return float(rate)

    def _warm_up(self) -> None:
        """The first inference allocates memory and is slow; it should not be the robot's first."""
        layout = self._policy.layout
        cloud = np.tile(WORKSPACE_BOX.mean(axis=0), (1, layout.cloud_points, 1)).astype("float32")
        self._policy.act(cloud, np.zeros((1, layout.state_dim), "float32"))

    # ---- callbacks: keep the newest ----
    def _on_points(self, message: PointCloud2) -> None:
        now = time.monotonic()
        self._cadences["points"].tick(now)
        self._tick.take_cloud(messages.read_cloud(message, now))
        self._arrived.set()

    def _on_joint_states(self, message: JointState) -> None:
        now = time.monotonic()
        self._cadences["joint_states"].tick(now)
        stamp = stamps.nanoseconds(message.header.stamp)
        self._tick.take_joints(message.name, message.position, stamp, now)
        self._arrived.set()

    def _on_executed(self, message: ExecutedAction) -> None:
        self._cadences["executed_action"].tick(time.monotonic())
        try:
            self._tick.take_command(read_command(message))
        except ValueError as error:
            self.get_logger().warning(f"refused: {error}", throttle_duration_sec=5.0)
        self._arrived.set()

    def _on_reset(self, request: ResetPolicy.Request, response: ResetPolicy.Response) -> ResetPolicy.Response:
        if request.seed < 0:
            response.message = f"seed {request.seed} is negative: give 0 or more"
            return response
        self._tick.reset(request.seed)
        response.success = True
        return response

    # ---- control thread ----
    def _control(self) -> None:
        try:
            self._control_lockstep() if self._lockstep else self._control_realtime()
        except Exception as error:
            if not self._ended and rclpy.ok():
                self.get_logger().fatal(f"policy stopped: {error}")
                self._failure = error
                rclpy.try_shutdown()

    def _control_lockstep(self) -> None:
        while not self._ended:
            self._arrived.wait(_LOCKSTEP_WAIT)
            self._arrived.clear()
            began = time.monotonic()
            answer = self._tick.act(began, 0)
            if answer is not None:
                self._publish(answer, answer.stamp, missed=False)
                self._cadences["loop"].tick(began, answer.inference_time, missed=False)
            self._tell()

    def _control_realtime(self) -> None:
        deadlines = Deadlines(self._period, time.monotonic())
        while not self._ended:
            time.sleep(max(0.0, deadlines.next - time.monotonic()))
            began = time.monotonic()
            answer = self._tick.act(began, self._present())
            missed = deadlines.finish(time.monotonic())
            if answer is not None:
                self._publish(answer, self._present(), missed)
                self._cadences["loop"].tick(began, answer.inference_time, missed)
            else:
                self._cadences["loop"].restart()
            self._tell()

    def _publish(self, answer: Answer, sent: int, missed: bool) -> None:
        self._actions.publish(messages.policy_action(answer, self._policy, sent, missed))

    def _tell(self) -> None:
        """Say why it does not act, once per change; what is usual only to those who debug."""
        problem = self._tick.problem
        if problem == self._told:
            return
        changed, self._told = _is_fault(problem) or _is_fault(self._told), problem
        if changed:  # the executor names the cause when the policy falls silent
            self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), [self._status(problem)]))
        if _is_fault(problem):
            self.get_logger().warning(f"no action: {problem}")
        else:
            self.get_logger().debug(problem or "acting")

    def _present(self) -> int:
        return self.get_clock().now().nanoseconds

    def _status(self, problem: str) -> Status:
        level = Level.WARN if _is_fault(problem) else Level.OK
        policy = self._policy
        figures = {"checkpoint": policy.id, "modulation": policy.modulation_id, "layout": policy.layout.name}
        return Status(_NAME, level, problem or "acting", figures)

    def _diagnose(self) -> None:
        now, statuses = time.monotonic(), [self._status(self._tick.problem)]
        for name, cadence in self._cadences.items():
            statuses.append(cadence_status(f"{_NAME}: {name}", cadence.report(now), stale_after=1.0))
        self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), statuses))


def _is_fault(problem: str) -> bool:
    """Whether something is wrong, and not only still to come."""
    return bool(problem) and not problem.startswith("waiting")


def main() -> int:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    return run("policy", PolicyNode, PolicyNode.close)


if __name__ == "__main__":
    sys.exit(main())
