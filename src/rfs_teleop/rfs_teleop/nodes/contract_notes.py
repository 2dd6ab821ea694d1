"""Picks from the messages what a bag's contract says about policy and camera."""

from geometry_msgs.msg import TransformStamped
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo

from rfs_msgs.msg import PolicyAction
from rfs_teleop.episode_contract import calibration_entry, policy_entries

_POLICY = "/rfs/policy_action"
_CAMERA = "/camera/color/camera_info"
_EXTRINSICS = "/camera/color/extrinsics"


class ContractNotes:
    """Keeps the newest camera messages, and watches for the first policy action of each episode."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._missing = {_POLICY, _CAMERA}

    def begin(self) -> dict[str, str]:
        """Start an episode; entries that are known already."""
        self._missing = {_POLICY}
        calibration = self._calibration()
        if not calibration:
            self._missing.add(_CAMERA)
        return calibration

    def take(self, topic: str, data: bytes) -> dict[str, str]:
        """A serialized message came; entries that became known by it."""
        if topic in (_CAMERA, _EXTRINSICS):
            self._newest[topic] = data
            if _CAMERA in self._missing and (calibration := self._calibration()):
                self._missing.remove(_CAMERA)
                return calibration
        elif topic == _POLICY and _POLICY in self._missing:
            self._missing.remove(_POLICY)
            return policy_entries(deserialize_message(data, PolicyAction))
        return {}

    def _calibration(self) -> dict[str, str]:
        if len(self._newest) < 2:
            return {}
        extrinsics = deserialize_message(self._newest[_EXTRINSICS], TransformStamped)
        return calibration_entry(extrinsics, deserialize_message(self._newest[_CAMERA], CameraInfo))
