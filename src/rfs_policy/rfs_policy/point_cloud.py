"""Points of a `sensor_msgs/PointCloud2`, checked. Only the message's fields are used, so no ROS is
imported.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT32 = 7  # PointField.FLOAT32


def read_points(message: Any, frame: str) -> NDArray[np.float32]:
    """Positions (m, 3) in m of a cloud in `frame`.

    Raises:
        ValueError: another frame, fields that are not float32 x, y, z, too few bytes, no points, or NaN. The
            text names what is wrong without numbers that change from message to message.
    """
    if message.header.frame_id != frame:
        raise ValueError(
            f"points: frame is '{message.header.frame_id}', expected '{frame}': transform them first"
        )
    count = message.width * message.height
    if count == 0:
        raise ValueError("points: the cloud is empty; check the camera, its extrinsics and the crop")
    points = _positions(message, count)
    if not np.isfinite(points).all():
        raise ValueError(
            "points: the cloud has NaN or infinite values; remove invalid points before publishing"
        )
    return points


def _positions(message: Any, count: int) -> NDArray[np.float32]:
    offsets = _offsets(message)
    if message.point_step < max(offsets) + 4 or len(message.data) < count * message.point_step:
        raise ValueError("points: data is shorter than width, height and point_step say")
    if message.row_step not in (0, message.width * message.point_step):
        raise ValueError("points: padded rows are not supported; publish a dense cloud")
    kind = np.dtype(np.float32).newbyteorder(">" if message.is_bigendian else "<")
    names = ("x", "y", "z")
    point = np.dtype(
        {"names": names, "formats": [kind] * 3, "offsets": offsets, "itemsize": message.point_step}
    )
    table = np.frombuffer(message.data, dtype=point, count=count)
    return np.stack([table[name] for name in names], axis=1).astype(np.float32)


def _offsets(message: Any) -> list[int]:
    fields = {field.name: field for field in message.fields}
    missing = [name for name in "xyz" if name not in fields]
    if missing:
        raise ValueError(f"points: no field {', '.join(missing)}; x, y, z of type float32 are needed")
    if any(fields[name].datatype != _FLOAT32 for name in "xyz"):
        raise ValueError("points: x, y, z must be of type float32")
    return [fields[name].offset for name in "xyz"]
