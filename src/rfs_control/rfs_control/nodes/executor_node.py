"""Executor node: the only one that commands the robot.

Takes `/rfs/policy_action` and `/joint_states`, sends `/arm/target_pose` and `/hand/target_joints`, and
publishes what it did as `/rfs/executed_action`. The service `/rfs/engage` makes it follow the policy or hold.

Parameters: `sim_time` ("realtime" or "lockstep"), `rate` (Hz), `limits` (a YAML file; empty: the package's),
`max_joint_state_age` and `max_observation_age` (s, realtime only).
"""

import sys
import time
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rfs_policy.cadence import Cadence
from rfs_policy.diagnostics import Level, Status, cadence_status, to_message
from rfs_policy.nodes import stamps
from rfs_policy.nodes.run import run, take_precedence
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from rfs_control.executor import Executor, State, Tick
from rfs_control.limits import Limits
from rfs_control.nodes import messages
from rfs_control.nodes.rival import IDENTITY_KEY, RivalWatch
from rfs_msgs.msg import ExecutedAction, PolicyAction

STATUS_NAME = "rfs executor"
_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)
_WATCHDOG_PERIOD = 0.01
_DISCOVERY = 1.0
"""Time for other processes to be discovered before the service is offered, s."""
_HEARTBEAT = 2.5
"""Time in which a living executor must be heard, s."""


class ExecutorNode(Node):
    """Moves messages between ROS and `rfs_control.executor.Executor`."""

    def __init__(self) -> None:
        super().__init__("executor")
        rate = _positive(self, "rate", 10.0)
        self._core = Executor(
            Limits.load(self.declare_parameter("limits", "").value or None, period=1.0 / rate),
            lockstep=_choice(self, "sim_time", ("realtime", "lockstep")) == "lockstep",
            max_joint_state_age=_positive(self, "max_joint_state_age", 0.2),
            max_observation_age=_positive(self, "max_observation_age", 0.5),
        )
        # In lockstep wall time between actions means nothing.
        self._actions = Cadence(0.0 if self._core.lockstep else 1.0 / rate)
        self._joint_states = Cadence(0.0)
        self._told = self._core.reason
        self._pose = self.create_publisher(PoseStamped, "/arm/target_pose", 10)
        self._fingers = self.create_publisher(JointState, "/hand/target_joints", 10)
        self._executed = self.create_publisher(ExecutedAction, "/rfs/executed_action", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.rivals = RivalWatch(self, "/arm/target_pose", STATUS_NAME)

    def start(self) -> None:
        """Take messages and offer the service; before this, the node can only be seen."""
        self.create_subscription(PolicyAction, "/rfs/policy_action", self._on_policy_action, 10)
        self.create_subscription(JointState, "/joint_states", self._on_joint_states, 10)
        self.create_service(SetBool, "/rfs/engage", self._on_engage)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._diagnose, clock=steady)
        if not self._core.lockstep:
            self.create_timer(_WATCHDOG_PERIOD, self._on_watchdog, clock=steady)
            take_precedence()
        self._diagnose()
        mode = "lockstep" if self._core.lockstep else "realtime"
        self.get_logger().info(f"ready ({mode}, {1 / self._core.limits.period:g} Hz)")

    def _on_policy_action(self, message: PolicyAction) -> None:
        now = time.monotonic()
        stamp = stamps.nanoseconds(message.observation_stamp)
        try:
            chunk = messages.read_chunk(message)
        except ValueError as error:
            self._send(self._core.reject(stamp, str(error), now))
        else:
            self._send(self._core.follow(chunk, self._age(stamp), now))
        # The duration of a tick is the time from the observation's stamp to the command.
        self._actions.tick(now, None if self._core.lockstep else self._age(stamp))

    def _on_joint_states(self, message: JointState) -> None:
        now = time.monotonic()
        self._joint_states.tick(now)
        stamp = stamps.nanoseconds(message.header.stamp)
        self._core.joints.update(message.name, message.position, stamp, now)
        self._publish(self._core.latch_newer(now))

    def _on_watchdog(self) -> None:
        self._send(self._core.watch(self._present(), time.monotonic()))

    def _on_engage(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = True
        if not request.data:
            self._core.disengage()
        else:
            self._actions.restart()
            try:
                self._publish(self._core.engage(time.monotonic()))
            except ValueError as error:
                response.success, response.message = False, f"not engaged: {error}"
        self._tell()
        return response

    def _send(self, tick: Tick | None) -> None:
        """Command the robot, then publish what was done."""
        if tick is not None:
            self._pose.publish(messages.target_pose(tick))
            self._fingers.publish(messages.target_joints(tick))
        self._publish(tick)
        self._tell()

    def _publish(self, tick: Tick | None) -> None:
        if tick is not None:
            sent = tick.stamp if self._core.lockstep else self._present()
            self._executed.publish(messages.executed_action(tick, sent))

    def _tell(self) -> None:
        """Say why it holds, once per change."""
        if self._core.reason != self._told:
            self._told = self._core.reason
            if self._core.reason and self._core.engaged:
                self.get_logger().warning(f"holding: {self._core.reason}")
            else:
                self.get_logger().info(self._core.reason or "following the policy")

    def _age(self, stamp: int) -> float:
        """Seconds since a stamp."""
        return (self._present() - stamp) * 1e-9

    def _present(self) -> int:
        return self.get_clock().now().nanoseconds

    def _diagnose(self) -> None:
        core, now = self._core, time.monotonic()
        holds_by_fault = core.engaged and core.state == State.HOLDING
        figures = {"state": core.state.name.lower(), **vars(core.counts), IDENTITY_KEY: self.rivals.identity}
        others = self.rivals.publishers()
        if others > 0:
            figures["other_publishers_of_target_pose"] = others
        level = Level.WARN if holds_by_fault or others > 0 else Level.OK
        statuses = [Status(STATUS_NAME, level, core.reason or "following the policy", figures)]
        for name, cadence in {"policy_action": self._actions, "joint_states": self._joint_states}.items():
            statuses.append(cadence_status(f"{STATUS_NAME}: {name}", cadence.report(now), stale_after=1.0))
        self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), statuses))


def _choice(node: Node, name: str, choices: Sequence[str]) -> str:
    """A parameter with a fixed set of values; the first one is the default."""
    value = node.declare_parameter(name, choices[0], _ANY_TYPE).value
    if value not in choices:
        raise ValueError(f"parameter {name} must be one of {', '.join(choices)}; got {value!r}")
    return str(value)


def _positive(node: Node, name: str, default: float) -> float:
    """A parameter that is a positive number."""
    value = node.declare_parameter(name, default, _ANY_TYPE).value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"parameter {name} must be a positive number; got {value!r}")
    return float(value)


def _make() -> ExecutorNode:
    """The node, started once no older executor was heard; waits longer when somebody publishes its topic."""
    node = ExecutorNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    start = time.monotonic()
    patience = _DISCOVERY
    while time.monotonic() < start + patience:
        executor.spin_once(timeout_sec=0.05)
        patience = _HEARTBEAT if node.rivals.publishers() > 0 else _DISCOVERY
    executor.remove_node(node)
    node.start()
    return node


def main() -> int:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    return run("executor", _make)


if __name__ == "__main__":
    sys.exit(main())
