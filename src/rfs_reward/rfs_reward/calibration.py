"""The camera as its messages place it, read once and again when one of them changes. No ROS."""

from typing import Any

from rfs_reward.camera import PinholeCamera
from rfs_reward.measurements import read_camera


class Calibration:
    """Takes `sensor_msgs/CameraInfo` and `geometry_msgs/TransformStamped` messages, on any thread."""

    def __init__(self) -> None:
        self._info: Any = None
        self._extrinsics: Any = None
        self._known: tuple[Any, Any, PinholeCamera] | None = None

    def take_info(self, message: Any) -> None:
        """Intrinsics came."""
        if self._info is None or _intrinsics(message) != _intrinsics(self._info):
            self._info = message

    def take_extrinsics(self, message: Any) -> None:
        """The camera was placed."""
        self._extrinsics = message

    @property
    def camera(self) -> PinholeCamera:
        """The same object as long as nothing changes.

        Raises:
            ValueError: what is missing or wrong.
        """
        info, extrinsics, known = self._info, self._extrinsics, self._known
        if info is None:
            raise ValueError(
                "no intrinsics come on /camera/color/camera_info: does the camera driver publish them?"
            )
        if extrinsics is None:
            raise ValueError(
                "nothing says where the camera is: publish its pose on /camera/color/extrinsics, latched"
            )
        if known is None or known[0] is not info or known[1] is not extrinsics:
            known = self._known = (info, extrinsics, read_camera(info, extrinsics))
        return known[2]


def _intrinsics(message: Any) -> tuple[object, ...]:
    return (message.header.frame_id, message.width, message.height, tuple(message.k), tuple(message.d))
