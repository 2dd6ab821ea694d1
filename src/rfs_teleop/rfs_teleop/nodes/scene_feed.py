"""What the scripted operator sees, collected from the simulator's topics."""

import time
from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rfs_description.joint_states import JointStates
from rfs_policy.nodes.stamps import nanoseconds
from sensor_msgs.msg import JointState

from rfs_description import kinematics
from rfs_teleop.devices.scripted import Scene, ScriptedOperator

_NO_OBJECT = "nothing came on /sim/object_pose yet; the scripted operator needs a simulator"
_AGAIN = 2.0  # s after which a command that had no effect is given again
_READY = 0.5  # s that the operator takes before starting an episode


class SceneFeed:
    """Shows the operator a scene for each observation, and lets it begin episodes.

    Args:
        on_news: called in lockstep when a scene may have become complete.
        lockstep: scenes are those of the very observation, so that every run is the same.
    """

    def __init__(
        self, node: Node, operator: ScriptedOperator, lockstep: bool, on_news: Callable[[], None]
    ) -> None:
        self._operator, self._lockstep, self._on_news = operator, lockstep, on_news
        self._joints = JointStates(None)
        self._object: tuple[int, np.ndarray] | None = None
        self._state, self._start_at = "", float("inf")
        operator.problem = _NO_OBJECT
        node.create_subscription(PoseStamped, "/sim/object_pose", self._on_object, 10)
        node.create_subscription(JointState, "/joint_states", self._on_joints, 10)

    def _on_object(self, message: PoseStamped) -> None:
        p = message.pose.position
        self._object = (nanoseconds(message.header.stamp), np.array([p.x, p.y, p.z]))
        self._operator.problem = ""
        self._tell()

    def _on_joints(self, message: JointState) -> None:
        self._joints.update(message.name, message.position, nanoseconds(message.header.stamp), 0.0)
        self._tell()

    def _tell(self) -> None:
        if self._lockstep:
            self._on_news()

    def show(self, observation: int) -> bool:
        """Show the scene at an observation's stamp (ns); False when it is not complete yet."""
        if self._object is None or self._joints.problem(0.0):
            return not self._lockstep
        if self._lockstep and {self._object[0], self._joints.stamp} != {observation}:
            return False
        joints = self._joints.positions
        palm, rotation = kinematics.forward(joints[None, :7])
        self._operator.see(Scene(observation, palm[0], rotation[0], joints[7:].copy(), self._object[1]))
        return True

    def follow_session(self, state: str) -> None:
        """The session's state has changed."""
        if state == "running" and self._state != "paused" and not self._lockstep:
            self._operator.forget()  # in lockstep the stamps tell, whichever message comes first
        self._start_at = time.monotonic() + _READY if state == "waiting" else float("inf")
        self._state = state

    def begin_episodes(self) -> None:
        """Press start where the session waits for it."""
        now = time.monotonic()
        if now >= self._start_at:
            self._start_at = now + _AGAIN
            self._operator.press("START")
