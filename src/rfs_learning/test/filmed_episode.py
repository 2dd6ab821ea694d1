"""A recorded grasp of the simulator with pictures and depth, made in this process: what relabeling needs."""

from pathlib import Path

import numpy as np
from geometry_msgs.msg import PointStamped, TransformStamped
from recorded_episode import PERIOD, START, Recording
from rfs_policy.nodes.stamps import time_message
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.nodes import messages
from rfs_sim_bridge.pictures import Camera
from sensor_msgs.msg import CameraInfo, Image

from rfs_msgs.msg import TrackerPrompt

CAMERA = Camera()
_TOPICS = {
    "/camera/color/extrinsics": TransformStamped,
    "/camera/color/camera_info": CameraInfo,
    "/camera/color/image_raw": Image,
    "/camera/depth/image_rect": Image,
    "/rfs/reward/prompt": PointStamped,
    "/rfs/reward/prompted": TrackerPrompt,
}


class FilmedRecording(Recording):
    """A recording with a camera: `film` adds everything of one tick of a task, as lockstep records it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.types |= _TOPICS
        self.engaged(START)
        self.add("/camera/color/extrinsics", messages.extrinsics(time_message(START), CAMERA))

    def film(self, stamp: int, command: int, task: GraspTask) -> None:
        at = time_message(stamp)
        picture = take_picture(task.snapshot(), CAMERA)
        joints = messages.joint_states(at, task.joint_positions[0], task.joint_velocities[0])
        joints.effort = joints.position  # see `joints`
        self.add("/joint_states", joints)
        self.add("/camera/color/image_raw", messages.image(at, picture.color))
        self.add("/camera/depth/image_rect", messages.image(at, picture.depth))
        self.add("/camera/color/camera_info", messages.camera_info(at, CAMERA))
        self.cloud(stamp)
        reward = self.reward(stamp, bool(task.success[0]))
        position = task.object_pose[0][0]
        reward.centroid.x, reward.centroid.y, reward.centroid.z = position.tolist()
        reward.lift, reward.source, reward.confidence = float(task.lift[0]), "simulator", 1.0
        self.action(stamp, command)
        self.executed(stamp)

    def point(self, stamp: int, x: float, y: float) -> None:
        """The operator clicks on a pixel."""
        message = PointStamped()
        message.header.stamp = time_message(stamp)
        message.point.x, message.point.y = x, y
        self.add("/rfs/reward/prompt", message)

    def prompt(self, stamp: int, kind: int, coordinates: list[float]) -> None:
        """The tracker takes a prompt of the service in the frame of this stamp."""
        message = TrackerPrompt(kind=kind, coordinates=coordinates)
        message.header.stamp = time_message(stamp)
        self.add("/rfs/reward/prompted", message)


def filmed(seed: int = 100, name: str = "sphere", ticks: int = 40) -> tuple[FilmedRecording, bool]:
    """A grasp by the shipped policy, at most `ticks` long, and whether the simulator calls it a success."""
    policy, task = FlowPolicy.load("default", runtime="onnx"), GraspTask(objects=[name])
    noise = np.random.default_rng([0, seed])
    task.reset([seed])
    recording, command = FilmedRecording(seed), START
    for number in range(ticks):
        stamp = START + number * PERIOD
        recording.film(stamp, command, task)
        command = stamp
        if task.success[0]:
            break
        output = policy.act(task.clouds(), task.state(), policy.draw_noise(noise)[None])
        task.step(output.action[:, 0])
    return recording, bool(task.success[0])


def digests(folder: Path) -> dict[str, bytes]:
    """Contents of all files of a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
