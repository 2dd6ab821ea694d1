"""From judgements to ROS messages."""

import array

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME
from rfs_policy.nodes.stamps import time_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from rfs_msgs.msg import GraspReward, TrackerPrompt
from rfs_msgs.srv import PromptTracker
from rfs_reward.judge import Judgement

NOWHERE = Point(x=np.nan, y=np.nan, z=np.nan)


def reward(stamp: int, judgement: Judgement, source: str) -> GraspReward:
    """What a frame of this stamp (ns) says; NaN stays where the object is not known."""
    message = GraspReward(
        centroid=point(judgement.centroid),
        palm_distance=judgement.palm_distance,
        lift=judgement.lift,
        reward=judgement.reward,
        term_names=list(judgement.terms),
        terms=list(judgement.terms.values()),
        weights=[judgement.weights[name] for name in judgement.terms],
        success=judgement.success,
        tracking=int(judgement.tracking),
        confidence=judgement.confidence,
        age=judgement.age,
        source=source,
    )
    message.header.stamp, message.header.frame_id = time_message(stamp), BASE_FRAME
    return message


def mask_image(header: Header, mask: NDArray[np.bool_]) -> Image:
    """Mask (h, w) as mono8, 255 on the object, with the header of the picture that it belongs to."""
    return _image(header, np.where(mask, 255, 0).astype(np.uint8), "mono8")


def color_image(header: Header, pixels: NDArray[np.uint8]) -> Image:
    """Picture (h, w, 3) as rgb8."""
    return _image(header, pixels, "rgb8")


def _image(header: Header, pixels: NDArray[np.uint8], encoding: str) -> Image:
    height, width = pixels.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding)
    message.step = pixels.size // height
    message.data = array.array("B", np.ascontiguousarray(pixels).tobytes())
    return message


def point(position: NDArray[np.float64]) -> Point:
    """Position (3,), m."""
    x, y, z = map(float, position)
    return Point(x=x, y=y, z=z)


def prompt(stamp: int, request: PromptTracker.Request) -> TrackerPrompt:
    """A request that was taken in the frame of this stamp, ns."""
    message = TrackerPrompt(kind=request.kind, coordinates=request.coordinates)
    message.header.stamp = time_message(stamp)
    return message
