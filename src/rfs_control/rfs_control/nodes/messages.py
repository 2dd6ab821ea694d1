"""Between ROS messages and the executor's arrays."""

import array

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME, HAND_JOINTS
from rfs_policy.nodes.stamps import nanoseconds, time_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import JointState

from rfs_control.command import Command
from rfs_control.correction import Correction
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.tick import Tick
from rfs_msgs.msg import Correction as CorrectionMessage
from rfs_msgs.msg import ExecutedAction, PolicyAction

_ARRAYS = ("base_action", "policy_residual", "human_residual", "action", "executed")


def read_chunk(message: PolicyAction) -> PolicyChunk:
    """The policy's chunk.

    Raises:
        ValueError: what is wrong with the message.
    """
    return PolicyChunk.checked(
        stamp=nanoseconds(message.observation_stamp),
        layout=message.layout,
        frame=message.header.frame_id,
        shape=(message.horizon, message.action_dim),
        base=message.base_action,
        residual=message.residual,
    )


def read_correction(message: CorrectionMessage) -> Correction:
    """The operator's correction, or in its place what is wrong with the message."""
    stamp, read = nanoseconds(message.observation_stamp), nanoseconds(message.header.stamp)
    try:
        return Correction.checked(
            stamp=stamp,
            read=read,
            frame=message.header.frame_id,
            active=message.active,
            residual=message.residual,
            problem=message.problem,
        )
    except ValueError as error:
        return Correction.unusable(stamp, read, str(error))


def executed_action(tick: Tick, sent: int) -> ExecutedAction:
    """What the executor did, sent at `sent` (ns)."""
    message = ExecutedAction(state=int(tick.state), reason=tick.reason)
    message.header.stamp = time_message(tick.stamp)
    message.header.frame_id = BASE_FRAME
    message.sent_stamp = time_message(sent)
    message.correction_stamp = time_message(tick.correction_stamp)
    message.limits = int(tick.limits)
    message.chunk_index = tick.chunk_index
    for name in _ARRAYS:
        setattr(message, name, array.array("f", getattr(tick, name).tobytes()))
    message.target_pose = _pose(tick.command)
    message.target_joints = tick.command.fingers[0]
    return message


def target_pose(tick: Tick) -> PoseStamped:
    """The palm's target for the arm's controller."""
    message = PoseStamped(pose=_pose(tick.command))
    message.header.stamp = time_message(tick.stamp)
    message.header.frame_id = BASE_FRAME
    return message


def target_joints(tick: Tick) -> JointState:
    """The fingers' targets for the hand's driver."""
    message = JointState(name=HAND_JOINTS, position=_doubles(tick.command.fingers[0]))
    message.header.stamp = time_message(tick.stamp)
    return message


def _pose(command: Command) -> Pose:
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = command.position[0].tolist()
    quaternion = Rotation.from_matrix(command.rotation[0]).as_quat().tolist()
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = quaternion
    return pose


def _doubles(values: NDArray[np.float64]) -> array.array:
    return array.array("d", values.tobytes())
