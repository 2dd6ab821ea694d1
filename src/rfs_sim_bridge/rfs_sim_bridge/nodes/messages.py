"""From arrays of the simulator to ROS messages."""

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TransformStamped
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME, JOINTS
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2, PointField

from rfs_sim_bridge.pictures import Camera

CAMERA_FRAME = "camera_color_optical_frame"
_XYZ = [
    PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
    for index, name in enumerate("xyz")
]
_IMAGE_ENCODINGS = {"uint8": ("rgb8", 3), "float32": ("32FC1", 4)}  # with bytes a pixel


def joint_states(stamp: Time, positions: NDArray[np.float64], velocities: NDArray[np.float64]) -> JointState:
    """Joint positions (23,) rad and velocities (23,) rad/s, in the order of JOINTS."""
    message = JointState(name=JOINTS, position=_array("d", positions), velocity=_array("d", velocities))
    return _stamped(message, stamp)


def point_cloud(stamp: Time, points: NDArray[np.float32]) -> PointCloud2:
    """Points (n, 3), m, base frame."""
    count = len(points)
    message = PointCloud2(height=1, width=count, point_step=12, row_step=12 * count, is_dense=True)
    message.fields = _XYZ
    message.data = _array("B", points)
    return _stamped(message, stamp)


def pose(stamp: Time, position: Sequence[float], quaternion: Sequence[float]) -> PoseStamped:
    """A pose in the base frame: m, quaternion xyzw."""
    message = PoseStamped()
    p, q = message.pose.position, message.pose.orientation
    p.x, p.y, p.z = (float(value) for value in position)
    q.x, q.y, q.z, q.w = (float(value) for value in quaternion)
    return _stamped(message, stamp)


def image(stamp: Time, pixels: NDArray) -> Image:
    """Color (h, w, 3) uint8 as rgb8, or depth (h, w) float32 in m as 32FC1."""
    encoding, size = _IMAGE_ENCODINGS[pixels.dtype.name]
    height, width = pixels.shape[:2]
    message = Image(height=height, width=width, encoding=encoding, step=size * width)
    message.data = _array("B", pixels)
    return _stamped(message, stamp, CAMERA_FRAME)


def camera_info(stamp: Time, camera: Camera) -> CameraInfo:
    """Intrinsics of a camera without distortion."""
    k = camera.intrinsics
    message = CameraInfo(height=camera.height, width=camera.width, distortion_model="plumb_bob", d=[0.0] * 5)
    message.k = k.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.hstack([k, np.zeros((3, 1))]).ravel()
    return _stamped(message, stamp, CAMERA_FRAME)


def extrinsics(stamp: Time, camera: Camera) -> TransformStamped:
    """The camera's optical frame (x right, y down, z forward) in the base frame."""
    message = TransformStamped(child_frame_id=CAMERA_FRAME)
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = (float(value) for value in camera.position)
    q.x, q.y, q.z, q.w = Rotation.from_matrix(camera.rotation).as_quat().tolist()
    return _stamped(message, stamp)


def _stamped(message: Any, stamp: Time, frame: str = BASE_FRAME) -> Any:
    message.header.stamp = stamp
    message.header.frame_id = frame
    return message


def _array(code: str, values: NDArray) -> array.array:
    """rclpy takes array.array much faster than anything else."""
    return array.array(code, np.ascontiguousarray(values).tobytes())
