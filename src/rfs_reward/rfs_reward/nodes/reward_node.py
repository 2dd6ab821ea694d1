"""Reward node: pictures, depth and joint states in, the reward of each frame out.

Callbacks only keep the newest complete frame; a thread of its own tracks the object in it, and frames that
come meanwhile are dropped. `/rfs/reward/reset` begins an episode, and so does, in realtime, a new one on
`/rfs/episode`. `/rfs/reward/set_prompt` and `/rfs/reward/prompt` (a pixel of the color picture) say what to
track; what the service's prompts say goes out on `/rfs/reward/prompted` once it is taken, to be recorded.
Publishes `/rfs/reward`, and, while somebody listens, `/rfs/reward/mask` and `/rfs/reward/debug_image`.

Parameters: `sim_time` ("realtime" or "lockstep"), `tracker` ("rgbd" or "sam2"), `weights` (of the tracker),
`config` (YAML file; empty: the package's), `image_size` (that the tracker works at, pixels; 0: its own),
`device` (of the tracker), `threads` (of its libraries), `nice` (how much the process gives way).
"""

import re
import sys
import threading
import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, TransformStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rfs_policy.cadence import Cadence
from rfs_policy.diagnostics import Level, Status, cadence_status, to_message
from rfs_policy.nodes.run import RefusalError, run
from rfs_policy.nodes.stamps import nanoseconds
from sensor_msgs.msg import CameraInfo, Image, JointState

from rfs_msgs.msg import EpisodeStatus, GraspReward, TrackerPrompt
from rfs_msgs.srv import PromptTracker, ResetReward
from rfs_reward.calibration import Calibration
from rfs_reward.debug_picture import draw
from rfs_reward.frame_match import SCENE_GAP, FrameMatcher
from rfs_reward.judge import Judge, Judgement
from rfs_reward.nodes import messages
from rfs_reward.nodes.parameters import RewardParameters, give_way, limit_threads
from rfs_reward.prompt_places import prompt_places
from rfs_reward.reward_config import RewardConfig
from rfs_reward.reward_worker import Prompt, Result, RewardWorker
from rfs_reward.robot_view import RobotView
from rfs_reward.trackers.registry import make_tracker

_NAME = "rfs reward"
_PATIENCE = 10.0  # s that a service waits for the tracker
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class RewardNode(Node):
    """Moves messages between ROS and `rfs_reward.reward_worker.RewardWorker`."""

    def __init__(self) -> None:
        super().__init__("reward")
        given = self._given = RewardParameters.read(self)
        config = RewardConfig.load(given.config or None)
        tracker = make_tracker(given.tracker, given.weights, given.image_size, given.device)
        limit_threads(given.threads)
        self._source = tracker.name
        self._calibration = Calibration()
        self._matcher = FrameMatcher.for_time(given.lockstep)
        gap = SCENE_GAP if given.lockstep else 0
        judge = Judge(tracker, config)
        self._worker = RewardWorker(judge, RobotView(), self._calibration, self._publish, gap)
        self._told = self._answer = ""
        self._prompts = 0
        self._episode = ""
        self._failure: Exception | None = None
        self._cadences = {topic: Cadence(0.0) for topic in ("color", "depth", "joint_states")}
        self._offer()
        self._listen()
        self._broken = self.create_guard_condition(self._on_failure)
        self._answered = self.create_guard_condition(self._diagnose)
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._thread = threading.Thread(target=self._work, name="reward", daemon=True)
        self._thread.start()
        give_way(given.nice)
        self.get_logger().info(f"ready (tracker {tracker.name})")

    def close(self) -> None:
        """End the worker."""
        self._worker.close()
        self._thread.join(timeout=5.0)

    def _offer(self) -> None:
        depth = 100 if self._given.lockstep else 5
        self._rewards = self.create_publisher(GraspReward, "/rfs/reward", 100)
        self._masks = self.create_publisher(Image, "/rfs/reward/mask", self._camera_qos(depth))
        self._pictures = self.create_publisher(Image, "/rfs/reward/debug_image", self._camera_qos(depth))
        self._prompted = self.create_publisher(TrackerPrompt, "/rfs/reward/prompted", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(PromptTracker, "/rfs/reward/set_prompt", self._on_prompt)
        self.create_service(ResetReward, "/rfs/reward/reset", self._on_reset)

    def _listen(self) -> None:
        camera = self._camera_qos(10 if self._given.lockstep else 2)
        self.create_subscription(Image, "/camera/color/image_raw", self._on_color, camera)
        self.create_subscription(Image, "/camera/depth/image_rect", self._on_depth, camera)
        self.create_subscription(CameraInfo, "/camera/color/camera_info", self._calibration.take_info, camera)
        self.create_subscription(
            TransformStamped, "/camera/color/extrinsics", self._calibration.take_extrinsics, _LATCHED
        )
        self.create_subscription(JointState, "/joint_states", self._on_joint_states, 50)
        self.create_subscription(PointStamped, "/rfs/reward/prompt", self._on_pixel, 10)
        if not self._given.lockstep:
            self.create_subscription(EpisodeStatus, "/rfs/episode", self._on_episode, _LATCHED)

    def _camera_qos(self, depth: int) -> QoSProfile:
        reliable = ReliabilityPolicy.RELIABLE if self._given.lockstep else ReliabilityPolicy.BEST_EFFORT
        return QoSProfile(depth=depth, reliability=reliable)

    # ---- measurements: keep the newest ----
    def _on_color(self, message: Image) -> None:
        now = time.monotonic()
        self._cadences["color"].tick(now)
        self._matcher.take_color(nanoseconds(message.header.stamp), message, now)
        self._match(now)

    def _on_depth(self, message: Image) -> None:
        now = time.monotonic()
        self._cadences["depth"].tick(now)
        self._matcher.take_depth(nanoseconds(message.header.stamp), message, now)
        self._match(now)

    def _on_joint_states(self, message: JointState) -> None:
        now = time.monotonic()
        self._cadences["joint_states"].tick(now)
        self._matcher.take_joints(message.name, message.position, nanoseconds(message.header.stamp), now)
        self._match(now)

    def _match(self, now: float) -> None:
        match = self._matcher.newest(now)
        if match is not None:
            self._worker.offer(match)

    # ---- episodes ----
    def _on_episode(self, message: EpisodeStatus) -> None:
        if message.state == EpisodeStatus.STATE_RECORDING and message.id != self._episode:
            self._episode = message.id
            self._worker.begin()

    def _on_reset(self, request: ResetReward.Request, response: ResetReward.Response) -> ResetReward.Response:
        self._worker.begin(nanoseconds(request.stamp))
        response.success = True
        return response

    # ---- prompts ----
    def _on_pixel(self, message: PointStamped) -> None:
        pixel = (message.point.x, message.point.y)
        self._worker.prompt(Prompt(self._note_answer, points=[pixel]))

    def _on_prompt(
        self, request: PromptTracker.Request, response: PromptTracker.Response
    ) -> PromptTracker.Response:
        """Waits for the tracker; measurements that come meanwhile are kept by the middleware."""
        answered = threading.Event()
        response.centroid = messages.NOWHERE

        def answer(judgement: Judgement | None, problem: str) -> None:
            response.success, response.message = judgement is not None, problem
            if judgement is not None:
                response.confidence = judgement.confidence
                response.centroid = messages.point(judgement.centroid)
                self._prompted.publish(messages.prompt(judgement.stamp, request))
            self._note_answer(judgement, problem)
            answered.set()

        try:
            self._worker.prompt(Prompt(answer, **prompt_places(request.kind, request.coordinates)))
        except ValueError as error:
            answer(None, str(error))
        in_time = answered.wait(_PATIENCE)
        self._matcher.excuse(time.monotonic())
        if in_time:
            return response
        text = f"the tracker did not answer within {_PATIENCE:g} s; it goes on trying"
        return PromptTracker.Response(message=text, centroid=messages.NOWHERE)

    def _note_answer(self, _: Judgement | None, problem: str) -> None:
        self._prompts, self._answer = self._prompts + 1, problem or "taken"
        if problem:
            self.get_logger().warning(f"prompt refused: {problem}")
        else:
            self.get_logger().info("prompt taken")
        self._answered.trigger()

    # ---- the worker's thread ----
    def _work(self) -> None:
        try:
            self._worker.run()
        except Exception as error:
            if rclpy.ok():  # otherwise the process ends, and publishing fails
                self._failure = error
                self._broken.trigger()

    def _publish(self, result: Result) -> None:
        judgement, header = result.judgement, result.match.color.header
        if not rclpy.ok():
            return
        if self._masks.get_subscription_count():
            self._masks.publish(messages.mask_image(header, judgement.mask))
        if self._pictures.get_subscription_count():
            picture = draw(result.frame.color, judgement, result.frame.camera)
            self._pictures.publish(messages.color_image(header, picture))
        # May end the episode and its recording, so it comes last.
        self._rewards.publish(messages.reward(result.match.stamp, judgement, self._source))

    def _on_failure(self) -> None:
        error = self._failure
        raise RefusalError(f"the tracker broke down: {type(error).__name__}: {error}") from error

    # ---- what it tells of itself ----
    def _problem(self) -> str:
        return self._matcher.problem(time.monotonic()) or self._worker.problem

    def _diagnose(self) -> None:
        problem, now = self._problem(), time.monotonic()
        cause = _NUMBER.sub("#", problem)
        if cause != self._told:
            self._told = cause
            if problem:
                self.get_logger().warning(problem)
            else:
                self.get_logger().info("the object is tracked again")
        statuses = [
            Status(_NAME, Level.WARN if problem else Level.OK, problem or "tracking", self._figures())
        ]
        statuses.append(
            cadence_status(f"{_NAME}: tracker", self._worker.cadence.report(now), stale_after=2.0)
        )
        for topic, cadence in self._cadences.items():
            statuses.append(cadence_status(f"{_NAME}: {topic}", cadence.report(now), stale_after=1.0))
        self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), statuses))

    def _figures(self) -> dict[str, object]:
        figures: dict[str, object] = {"tracker": self._source}
        figures |= {"prompts": self._prompts, "answer": self._answer}
        last = self._worker.last
        if last is not None:
            judgement = last.judgement
            figures |= {"tracking": judgement.tracking.name.lower(), "age": judgement.age}
            figures |= {"confidence": judgement.confidence}
        return figures | {"frames": self._worker.cadence.ticks, "dropped": self._worker.dropped}


def main() -> int:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    return run("reward", RewardNode, RewardNode.close)


if __name__ == "__main__":
    sys.exit(main())
