"""Frames of the simulated camera for tests: any object anywhere, robot at home or elsewhere."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_description.robot import ARM_HOME, HAND_HOME
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.robot_view import RobotView
from rfs_reward.trackers.segmentation import OBJECT
from rfs_sim_bridge.camera_noise import Exposure, noisy_picture
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.snapshot import Snapshot
from rfs_sim_bridge.task_config import CameraConfig
from scipy.spatial.transform import Rotation

CAMERA = Camera()
NOMINAL = PinholeCamera(
    CAMERA.intrinsics, np.array(CAMERA.position), CAMERA.rotation, CAMERA.width, CAMERA.height
)
HOME = np.concatenate([ARM_HOME, HAND_HOME])
PERIOD = 100_000_000  # ns
_ROBOT = RobotView()


def frame(
    number: int,
    position: ArrayLike = (0.55, 0.1, 0.0),
    name: str = "can",
    joints: NDArray[np.float64] = HOME,
    shift: tuple[float, ...] = (0.0, 0.0, 0.0),
    turn: tuple[float, ...] = (0.0, 0.0, 0.0),
    fallen: bool = False,
) -> Frame:
    """Frame of that number (10 Hz): the object (x, y, m over the table) upright or turned by a right angle
    about x where it is, the camera displaced."""
    spec = find_object(name)
    center = np.add(position, [0, 0, spec.rest_height])
    upright = Rotation.from_quat(spec.rest_quaternion)
    lying = Rotation.from_euler("x", 90.0 * fallen, degrees=True) * upright
    snapshot = Snapshot(name, joints, center, lying.as_quat())
    picture = noisy_picture(snapshot, CAMERA, Exposure(CameraConfig(), shift, turn, (1, number)))
    robot = _ROBOT.mask(NOMINAL, joints, picture.depth)
    stamp = number * PERIOD
    return Frame(stamp, picture.color, picture.depth, NOMINAL, joints, robot, picture.segmentation)


def covered(taken: Frame) -> Frame:
    """The same with the robot before the object: nothing of it is seen."""
    hidden = taken.segmentation == OBJECT
    depth = np.where(hidden, taken.depth - 0.05, taken.depth).astype(np.float32)
    segmentation = np.where(hidden, 1, taken.segmentation).astype(np.uint8)
    return replace(taken, depth=depth, robot=taken.robot | hidden, segmentation=segmentation)


def center(position: ArrayLike = (0.55, 0.1, 0.0), name: str = "can") -> NDArray[np.float64]:
    """(3,) m, where the object's center then is."""
    return np.add(position, [0, 0, find_object(name).rest_height])
