"""Correction node: between the operator's device and the executor.

Answers every `/rfs/policy_action` at once with one `/rfs/correction`, the same again for the same
observation; without policy actions it says ten times a second whether the device can be read. Buttons become
calls of `/rfs/session/command`; stop goes to the executor directly, too.

Parameters: `device` (spacemouse, keyboard, gamepad or scripted), `config` (its YAML; empty: the packaged
one), `residual` (YAML of the bounds; empty: that of rfs_control), `terminal` (of the keyboard), `seed` (of
the scripted operator), `sim_time` ("realtime" or "lockstep").
"""

import array
import sys
import time

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rfs_control.nodes.parameters import choice, path
from rfs_control.residual_bounds import ResidualBounds
from rfs_description.robot import BASE_FRAME
from rfs_policy.cadence import Cadence
from rfs_policy.diagnostics import Level, Status, cadence_status, to_message
from rfs_policy.nodes.run import run, take_precedence
from rfs_policy.nodes.stamps import nanoseconds, time_message

from rfs_msgs.msg import Correction, PolicyAction, SessionStatus
from rfs_teleop.correction import Answer, Corrector
from rfs_teleop.devices.buttons import STATES, ButtonReader
from rfs_teleop.devices.config import DEVICES, DeviceConfig
from rfs_teleop.devices.device import Device, Reading
from rfs_teleop.devices.opening import open_device
from rfs_teleop.devices.scripted import ScriptedOperator
from rfs_teleop.nodes.scene_feed import SceneFeed
from rfs_teleop.nodes.session_caller import SessionCaller

_NAME = "rfs correction"
_SILENCE = 0.15  # s without a policy action after which signs of life are due
_ALIVE = 0.095  # s between them, as a look finds it
_LOOK = 0.05  # s between looks at held buttons
_STOPPING = 0.3  # s for which a stop is repeated, in case that a message is lost


class CorrectionNode(Node):
    """Moves messages between ROS and `Corrector`; everything happens in one thread but reading the device."""

    def __init__(self) -> None:
        super().__init__("correction")
        self._lockstep = choice(self, "sim_time", ("realtime", "lockstep")) == "lockstep"
        name = choice(self, "device", DEVICES)
        config = DeviceConfig.load(name, path(self, "config"))
        self._corrector = Corrector(config.residual, ResidualBounds.load(path(self, "residual")))
        self._buttons = ButtonReader(config.bindings, config.hold_seconds)
        self._session = SessionCaller(self, name)
        self._cadence = Cadence(0.0)
        self._state, self._stop_until = "", 0.0
        self._pending: int | None = None
        self._feed: SceneFeed | None = None
        self._answered = self._spoke = 0.0
        self._told = ""
        self._publisher = self.create_publisher(Correction, "/rfs/correction", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._changed = self.create_guard_condition(self._look)
        self.device = self._open(config)
        self.create_subscription(PolicyAction, "/rfs/policy_action", self._on_policy_action, 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(SessionStatus, "/rfs/session", self._on_session, latched)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_LOOK, self._look, clock=steady)
        self.create_timer(1.0, self._diagnose, clock=steady)
        if not self._lockstep:
            take_precedence()
        self.get_logger().info(f"ready ({name}, {config.source})")

    def close(self) -> None:
        """Give the device back."""
        self.device.close()

    def _open(self, config: DeviceConfig) -> Device:
        terminal = str(self.declare_parameter("terminal", "").value)
        seed = int(self.declare_parameter("seed", 0).value)
        if config.device == "scripted":
            operator = ScriptedOperator(config, seed)
            self._feed = SceneFeed(self, operator, self._lockstep, self._answer)
            return operator
        return open_device(config, self._changed.trigger, terminal)

    # ---- topics ----
    def _on_policy_action(self, message: PolicyAction) -> None:
        self._pending = nanoseconds(message.observation_stamp)
        self._answer()

    def _answer(self) -> None:
        """Correct the policy's newest action; in lockstep the scripted operator waits for what it sees."""
        observation, began = self._pending, time.monotonic()
        if observation is None or (self._feed is not None and not self._feed.show(observation)):
            return
        reading = self.device.reading
        self._publish(self._corrector.answer(observation, reading, began), reading, began)
        self._pending, self._answered = None, began
        self._cadence.tick(began, time.monotonic() - began)

    def _on_session(self, message: SessionStatus) -> None:
        self._state = STATES[message.state] if message.state < len(STATES) else ""
        self.device.set_light(self._state == "running")
        if self._feed is not None:
            self._feed.follow_session(self._state)

    # ---- buttons ----
    def _look(self) -> None:
        """After a change of the device, and from time to time: what do the buttons mean?"""
        now = time.monotonic()
        if self._feed is not None:
            self._feed.begin_episodes()
        commands = self._buttons.read(self.device.changes(), now, self._state)
        for command in commands:
            self._session.send(command)
        if "release" in commands:
            self._stop_until = 0.0
        if "stop" in commands or self._buttons.stops():
            self._stop_until = now + _STOPPING
        silent = now - self._answered >= _SILENCE and now - self._spoke >= _ALIVE
        if "stop" in commands or silent:
            reading = self.device.reading
            self._publish(self._corrector.alive(reading, now), reading, now)
        self._tell(self.device.reading.problem)

    # ---- out ----
    def _publish(self, answer: Answer, reading: Reading, now: float) -> None:
        message = Correction(active=answer.active, stop=now < self._stop_until, device=self.device.name)
        message.header.frame_id = BASE_FRAME
        message.header.stamp = self._read_stamp(answer, reading, now)
        message.observation_stamp = time_message(answer.observation)
        message.residual = array.array("f", answer.residual.tobytes())
        message.axes = answer.axes.astype("float32")
        message.problem = answer.problem
        self._publisher.publish(message)
        self._spoke = now

    def _read_stamp(self, answer: Answer, reading: Reading, now: float) -> Time:
        """When the device was read: wall time, or in lockstep the time of the observation."""
        if self._lockstep:
            return time_message(answer.observation)
        return time_message(time.time_ns() - max(0, round((now - reading.time) * 1e9)))

    def _tell(self, problem: str) -> None:
        """Say why the device cannot be read, once per change."""
        if problem == self._told:
            return
        self._told = problem
        if problem:
            self.get_logger().warning(f"no corrections: {problem}")
        else:
            self.get_logger().info(f"the {self.device.name} is read")

    def _diagnose(self) -> None:
        now = time.monotonic()
        problem = self._corrector.alive(self.device.reading, now).problem
        figures = {"device": self.device.name, "session": self._state or "none"}
        level = Level.WARN if problem else Level.OK
        report = self._cadence.report(now)
        statuses = [
            Status(_NAME, level, problem or "reading the device", figures),
            cadence_status(f"{_NAME}: answers", report, stale_after=1.0),
        ]
        self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), statuses))


def main() -> int:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    return run("correction", CorrectionNode, CorrectionNode.close)


if __name__ == "__main__":
    sys.exit(main())
