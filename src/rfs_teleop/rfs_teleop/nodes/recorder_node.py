"""Recorder node: between `/rfs/episode/start` and `/rfs/episode/stop`, all topics go into one MCAP bag.

Messages are stored as they come from the wire (raw CDR). Parameters: bags (folder), sim_time, and three that
are only noted in the bag: rate (Hz), robot (which one moves), robot_shift (how a shifted one differs, JSON).
"""

import os
import sys
import time
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rfs_policy.diagnostics import Level, Status, to_message
from rfs_policy.nodes.run import run

from rfs_msgs.msg import EpisodeStatus
from rfs_msgs.srv import EndEpisode, StartEpisode
from rfs_teleop import episode_contract
from rfs_teleop.definitions import definition
from rfs_teleop.episode_recorder import EpisodeRecorder, EpisodeSummary, packaged_topics, repair_all
from rfs_teleop.nodes.contract_notes import ContractNotes
from rfs_teleop.nodes.topic_listener import Received, TopicListener

_POLL_PERIOD = 0.02  # s
_MATCHING = 2.0  # s that an episode's start may wait for publishers
_BEHIND = 0.75  # s that the disk may be behind; a killed recorder would lose as much
_GRACE = 0.15  # s for messages that are on their way when an episode ends
_NICENESS = 5
_ROBOT = ("robot", "robot_shift")
_OUTCOMES = {
    EpisodeStatus.OUTCOME_UNKNOWN: "unknown",
    EpisodeStatus.OUTCOME_SUCCESS: "success",
    EpisodeStatus.OUTCOME_FAILURE: "failure",
    EpisodeStatus.OUTCOME_DISCARDED: "discarded",
}


class RecorderNode(Node):
    """Moves raw messages from the topics into `EpisodeRecorder`."""

    def __init__(self) -> None:
        super().__init__("recorder")
        bags = Path(self.declare_parameter("bags", "runs/bags").value).expanduser().resolve()
        self._sim_time = self.declare_parameter("sim_time", "realtime").value
        self._rate = self.declare_parameter("rate", 10.0).value
        self._robot = {name: str(self.declare_parameter(name, "").value) for name in _ROBOT}
        topics = packaged_topics()
        definitions = {name: definition(name) for name in {topic.type for topic in topics}}
        distro = os.environ.get("ROS_DISTRO", "kilted")
        self._recorder = EpisodeRecorder(bags, topics, definitions, distro)
        self._contract = ContractNotes()
        self._status = EpisodeStatus()
        self._told_problem = ""
        self._was_behind = False
        for path, what in repair_all(bags).items():
            self.get_logger().warning(f"{path}, which an earlier recorder did not finish: {what}")
        self._topics = TopicListener(self, topics, self._sim_time == "lockstep", self._recorder.losses.report)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._status_publisher = self.create_publisher(EpisodeStatus, "/rfs/episode", latched)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(StartEpisode, "/rfs/episode/start", self._start)
        self.create_service(EndEpisode, "/rfs/episode/stop", self._stop)
        self.create_timer(_POLL_PERIOD, self._poll)
        self.create_timer(1.0, self._diagnose)
        self._publish_status(EpisodeStatus.STATE_IDLE)

    # ---- topics ----
    def _poll(self) -> None:
        for message in self._topics.poll():
            self._keep(message)
        if self._recorder.problem != self._told_problem:
            self._tell_problem()

    def _take_the_rest(self) -> None:
        """What was sent before the request may come after it: the last reward of a busy simulator, say."""
        end = time.monotonic() + _GRACE
        while time.monotonic() < end:
            self._poll()
            time.sleep(_POLL_PERIOD)
        self._poll()

    def _keep(self, message: Received) -> None:
        if message.number >= 0:
            self._recorder.losses.take(message.topic, message.publisher, message.number)
        self._recorder.record(
            message.topic, message.data, message.log_time, message.publish_time, message.publisher
        )
        news = self._contract.take(message.topic, message.data)
        if news:
            self._recorder.note(news)

    def _tell_problem(self) -> None:
        """The bag takes nothing more: everyone is told at once, so that nobody goes on in vain."""
        self._told_problem = self._recorder.problem
        if self._told_problem:
            self.get_logger().error(f"recording stopped: {self._told_problem}")
            self._publish_status(EpisodeStatus.STATE_ENDED)
            self._diagnose()

    # ---- services ----
    def _start(self, request: StartEpisode.Request, response: StartEpisode.Response) -> StartEpisode.Response:
        episode = request.id or f"{time.strftime('%Y%m%d-%H%M%S')}-{request.object or 'episode'}"
        if self._recorder.recording == episode and not self._recorder.problem:
            # asked again because the first answer was lost
            response.success, response.id, response.bag = True, episode, self._status.bag
            return response
        self._await_publishers()
        try:
            contract = self._contract_of(request)
            bag = self._recorder.start(episode, contract, request.session, time.time_ns())
        except (ValueError, OSError) as error:
            response.message = f"cannot record episode '{episode}': {error}"
            self.get_logger().error(response.message)
            return response
        self._status = EpisodeStatus(
            id=episode,
            object=request.object,
            seed=request.seed,
            operator_name=request.operator_name,
            bag=str(bag),
        )
        self._publish_status(EpisodeStatus.STATE_RECORDING)
        response.success, response.id, response.bag = True, episode, str(bag)
        return response

    def _await_publishers(self) -> None:
        """An observation that comes right after the start must find its way."""
        end = time.monotonic() + _MATCHING
        while (unmatched := self._topics.unmatched()) and time.monotonic() < end:
            self._poll()
            time.sleep(_POLL_PERIOD)
        self._poll()
        if unmatched:
            self.get_logger().error(
                f"a publisher of {', '.join(unmatched)} does not reach the recorder: its messages will be "
                "missing. Look at its QoS with 'ros2 topic info --verbose'"
            )

    def _contract_of(self, request: StartEpisode.Request) -> dict[str, str]:
        return {
            "object": request.object,
            "seed": str(request.seed),
            "operator": request.operator_name,
            "session": request.session,
            "rate_hz": str(self._rate),
            "sim_time": self._sim_time,
            **{name: text for name, text in self._robot.items() if text},
            "software": episode_contract.software(),
            **episode_contract.limits_entries(),
            **self._contract.begin(),
        }

    def _stop(self, request: EndEpisode.Request, response: EndEpisode.Response) -> EndEpisode.Response:
        self._take_the_rest()
        try:
            summary = self._end(request.outcome, request.notes)
        except (ValueError, OSError) as error:
            response.message = f"cannot end the episode: {error}"
            return response
        response.success = not summary.problem
        response.message = "; ".join(filter(None, [summary.problem, *summary.warnings]))
        response.bag = str(summary.bag)
        response.topics = list(summary.topics)
        response.received, response.written = list(summary.received), list(summary.written)
        response.lost = list(summary.lost)
        return response

    def _end(self, outcome: int, notes: str) -> EpisodeSummary:
        result = {"outcome": _OUTCOMES.get(outcome, "unknown"), "notes": notes}
        told = self._told_problem
        summary = self._recorder.stop(result, keep=outcome != EpisodeStatus.OUTCOME_DISCARDED)
        self._told_problem = ""
        self._status.outcome = outcome
        self._publish_status(EpisodeStatus.STATE_ENDED)
        total = f"{sum(summary.written)} of {sum(summary.received)} messages"
        silent = ", ".join(summary.missing)
        self.get_logger().info(f"{summary.bag}: {total}" + (f"; nothing on {silent}" if silent else ""))
        for sentence in filter(None, ["" if told else summary.problem, *summary.warnings]):
            self.get_logger().error(f"{summary.bag.name}: {sentence}")
        return summary

    # ---- what others are told ----
    def _publish_status(self, state: int) -> None:
        self._status.header.stamp = self.get_clock().now().to_msg()
        self._status.state = state
        if self.context.ok():  # it is not when a signal ended the node during an episode
            self._status_publisher.publish(self._status)

    def _diagnose(self) -> None:
        lag, problem = self._recorder.lag, self._recorder.problem
        behind = lag > _BEHIND and not problem
        if behind and not self._was_behind:
            self.get_logger().warning(f"the disk is {lag:.1f} s behind: a kill now would lose as much")
        self._was_behind = behind
        level = Level.ERROR if problem else Level.WARN if behind else Level.OK
        text = problem or ("the disk is behind" if behind else "")
        text = text or ("recording" if self._recorder.recording else "idle")
        lost = {f"lost {topic}": count for topic, count in self._recorder.losses.counts().items()}
        values = {"episode": self._recorder.recording, "lag": lag, **lost}
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(to_message(stamp, [Status("recorder", level, text, values)]))

    def finish(self) -> None:
        """Close a bag that is still open when the node ends."""
        if self._recorder.recording:
            self._end(EpisodeStatus.OUTCOME_UNKNOWN, "the recorder was stopped during the episode")


def main() -> int:
    """Run until SIGINT or SIGTERM; behind the nodes of the control loop where the processor is short."""
    os.nice(_NICENESS)
    return run("recorder", RecorderNode, RecorderNode.finish)


if __name__ == "__main__":
    sys.exit(main())
