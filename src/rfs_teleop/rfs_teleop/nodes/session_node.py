"""Session node: episodes one after the other, as the operator wants them.

Takes `/rfs/session/command` (start, success, failure, discard, pause, resume, stop, release, finish),
publishes `/rfs/session`, and conducts bridge, policy, executor and recorder. In simulation the simulator
judges an episode and the next one follows by itself; otherwise a person places the object, starts, and marks.
A session that exists is continued. It ends the process: exit code 0 when all episodes are done, 1 when a node
was missing or, with nobody there, broke down.

Parameters: `session` (name; also of the folder below `bags`), `bags`, `operator`, `object` (name, or several
with commas), `episodes` (0: no end), `episode_seconds`, `seed`, `simulator`, `judge` ("simulator", or the
reward node's tracker), `attended`, `sim_time`, `startup_timeout` (s), `patience` (s without progress after
which a node counts as missing).
"""

import os
import sys
import time
from pathlib import Path

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rfs_policy.nodes.stamps import nanoseconds

from rfs_msgs.msg import EpisodeStatus, ExecutedAction, GraspReward, PolicyAction
from rfs_msgs.srv import OperatorCommand
from rfs_teleop.episode_conduct import Ending, Scene, ServiceError, folder_name
from rfs_teleop.episode_watch import EpisodeWatch
from rfs_teleop.nodes.episode_services import EpisodeServices
from rfs_teleop.nodes.session_parameters import SessionParameters
from rfs_teleop.nodes.session_voice import SessionVoice
from rfs_teleop.session import Session
from rfs_teleop.session_commands import Command, Phase
from rfs_teleop.session_diary import SessionDiary

_RCLError = rclpy_implementation.RCLError
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_AFTERTHOUGHT = 0.5  # s after a release in which a message may still tell of the stop
_LASTING = 0.5  # s from which on a hold is worth a word
_NICENESS = 5


class SessionNode(Node):
    """Moves messages between ROS and `rfs_teleop.session.Session`."""

    def __init__(self, executor: SingleThreadedExecutor) -> None:
        super().__init__("session")
        self._executor = executor
        given = self._given = SessionParameters.read(self)
        self._remote = EpisodeServices(
            self,
            executor,
            given.patience,
            self._between_attempts,
            given.plan.simulator,
            operator=True,
            judge=given.judge,
        )
        self._remote.operator_name, self._remote.session = given.operator, given.name
        self.diary = SessionDiary(given.bags / given.name, given.plan.episodes)
        self._watch: EpisodeWatch | None = None
        self._released = self._held_since = 0.0
        self._hold_reason = self._recorder_problem = ""
        self.session = Session(
            given.plan, self._remote, self._episode_id, self._began, self._ended, self.diary.tally()
        )
        self._voice = SessionVoice(self, given.name, given.operator)
        self._listen(given.plan.simulator)

    def _listen(self, simulator: bool) -> None:
        if simulator:
            self.create_subscription(GraspReward, "/rfs/reward", self._on_reward, 10)
        self.create_subscription(PolicyAction, "/rfs/policy_action", self._on_policy, 10)
        self.create_subscription(ExecutedAction, "/rfs/executed_action", self._on_executed, 10)
        self.create_subscription(EpisodeStatus, "/rfs/episode", self._on_episode, _LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    # ---- what comes in ----
    def _on_reward(self, message: GraspReward) -> None:
        self._take("reward", message.header.stamp, message.success)

    def _on_policy(self, message: PolicyAction) -> None:
        self._take("policy_action", message.observation_stamp)

    def _on_executed(self, message: ExecutedAction) -> None:
        holds = message.state == ExecutedAction.STATE_HOLDING
        if not (holds and self._hold_reason):
            self._held_since = time.monotonic()
        self._hold_reason = message.reason if holds else ""
        stopped = message.state == ExecutedAction.STATE_STOPPED
        if stopped and self.session.phase != Phase.STOPPED and time.monotonic() > self._released:
            self.session.stopped(message.reason.partition(";")[0] or "stopped")
        self._take("executed_action", message.header.stamp)

    def _take(self, topic: str, stamp: Time, success: bool = False) -> None:
        if self._watch is not None:
            self._watch.take(topic, nanoseconds(stamp), time.monotonic(), success)

    def _on_episode(self, message: EpisodeStatus) -> None:
        ended = message.state == EpisodeStatus.STATE_ENDED
        if ended and self.session.is_open and message.bag == self.session.bag:
            why = self._recorder_problem or "the bag takes nothing more"
            self.session.broken(f"recorder: {why}")

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "recorder":
                self._recorder_problem = status.message if status.level != b"\0" else ""

    def _on_command(
        self, request: OperatorCommand.Request, response: OperatorCommand.Response
    ) -> OperatorCommand.Response:
        try:
            command = Command(request.command)
        except ValueError:
            response.message = f"{request.command} is no command: see rfs_msgs/srv/OperatorCommand"
            return response
        response.message = self.session.command(command)
        response.success = not response.message
        if response.success and command == Command.STOP:
            self._remote.stop_at_once()
        if response.success and command == Command.RELEASE:
            self._released = time.monotonic() + _AFTERTHOUGHT
        self.get_logger().info(
            f"{request.source or 'somebody'}: {command.name.lower()}"
            + (f" refused: {response.message}" if response.message else "")
        )
        return response

    # ---- the session's course ----
    def run(self) -> str:
        """All episodes, or until the stack breaks; what ended it early, or empty."""
        try:
            self._remote.remote.wait_for_all(self._given.startup)
        except ServiceError as error:
            return str(error)
        self.create_service(OperatorCommand, "/rfs/session/command", self._on_command)
        if self.diary.tally().counted:
            print(f"session {self._given.name} goes on with episode {self.session.number}", flush=True)
        try:
            while self.session.phase != Phase.FINISHED:
                self._turn()
        finally:
            if self.context.ok():
                self.session.close("the session was ended")
        print(self.diary.finish(), flush=True)
        self._voice.tell(self.session, self.diary)
        self._voice.farewell()
        return self.session.failed

    def _turn(self) -> None:
        self._voice.tell(self.session, self.diary)
        self._look()
        if self.session.busy:
            self.session.step()
        else:
            self._executor.spin_once(timeout_sec=0.1)

    def _look(self) -> None:
        """Whether the running episode is over, or somebody is missing."""
        watch, session = self._watch, self.session
        if watch is None or not session.is_open:
            return
        if session.phase != Phase.RUNNING:
            watch.pause()
            return
        now = time.monotonic()
        if watch.paused:
            watch.resume(now)
        holds = self._hold_reason and now - self._held_since > _LASTING
        session.message = f"the robot holds: {self._hold_reason}" if holds else ""
        problem = watch.problem(now)
        if watch.success:
            session.judged(True)
        elif problem:
            session.broken(problem)
        elif watch.outcome:
            session.out_of_time(self._given.limit)

    def _between_attempts(self) -> None:
        self._voice.tell(self.session, self.diary)
        self.session.require_going_on()
        self._executor.spin_once(timeout_sec=0.2)

    def _episode_id(self, number: int, name: str) -> str:
        return f"{time.strftime('%Y%m%d-%H%M%S')}-{number:03d}-{folder_name(name) or 'episode'}"

    def _began(self, scene: Scene) -> None:
        self._hold_reason = ""
        self._watch = EpisodeWatch(
            scene.stamp,
            self._given.limit,
            self._given.patience,
            time.monotonic(),
            self._given.lockstep,
            self._given.judge,
        )

    def _ended(self, outcome: str, bag: str, ending: Ending) -> None:
        self._watch = None
        number, begun = self.session.number, self.session.tally.begun
        self.diary.ended(outcome, Path(bag) if bag else None, ending, number, begun)


def main() -> int:
    """Run the session; 0 when it is finished, 1 with a sentence on stderr when something was missing."""
    os.nice(_NICENESS)
    problem, node = "", None
    try:
        rclpy.init()
        executor = SingleThreadedExecutor()
        node = SessionNode(executor)
        executor.add_node(node)
        problem = node.run()
    except (KeyboardInterrupt, ExternalShutdownException):
        problem = "interrupted"
    except _RCLError:  # what any call raises once a signal has shut the context down
        if rclpy.ok():
            raise
        problem = "interrupted"
    except (ValueError, OSError) as error:
        problem = str(error)
    finally:
        if node is not None:
            node.diary.finish()
        rclpy.try_shutdown()
    if problem:
        print(f"session: {problem}", file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
