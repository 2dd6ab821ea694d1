"""Simulator bridge: the grasp task behind the topics of a real robot and camera.

Takes `/arm/target_pose` and `/hand/target_joints`, publishes joint states, point cloud, pictures, reward and
the object's true pose. `/rfs/sim/reset` begins an episode. Diagnostics say which share of the limits of
velocity, acceleration and jerk the joints' motion has used (realtime; in lockstep it is linear).

Parameters: `sim_time` ("realtime" or "lockstep"), `rate` (Hz of the control period), `object` and `seed` of
the first scene (object empty: the seed chooses), `images` (whether to publish pictures), `reward_topic` (of
the simulator's own reward), `await_reward` (lockstep: somebody else judges on `/rfs/reward`; wait for it),
`severity` (how much the robot differs from that of the training; see `robot_shift`).
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rfs_policy.cadence import Cadence
from rfs_policy.diagnostics import Level, Status, cadence_status, to_message
from rfs_policy.nodes.run import run
from rfs_policy.nodes.stamps import nanoseconds, time_message
from sensor_msgs.msg import JointState

from rfs_msgs.msg import GraspReward
from rfs_msgs.srv import ResetScene
from rfs_sim_bridge.engine import Engine
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.nodes.lockstep import Lockstep
from rfs_sim_bridge.nodes.realtime import Realtime
from rfs_sim_bridge.nodes.topics import BLOWN_UP, Topics
from rfs_sim_bridge.objects import find_object, object_names
from rfs_sim_bridge.robot_shift import RobotShift
from rfs_sim_bridge.targets import Targets
from rfs_sim_bridge.task_config import TaskConfig

_NAME = "rfs bridge"
_REWARD = "/rfs/reward"
_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)


class BridgeNode(Node):
    """Moves messages between ROS and `GraspTask`; `Lockstep` or `Realtime` decide when time passes.

    make_engine: gives the physics for the task's settings; by default MuJoCo's.
    """

    POINTS_PERIOD = 1 / 60
    """s between clouds in realtime."""

    def __init__(self, make_engine: Callable[[TaskConfig], Engine | None] = lambda config: None) -> None:
        super().__init__("bridge")
        sim_time = self.declare_parameter("sim_time", "realtime").value
        if sim_time not in ("realtime", "lockstep"):
            raise ValueError(f"parameter sim_time must be realtime or lockstep; got {sim_time!r}")
        rate = float(self.declare_parameter("rate", 10.0, _ANY_TYPE).value)
        name = self.declare_parameter("object", "").value
        seed = int(self.declare_parameter("seed", 0).value)
        images = bool(self.declare_parameter("images", True).value)
        reward_topic = str(self.declare_parameter("reward_topic", _REWARD).value)
        await_reward = bool(self.declare_parameter("await_reward", False).value)
        if await_reward and (sim_time != "lockstep" or reward_topic == _REWARD):
            raise ValueError(
                f"await_reward needs sim_time:=lockstep and a reward_topic other than {_REWARD}, on which "
                "the awaited one comes"
            )
        severity = float(self.declare_parameter("severity", 0.0, _ANY_TYPE).value)
        threads = 1 if sim_time == "realtime" else 2
        name = _chosen_object(name, seed)
        shift = RobotShift.target(severity)
        config = replace(TaskConfig.default(), control_rate=rate, shift=shift)
        self._task = GraspTask(config, objects=[name], threads=threads, engine=make_engine(config))
        self._task.reset([seed])
        self._targets = Targets()
        self._told = ""
        self._lock = threading.Lock()
        self._cadence = Cadence(0.0 if sim_time == "lockstep" else Realtime.SLICE)
        topics = Topics(self, self._task, sim_time == "lockstep", reward_topic)
        parts = (self._task, topics, self._targets, self._cadence, self._lock, images)
        lockstep = Lockstep(*parts, await_reward) if sim_time == "lockstep" else None
        self._mode = lockstep or Realtime(*parts, self.POINTS_PERIOD)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_subscription(PoseStamped, "/arm/target_pose", self._on_arm, 10)
        self.create_subscription(JointState, "/hand/target_joints", self._on_hand, 10)
        if lockstep is not None and await_reward:
            self._lockstep = lockstep
            self.create_subscription(GraspReward, _REWARD, self._on_reward, 100)
        self.create_service(ResetScene, "/rfs/sim/reset", self._on_reset)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(Lockstep.PATIENCE / 2, self._on_timer, clock=steady)
        self.create_timer(1.0, self._diagnose, clock=steady)
        self._mode.start()
        robot = f", target robot of severity {severity:g}" if severity else ""
        self.get_logger().info(f"ready ({sim_time}, {rate:g} Hz, object {name}{robot})")

    def close(self) -> None:
        """End the simulation."""
        self._mode.stop()

    # ---- targets ----
    def _on_arm(self, message: PoseStamped) -> None:
        p, q = message.pose.position, message.pose.orientation
        header = message.header
        with self._lock:
            self._targets.take_arm(
                nanoseconds(header.stamp), header.frame_id, (p.x, p.y, p.z), (q.x, q.y, q.z, q.w)
            )
            self._mode.on_target()
        self._tell()

    def _on_hand(self, message: JointState) -> None:
        with self._lock:
            self._targets.take_hand(nanoseconds(message.header.stamp), message.name, message.position)
            self._mode.on_target()
        self._tell()

    def _on_reward(self, message: GraspReward) -> None:
        with self._lock:
            self._lockstep.on_reward(nanoseconds(message.header.stamp), message.success)

    def _tell(self) -> None:
        """Say why targets are refused, once per change."""
        problem = self._targets.problem
        if problem != self._told:
            self._told = problem
            if problem:
                self.get_logger().error(f"refused: {problem}; the robot holds")
            else:
                self.get_logger().info("targets are valid again")

    # ---- episodes ----
    def _on_reset(self, request: ResetScene.Request, response: ResetScene.Response) -> ResetScene.Response:
        try:
            name = _chosen_object(request.object, request.seed)
            with self._lock:
                self._targets.clear()
                self._task.reset([request.seed], [name])
                stamp = self._mode.on_reset()
        except ValueError as error:
            response.message = f"cannot set up the scene: {error}"
            self.get_logger().error(response.message)
            return response
        response.success, response.object, response.stamp = True, name, time_message(stamp)
        return response

    # ---- timers ----
    def _on_timer(self) -> None:
        with self._lock:
            self._mode.on_timer(time.monotonic())

    def _diagnose(self) -> None:
        problem, report = self._targets.problem, self._cadence.report(time.monotonic())
        described = self._mode.describe()
        level = Level.WARN if described == BLOWN_UP else Level.OK
        figures = {"object": self._task.objects[0].name, "refused_targets": self._targets.refused}
        figures |= self._mode.figures()
        statuses = [
            Status(_NAME, Level.ERROR if problem else level, problem or described, figures),
            cadence_status(f"{_NAME}: simulation", report, stale_after=1.0),
        ]
        self._diagnostics.publish(to_message(self.get_clock().now().to_msg(), statuses))


def _chosen_object(name: str, seed: int) -> str:
    """The named object, or a training object: successive seeds go round through all of them.

    Raises:
        ValueError: an unknown name (with the known ones), or a negative seed.
    """
    if seed < 0:
        raise ValueError(f"seed {seed} is negative: give 0 or more")
    names = object_names("train")
    return find_object(name).name if name else names[seed % len(names)]


def main() -> int:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    return run("bridge", BridgeNode, BridgeNode.close)


if __name__ == "__main__":
    sys.exit(main())
