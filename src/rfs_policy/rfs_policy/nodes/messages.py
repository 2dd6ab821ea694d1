"""Between ROS messages and the policy's arrays."""

import array

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME
from sensor_msgs.msg import PointCloud2

from rfs_msgs.msg import PolicyAction
from rfs_policy.control_tick import Answer, Cloud
from rfs_policy.nodes.stamps import nanoseconds, time_message
from rfs_policy.point_cloud import read_points
from rfs_policy.policy import FlowPolicy


def read_cloud(message: PointCloud2, now: float) -> Cloud:
    """The cloud, or why it cannot be used; `now` is monotonic time in s."""
    stamp = nanoseconds(message.header.stamp)
    try:
        return Cloud(stamp, now, read_points(message, BASE_FRAME))
    except ValueError as error:
        return Cloud(stamp, now, None, str(error))


def policy_action(answer: Answer, policy: FlowPolicy, sent: int, missed: bool) -> PolicyAction:
    """The decision of a policy as a message sent at `sent` (ns)."""
    layout = policy.layout
    message = PolicyAction(layout=layout.name, checkpoint=policy.id, modulation=policy.modulation_id)
    message.header.stamp = time_message(sent)
    message.header.frame_id = BASE_FRAME
    message.observation_stamp = time_message(answer.stamp)
    message.joint_stamp = time_message(answer.joint_stamp)
    message.command_stamp = time_message(answer.command_stamp)
    message.horizon, message.action_dim = layout.horizon, layout.action_dim
    message.noise = _floats(answer.output.noise)
    message.base_action = _floats(answer.output.base_action)
    message.residual = _floats(answer.output.residual)
    message.inference_time, message.observation_age = answer.inference_time, answer.observation_age
    message.deadline_missed = missed
    return message


def _floats(values: NDArray[np.float32]) -> array.array:
    return array.array("f", values.tobytes())
