"""What of camera messages is read, without ROS."""

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME
from rfs_sim_bridge.pictures import Camera
from scipy.spatial.transform import Rotation

OPTICAL = "camera_color_optical_frame"


def image(pixels: NDArray, encoding: str, padding: int = 0, **changes: object) -> SimpleNamespace:
    """A `sensor_msgs/Image` of pixels (h, w) or (h, w, c) whose rows end with some bytes of padding."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    fields = {"height": height, "width": width, "encoding": encoding, "step": rows.shape[1]}
    fields |= {"is_bigendian": 0, "data": rows.tobytes(), "header": SimpleNamespace(frame_id=OPTICAL)}
    return SimpleNamespace(**(fields | changes))


def camera_info(camera: Camera, **changes: object) -> SimpleNamespace:
    """A `sensor_msgs/CameraInfo`."""
    fields = {"width": camera.width, "height": camera.height, "k": camera.intrinsics.ravel(), "d": [0.0] * 5}
    return SimpleNamespace(**(fields | {"header": SimpleNamespace(frame_id=OPTICAL)} | changes))


def extrinsics(camera: Camera, base: str = BASE_FRAME, child: str = OPTICAL) -> SimpleNamespace:
    """A `geometry_msgs/TransformStamped`."""
    x, y, z, w = Rotation.from_matrix(camera.rotation).as_quat()
    position = SimpleNamespace(**dict(zip("xyz", camera.position, strict=True)))
    transform = SimpleNamespace(translation=position, rotation=SimpleNamespace(x=x, y=y, z=z, w=w))
    return SimpleNamespace(header=SimpleNamespace(frame_id=base), child_frame_id=child, transform=transform)
