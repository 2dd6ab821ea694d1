"""Recorder node: between `/rfs/episode/start` and `/rfs/episode/stop`, all topics go into one MCAP bag.

Messages are stored as they come from the wire (raw CDR). Parameters: bags (folder), sim_time, rate (Hz, only
noted in the bag).
"""

import os
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from rfs_policy.diagnostics import Level, Status, to_message
from rfs_policy.nodes.run import run

from rfs_msgs.msg import EpisodeStatus, PolicyAction
from rfs_msgs.srv import EndEpisode, StartEpisode
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.definitions import definition
from rfs_teleop.episode_recorder import EpisodeRecorder, EpisodeSummary, packaged_topics, repair_all

_FLUSH_PERIOD = 0.25  # s: what a killed recorder loses at most
_NICENESS = 5
_OUTCOMES = {
    EpisodeStatus.OUTCOME_UNKNOWN: "unknown",
    EpisodeStatus.OUTCOME_SUCCESS: "success",
    EpisodeStatus.OUTCOME_FAILURE: "failure",
    EpisodeStatus.OUTCOME_DISCARDED: "discarded",
}


class RecorderNode(Node):
    """Moves raw messages from subscriptions into `EpisodeRecorder`."""

    def __init__(self) -> None:
        super().__init__("recorder")
        self._bags = Path(self.declare_parameter("bags", "runs/bags").value).expanduser().resolve()
        self._sim_time = self.declare_parameter("sim_time", "realtime").value
        self._rate = self.declare_parameter("rate", 10.0).value
        topics = packaged_topics()
        definitions = {name: definition(name) for name in {topic.type for topic in topics}}
        distro = os.environ.get("ROS_DISTRO", "kilted")
        self._recorder = EpisodeRecorder(self._bags, topics, definitions, distro)
        self._lost: dict[str, int] = {}
        self._status = EpisodeStatus()
        self._policy_action: bytes | None = None
        for path in repair_all(self._bags):
            self.get_logger().warning(f"repaired the bag {path}, which an earlier recorder did not finish")
        self._listeners = [self._listen(topic) for topic in topics]
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._status_publisher = self.create_publisher(EpisodeStatus, "/rfs/episode", latched)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(StartEpisode, "/rfs/episode/start", self._start)
        self.create_service(EndEpisode, "/rfs/episode/stop", self._stop)
        self.create_timer(_FLUSH_PERIOD, self._flush)
        self.create_timer(1.0, self._diagnose)
        self._publish_status(EpisodeStatus.STATE_IDLE)

    # ---- topics ----
    def _listen(self, topic: Topic) -> Subscription:
        package, _, name = topic.type.split("/")
        message_class = getattr(import_module(f"{package}.msg"), name)
        reliable = topic.reliable or self._sim_time == "lockstep"
        qos = QoSProfile(
            depth=200,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else DurabilityPolicy.VOLATILE,
        )
        is_action = topic.type == "rfs_msgs/msg/PolicyAction"

        def keep(data: bytes, info: dict[str, int]) -> None:
            if is_action:
                self._policy_action = data
            self._recorder.record(topic.name, data, time.time_ns(), info["source_timestamp"])

        def lose(event: object) -> None:
            self._lost[topic.name] = self._lost.get(topic.name, 0) + getattr(event, "total_count_change", 0)

        events = SubscriptionEventCallbacks(message_lost=lose)
        return self.create_subscription(
            message_class, topic.name, keep, qos, raw=True, event_callbacks=events
        )

    def _drain(self) -> None:
        """Take what already arrived: an executor takes one message a topic and may get to a service first."""
        for listener in self._listeners:
            with listener.handle:
                while (taken := listener.handle.take_message(listener.msg_type, True)) is not None:
                    listener.callback(*taken)

    # ---- services ----
    def _start(self, request: StartEpisode.Request, response: StartEpisode.Response) -> StartEpisode.Response:
        episode = request.id or f"{time.strftime('%Y%m%d-%H%M%S')}-{request.object or 'episode'}"
        contract = {
            "object": request.object,
            "seed": str(request.seed),
            "operator": request.operator_name,
            "rate_hz": str(self._rate),
            "sim_time": self._sim_time,
            "software": f"rfs_teleop {_software_version()}",
        }
        if self._recorder.recording == episode:  # asked again because the first answer was lost
            response.success, response.id, response.bag = True, episode, self._status.bag
            return response
        try:
            bag = self._recorder.start(episode, contract)
        except (ValueError, OSError) as error:
            response.message = f"cannot record episode '{episode}': {error}"
            self.get_logger().error(response.message)
            return response
        self._lost.clear()
        self._policy_action = None
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

    def _stop(self, request: EndEpisode.Request, response: EndEpisode.Response) -> EndEpisode.Response:
        self._drain()
        try:
            summary = self._end(request.outcome, request.notes)
        except (ValueError, OSError) as error:
            response.message = f"cannot end the episode: {error}"
            return response
        response.success = not summary.problem
        response.message = summary.problem
        response.bag = str(summary.bag)
        response.topics = list(summary.topics)
        response.received, response.written = list(summary.received), list(summary.written)
        return response

    def _end(self, outcome: int, notes: str) -> EpisodeSummary:
        result = {"outcome": _OUTCOMES.get(outcome, "unknown"), "notes": notes, **self._policy_contract()}
        result.update({f"lost {topic}": str(count) for topic, count in self._lost.items()})
        summary = self._recorder.stop(result, keep=outcome != EpisodeStatus.OUTCOME_DISCARDED)
        self._status.outcome = outcome
        self._publish_status(EpisodeStatus.STATE_ENDED)
        total = f"{sum(summary.written)} of {sum(summary.received)} messages"
        silent = ", ".join(summary.missing)
        self.get_logger().info(f"{summary.bag}: {total}" + (f"; nothing on {silent}" if silent else ""))
        if summary.problem:
            self.get_logger().error(summary.problem)
        return summary

    def _policy_contract(self) -> dict[str, str]:
        """Layout and checkpoint as the newest PolicyAction names them."""
        if self._policy_action is None:
            return {}
        action = deserialize_message(self._policy_action, PolicyAction)
        return {"layout": action.layout, "checkpoint": action.checkpoint, "horizon": str(action.horizon)}

    # ---- timers ----
    def _flush(self) -> None:
        before = self._recorder.problem
        self._recorder.flush()
        if self._recorder.problem and not before:
            self.get_logger().error(f"recording stopped: {self._recorder.problem}")

    def _publish_status(self, state: int) -> None:
        self._status.header.stamp = self.get_clock().now().to_msg()
        self._status.state = state
        if self.context.ok():  # it is not when a signal ended the node during an episode
            self._status_publisher.publish(self._status)

    def _diagnose(self) -> None:
        problem = self._recorder.problem
        status = Status(
            "recorder",
            Level.ERROR if problem else Level.OK,
            problem or ("recording" if self._recorder.recording else "idle"),
            {"episode": self._recorder.recording, **{f"lost {k}": v for k, v in self._lost.items()}},
        )
        self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), [status]))

    def finish(self) -> None:
        """Close a bag that is still open when the node ends."""
        if self._recorder.recording:
            self._end(EpisodeStatus.OUTCOME_UNKNOWN, "the recorder was stopped during the episode")


def _software_version() -> str:
    try:
        return version("rfs_teleop")
    except PackageNotFoundError:
        return "unknown"


def main() -> int:
    """Run until SIGINT or SIGTERM; behind the nodes of the control loop where the processor is short."""
    os.nice(_NICENESS)
    return run("recorder", RecorderNode, RecorderNode.finish)


if __name__ == "__main__":
    sys.exit(main())
