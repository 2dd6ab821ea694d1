"""Camera messages as arrays, checked. Only the messages' fields are used, so no ROS is imported.

All errors are ValueError with one sentence that does not change from message to message.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME
from scipy.spatial.transform import Rotation

from rfs_reward.camera import Array, PinholeCamera
from rfs_reward.frame import Frame

_COLORS = {
    "rgb8": (3, [0, 1, 2]),
    "bgr8": (3, [2, 1, 0]),
    "rgba8": (4, [0, 1, 2]),
    "bgra8": (4, [2, 1, 0]),
    "mono8": (1, [0, 0, 0]),
}
"""Channels of a pixel, and which of them are red, green and blue."""
_DEPTHS = {"16UC1": ("u2", 1e-3), "mono16": ("u2", 1e-3), "32FC1": ("f4", 1.0)}
"""Type of a pixel and its unit in m, after REP 118."""
_NEAR, _FAR = 0.05, 50.0  # m: half of a picture is not nearer or farther than this
_STRAIGHT = 1e-9  # distortion coefficients up to this are none


class RobotMask(Protocol):
    """Says which pixels show the robot, as `rfs_reward.robot_view.RobotView` does."""

    def mask(
        self, camera: PinholeCamera, joints: Array, depth: NDArray[np.float32] | None = None
    ) -> NDArray[np.bool_]:
        """(h, w) bool; joints (23,) rad, depth (h, w) m."""
        ...


def read_color(message: Any) -> NDArray[np.uint8]:
    """Red, green, blue (h, w, 3) of a `sensor_msgs/Image`.

    Raises:
        ValueError: another encoding, no pixels, or too few bytes.
    """
    if message.encoding not in _COLORS:
        raise ValueError(f"picture: encoding '{message.encoding}' is not one of {', '.join(_COLORS)}")
    channels, order = _COLORS[message.encoding]
    rows = _rows(message, channels, "picture")
    pixels = rows.reshape(message.height, message.width, channels)
    return np.ascontiguousarray(pixels[..., order])


def read_depth(message: Any) -> NDArray[np.float32]:
    """Depth (h, w) in m of a `sensor_msgs/Image` in whole mm (16UC1) or m (32FC1); NaN where it is unknown,
    which cameras say by zero, NaN or infinity.

    Raises:
        ValueError: another encoding, no pixels, too few bytes, or numbers in the wrong unit.
    """
    if message.encoding not in _DEPTHS:
        raise ValueError(f"depth: encoding '{message.encoding}' is not 16UC1 (mm) or 32FC1 (m)")
    kind, unit = _DEPTHS[message.encoding]
    number = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    rows = _rows(message, number.itemsize, "depth")
    depth = rows.view(number).reshape(message.height, message.width).astype(np.float32)
    depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    depth *= np.float32(unit)
    _check_unit(depth, message.encoding)
    return depth


def read_camera(info: Any, extrinsics: Any) -> PinholeCamera:
    """The camera of a `sensor_msgs/CameraInfo`, placed by a `geometry_msgs/TransformStamped`.

    Raises:
        ValueError: not calibrated, with distortion, or placed in another frame than the base's.
    """
    intrinsics = np.array(info.k, np.float64).reshape(3, 3)
    focal = np.array([intrinsics[0, 0], intrinsics[1, 1]])
    if not (np.isfinite(intrinsics).all() and (focal > 0).all() and info.width * info.height > 0):
        raise ValueError("camera_info: K or the size is zero: calibrate the camera")
    if np.abs(np.array(info.d, np.float64)).max(initial=0.0) > _STRAIGHT:
        raise ValueError("camera_info: the lens has distortion: publish rectified pictures, with D = 0")
    _check_frames(info, extrinsics)
    t, q = extrinsics.transform.translation, extrinsics.transform.rotation
    position, quaternion = np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w])
    if not (np.isfinite(position).all() and abs(np.linalg.norm(quaternion) - 1) < 1e-2):
        raise ValueError("extrinsics: the position is not finite, or the quaternion is not of length 1")
    rotation = Rotation.from_quat(quaternion).as_matrix()
    return PinholeCamera(intrinsics, position, rotation, int(info.width), int(info.height))


def make_frame(
    stamp: int,
    color: NDArray[np.uint8],
    depth: NDArray[np.float32],
    camera: PinholeCamera,
    joints: Array,
    robot: RobotMask,
) -> Frame:
    """What was measured at `stamp` (ns): color (h, w, 3), registered depth (h', w') in m, joints (23,) rad.

    Raises:
        ValueError: picture, depth and camera are not of one size or, for depth, of one shape.
    """
    if color.shape[:2] != (camera.height, camera.width):
        raise ValueError(
            f"picture: it has {color.shape[1]} x {color.shape[0]} pixels, but camera_info is for "
            f"{camera.width} x {camera.height}"
        )
    depth = _resampled(depth, color.shape[:2])
    return Frame(stamp, color, depth, camera, joints, robot.mask(camera, joints, depth))


def _rows(message: Any, size: int, what: str) -> NDArray[np.uint8]:
    """Bytes (h, w * size) of an image with pixels of `size` bytes, without the padding of its rows."""
    height, width, step = message.height, message.width, message.step
    if not height * width or step < size * width or len(message.data) < step * height:
        raise ValueError(f"{what}: it is empty, or data is shorter than height, width and step say")
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)
    return np.ascontiguousarray(rows[:, : size * width])


def _check_unit(depth: NDArray[np.float32], encoding: str) -> None:
    """ValueError where the numbers make no sense in the encoding's unit. No known depth is no error."""
    known = depth[np.isfinite(depth)]
    if known.size and not _NEAR < np.median(known) < _FAR:
        unit = "m" if encoding == "32FC1" else "mm"
        raise ValueError(
            f"depth: most of it is nearer than {100 * _NEAR:g} cm or farther than {_FAR:g} m; {encoding} "
            f"must be in {unit}: set the camera driver's unit, or uncover the camera"
        )


def _check_frames(info: Any, extrinsics: Any) -> None:
    base, optical = extrinsics.header.frame_id, extrinsics.child_frame_id
    if base != BASE_FRAME:
        raise ValueError(f"extrinsics: they are in frame '{base}', expected '{BASE_FRAME}': calibrate for it")
    if optical != info.header.frame_id:
        raise ValueError(
            f"extrinsics: they place frame '{optical}', but the pictures are in '{info.header.frame_id}'"
        )


def _resampled(depth: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Depth of the same field of view at resolution (h, w): nearest pixels, never a mean over an edge."""
    if depth.shape == shape:
        return depth
    (rows, columns), (height, width) = depth.shape, shape
    if rows * width != columns * height:
        raise ValueError(
            f"depth: {columns} x {rows} pixels do not fit a picture of {width} x {height}: turn on the "
            "camera driver's alignment of depth to color"
        )
    row = ((np.arange(height) + 0.5) * rows / height).astype(np.intp)
    column = ((np.arange(width) + 0.5) * columns / width).astype(np.intp)
    return depth[row[:, None], column]
