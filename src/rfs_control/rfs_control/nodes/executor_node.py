"""Executor node: the only one that commands the robot.

Takes `/rfs/policy_action`, `/rfs/correction` and `/joint_states`, sends `/arm/target_pose` and
`/hand/target_joints`, and publishes what it did as `/rfs/executed_action`. The service `/rfs/engage` makes it
follow the policy or hold, `/rfs/pause` holds within an episode, and `/rfs/stop` latches until it is released.

Parameters: `sim_time` ("realtime" or "lockstep"), `rate` (Hz), `limits` (a YAML file; empty: the package's),
`operator` (true: corrections are taken, and somebody must be there; false: only a stop is heard), `residual`
(bounds of corrections, a YAML file; empty: the package's), `max_joint_state_age`, `max_observation_age` and
`max_operator_age` (s, realtime only).
"""

import sys
import time
from collections.abc import Callable
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rfs_policy.cadence import Cadence
from rfs_policy.diagnostics import Level, Status, cadence_status, to_message
from rfs_policy.nodes import stamps
from rfs_policy.nodes.run import run, take_precedence
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from rfs_control.executor import Executor
from rfs_control.limits import Limits
from rfs_control.nodes import messages
from rfs_control.nodes.parameters import boolean, choice, path, positive
from rfs_control.nodes.policy_voice import PolicyVoice
from rfs_control.nodes.rival import IDENTITY_KEY, RivalWatch
from rfs_control.operator_link import OperatorLink
from rfs_control.residual_bounds import ResidualBounds
from rfs_control.tick import State, Tick
from rfs_msgs.msg import Correction, ExecutedAction, PolicyAction

STATUS_NAME = "rfs executor"
_WATCHDOG_PERIOD = 0.01


class ExecutorNode(Node):
    """Moves messages between ROS and `rfs_control.executor.Executor`."""

    def __init__(self) -> None:
        super().__init__("executor")
        rate = positive(self, "rate", 10.0)
        lockstep = choice(self, "sim_time", ("realtime", "lockstep")) == "lockstep"
        self._core = Executor(
            Limits.load(path(self, "limits"), period=1.0 / rate),
            lockstep,
            max_joint_state_age=positive(self, "max_joint_state_age", 0.2),
            max_observation_age=positive(self, "max_observation_age", 0.5),
            operator=self._operator(lockstep),
        )
        # In lockstep wall time between actions means nothing.
        self._actions = Cadence(0.0 if lockstep else 1.0 / rate)
        self._cadences = {"policy_action": self._actions, "joint_states": Cadence(0.0)}
        if self._core.operator is not None:
            self._cadences["correction"] = Cadence(0.0)
        self._told = self._core.reason
        self._pose = self.create_publisher(PoseStamped, "/arm/target_pose", 10)
        self._fingers = self.create_publisher(JointState, "/hand/target_joints", 10)
        self._executed = self.create_publisher(ExecutedAction, "/rfs/executed_action", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.rivals = RivalWatch(self, "/arm/target_pose", STATUS_NAME)
        self._policy = PolicyVoice(self)

    def _operator(self, lockstep: bool) -> OperatorLink | None:
        bounds = ResidualBounds.load(path(self, "residual"))
        max_age = positive(self, "max_operator_age", 0.5)
        wanted = boolean(self, "operator", False)
        return OperatorLink(bounds, None if lockstep else max_age) if wanted else None

    def start(self) -> None:
        """Take messages and offer the service; before this, the node can only be seen."""
        self.create_subscription(PolicyAction, "/rfs/policy_action", self._on_policy_action, 10)
        self.create_subscription(Correction, "/rfs/correction", self._on_correction, 10)
        self.create_subscription(JointState, "/joint_states", self._on_joint_states, 10)
        for name in ("engage", "pause", "stop"):
            self.create_service(SetBool, f"/rfs/{name}", partial(self._on_request, getattr(self, f"_{name}")))
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._diagnose, clock=steady)
        if not self._core.lockstep:
            self.create_timer(_WATCHDOG_PERIOD, self._on_watchdog, clock=steady)
            self._patience = self.create_timer(self._core.correction_wait, self._on_patience, clock=steady)
            self._patience.cancel()
            take_precedence()
        self._diagnose()
        mode = "lockstep" if self._core.lockstep else "realtime"
        self.get_logger().info(f"ready ({mode}, {1 / self._core.limits.period:g} Hz)")

    def _on_policy_action(self, message: PolicyAction) -> None:
        now, stamp = time.monotonic(), stamps.nanoseconds(message.observation_stamp)
        try:
            if not self._core.lockstep and self._age(stamp) < -self._core.max_observation_age:
                stamp = self._present()  # later actions shall not be older than this one
                raise ValueError("policy action: observation lies in the future; are the clocks in step?")
            chunk = messages.read_chunk(message)
        except ValueError as error:
            self._send(self._core.reject(stamp, str(error), now))
        else:
            self._send(self._core.follow(chunk, self._age(stamp), now))
        if not self._core.waiting:
            self._count(stamp, now)
        elif not self._core.lockstep and self._patience.is_canceled():
            self._patience.reset()

    def _on_correction(self, message: Correction) -> None:
        now = time.monotonic()
        if message.stop:
            self._publish(
                self._core.stop(_stopped_by(f"the operator ({message.device})"), self._present(), now)
            )
            self._tell()
        if self._core.operator is None:
            return
        self._cadences["correction"].tick(now)
        correction = messages.read_correction(message)
        if correction.refused:
            self.get_logger().warning(f"refused: {correction.problem}", throttle_duration_sec=5.0)
        self._answer(self._core.correct(correction, now), now)

    def _on_joint_states(self, message: JointState) -> None:
        now = time.monotonic()
        self._cadences["joint_states"].tick(now)
        stamp = stamps.nanoseconds(message.header.stamp)
        self._core.joints.update(message.name, message.position, stamp, now)
        self._publish(self._core.latch_newer(now))

    def _on_watchdog(self) -> None:
        now, waited = time.monotonic(), self._core.waiting
        self._core.policy_problem = self._policy.problem(now)
        tick = self._core.watch(self._present(), now)
        self._answer(tick, now) if waited else self._send(tick)

    def _on_patience(self) -> None:
        """A policy action has waited long enough for its correction."""
        self._patience.cancel()
        self._on_watchdog()

    # ---- services ----
    def _on_request(
        self, fulfill: Callable[[bool], Tick | None], request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        try:
            self._publish(fulfill(request.data))
            response.success = True
        except ValueError as error:
            response.success, response.message = False, str(error)
        self._tell()
        return response

    def _engage(self, wanted: bool) -> Tick | None:
        if not wanted:
            return self._core.disengage()
        self._actions.restart()
        try:
            return self._core.engage(time.monotonic(), self._present())
        except ValueError as error:
            raise ValueError(f"not engaged: {error}") from error

    def _pause(self, wanted: bool) -> Tick | None:
        now = time.monotonic()
        return self._core.pause(self._present(), now) if wanted else self._core.resume(now)

    def _stop(self, wanted: bool) -> Tick | None:
        if not wanted:
            return self._core.release()
        return self._core.stop(_stopped_by("request"), self._present(), time.monotonic())

    # ---- what goes out ----
    def _answer(self, tick: Tick | None, now: float) -> None:
        """Send the answer to a policy action that waited for its correction."""
        self._send(tick)
        if tick is not None:
            self._count(tick.stamp, now)

    def _count(self, stamp: int, now: float) -> None:
        """A policy action was dealt with; its duration is the time from its stamp to the command."""
        self._actions.tick(now, None if self._core.lockstep else self._age(stamp))

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
        """Say why it holds, once per change; what is usual only to those who debug."""
        core = self._core
        if core.reason == self._told:
            return
        self._told = core.reason
        if core.state == State.STOPPED:
            self.get_logger().error(core.reason)
        elif core.hindered:
            self.get_logger().warning(f"holding: {core.reason}")
        else:
            self.get_logger().debug(core.reason or "following the policy")
        self._diagnose()

    def _age(self, stamp: int) -> float:
        """Seconds since a stamp."""
        return (self._present() - stamp) * 1e-9

    def _present(self) -> int:
        return self.get_clock().now().nanoseconds

    def _diagnose(self) -> None:
        core, now = self._core, time.monotonic()
        standing = core.state == State.STOPPED or core.hindered
        figures = {"state": core.state.name.lower(), **vars(core.counts), IDENTITY_KEY: self.rivals.identity}
        others = self.rivals.publishers()
        if others > 0:
            figures["other_publishers_of_target_pose"] = others
        level = Level.WARN if standing or others > 0 else Level.OK
        statuses = [Status(STATUS_NAME, level, core.reason or "following the policy", figures)]
        for name, cadence in self._cadences.items():
            statuses.append(cadence_status(f"{STATUS_NAME}: {name}", cadence.report(now), stale_after=1.0))
        self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), statuses))


def _stopped_by(whom: str) -> str:
    return f"stopped by {whom}; release it with /rfs/stop"


def _make() -> ExecutorNode:
    """The node, started once no older executor was heard."""
    node = ExecutorNode()
    node.rivals.listen()
    node.start()
    return node


def main() -> int:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    return run("executor", _make)


if __name__ == "__main__":
    sys.exit(main())
