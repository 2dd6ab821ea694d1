"""From ROS messages to what the page shows."""

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point, PointStamped, Quaternion, Vector3
from numpy.typing import NDArray
from rfs_control.executor import State
from rfs_control.limits import Limit
from rfs_description.robot import BASE_FRAME
from rfs_policy.layout import DELTA_POSE
from rfs_reward.tracking import Tracking
from sensor_msgs.msg import Image

from rfs_msgs.msg import ExecutedAction, GraspReward, SessionStatus
from rfs_viewer.picture import pixels
from rfs_viewer.view import Array, Session, SessionState, Sight, Tick, TrackerReport

_EXECUTOR, _REWARD = "rfs executor", "rfs reward"
CAMERA_FRAME = "camera_color_optical_frame"


def tick(message: ExecutedAction, now: float) -> Tick:
    """What the executor did, heard at monotonic time `now` (s).

    Raises:
        ValueError: a state that is not known, or a residual of another layout.
    """
    if len(message.human_residual) not in (0, DELTA_POSE.action_dim):
        raise ValueError(f"residual with {len(message.human_residual)} numbers")
    return Tick(
        state=State(message.state),
        reason=message.reason,
        heard=now,
        limits=Limit(message.limits),
        residual=np.array(message.human_residual, np.float32),
        position=vector(message.target_pose.position),
        wxyz=quaternion(message.target_pose.orientation),
    )


def executor_state(message: DiagnosticArray) -> tuple[State, str] | None:
    """State and reason by the executor's diagnostics; None in those of other nodes."""
    for status in message.status:
        state = {pair.key: pair.value for pair in status.values}.get("state", "")
        if status.name == _EXECUTOR and state.upper() in State.__members__:
            return State[state.upper()], status.message
    return None


def sight(message: GraspReward, now: float) -> Sight:
    """How the object is known, heard at monotonic time `now` (s).

    Raises:
        ValueError: a state that is not known, or a centroid in another frame.
    """
    if message.header.frame_id != BASE_FRAME:
        raise ValueError(f"centroid in frame '{message.header.frame_id}'")
    centroid = vector(message.centroid)
    return Sight(
        tracking=Tracking(message.tracking),
        centroid=centroid if np.isfinite(centroid).all() else None,
        confidence=message.confidence,
        age=message.age,
        source=message.source,
        heard=now,
    )


def tracker_report(message: DiagnosticArray) -> TrackerReport | None:
    """What the reward node's diagnostics tell; None in those of other nodes."""
    for status in message.status:
        if status.name == _REWARD:
            values = {pair.key: pair.value for pair in status.values}
            prompts = values.get("prompts", "")
            problem = "" if status.level == b"\0" else status.message
            return TrackerReport(problem, values.get("answer", ""), int(prompts) if prompts.isdigit() else 0)
    return None


def session(message: SessionStatus) -> Session:
    """Where the session stands.

    Raises:
        ValueError: a state that is not known.
    """
    return Session(
        name=message.session,
        operator=message.operator_name,
        state=SessionState(message.state),
        episode=message.episode,
        planned=message.planned,
        successes=message.successes,
        failures=message.failures,
        discarded=message.discarded,
        object=message.object,
        last=message.last,
        message=message.message,
    )


def image_pixels(message: Image) -> NDArray[np.uint8]:
    """Colors (h, w, 3).

    Raises:
        ValueError: what is wrong with the message.
    """
    return pixels(bytes(message.data), message.encoding, message.height, message.width, message.step)


def vector(message: Point | Vector3) -> Array:
    """(3,)."""
    return np.array([message.x, message.y, message.z])


def quaternion(message: Quaternion) -> Array:
    """(4,) wxyz."""
    return np.array([message.w, message.x, message.y, message.z])


def prompt(pixel: tuple[float, float]) -> PointStamped:
    """A pixel (x, y) of the color image for the tracker."""
    message = PointStamped()
    message.header.frame_id = CAMERA_FRAME
    message.point.x, message.point.y = pixel
    return message
