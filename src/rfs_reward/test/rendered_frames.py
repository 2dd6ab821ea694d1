"""Frames of the simulator's episodes as a real camera would deliver them, for tests."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from rfs_policy.policy import FlowPolicy
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.robot_view import RobotView
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.camera_noise import noisy_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import OBJECT, Camera, Picture
from rfs_sim_bridge.snapshot import Snapshot

CAMERA = Camera()
VIEW = RobotView()
OTHER = 9
"""Segmentation value of a second object."""


def pinhole(camera: Camera = CAMERA) -> PinholeCamera:
    size = camera.width, camera.height
    return PinholeCamera(camera.intrinsics, np.array(camera.position), camera.rotation, *size)


def frame_of(picture: Picture, joints: np.ndarray, stamp: int = 0, camera: Camera = CAMERA) -> Frame:
    """The frame that a node would make of a picture."""
    view = pinhole(camera)
    robot = VIEW.mask(view, joints, picture.depth)
    return Frame(stamp, picture.color, picture.depth, view, joints, robot, picture.segmentation)


def clean_frame(task: GraspTask, camera: Camera = CAMERA) -> Frame:
    return frame_of(take_picture(task.snapshot(), camera), task.joint_positions[0].copy(), camera=camera)


@cache
def episode(name: str, seed: int, steps: int) -> Sequence[Frame]:
    """The shipped policy's episode at 10 Hz, with the camera's noise and calibration errors."""
    policy, task = FlowPolicy.load("default", runtime="onnx"), GraspTask(objects=[name])
    task.reset([seed])
    noise = np.random.default_rng([0, seed])
    frames = []
    for step in range(steps):
        picture = noisy_picture(task.snapshot(), CAMERA, task.exposure())
        frames.append(frame_of(picture, task.joint_positions[0].copy(), step * 100_000_000))
        output = policy.act(task.clouds(), task.state(), policy.draw_noise(noise)[None])
        task.step(output.action[:, 0])
    return frames


def with_second(frame: Frame, snapshot: Snapshot, shift: Sequence[float]) -> Frame:
    """A frame with a second object like the snapshot's, moved by shift (3,), m."""
    position = snapshot.object_position + np.asarray(shift)
    moved = Snapshot(snapshot.object, snapshot.joint_positions, position, snapshot.object_quaternion)
    picture = take_picture(moved, CAMERA)
    shown = (picture.segmentation == OBJECT) & ~(frame.depth < picture.depth - 0.005)
    assert frame.segmentation is not None
    both = Picture(
        np.where(shown[..., None], picture.color, frame.color),
        np.where(shown, picture.depth, frame.depth),
        np.where(shown, np.uint8(OTHER), frame.segmentation),
    )
    return frame_of(both, frame.joints, frame.stamp)


def overlap(mask: np.ndarray, frame: Frame) -> float:
    """Intersection over union of a mask and the object's visible pixels."""
    assert frame.segmentation is not None
    truth = frame.segmentation == OBJECT
    return float((mask & truth).sum() / max(1, (mask | truth).sum()))
