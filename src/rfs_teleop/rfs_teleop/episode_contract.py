"""What a bag says about its episode besides the messages. All entries are text."""

import json
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

import yaml


def limits_entries() -> dict[str, str]:
    """The executor's limits and the bounds of the operator's residual, as JSON."""
    names = {"limits": "limits.yaml", "residual_bounds": "residual.yaml"}
    folder = files("rfs_control") / "config"
    return {key: json.dumps(yaml.safe_load((folder / name).read_text())) for key, name in names.items()}


def software() -> str:
    """Name and version of what records."""
    try:
        return f"rfs_teleop {version('rfs_teleop')}"
    except PackageNotFoundError:
        return "rfs_teleop"


def policy_entries(action: Any) -> dict[str, str]:
    """What a rfs_msgs/PolicyAction tells of the policy."""
    noted = {"layout": action.layout, "checkpoint": action.checkpoint, "horizon": str(action.horizon)}
    return noted | ({"modulation": action.modulation} if action.modulation else {})


def calibration_entry(extrinsics: Any, camera: Any) -> dict[str, str]:
    """Pose (m, quaternion xyzw) and intrinsics of the color camera, as JSON.

    From geometry_msgs/TransformStamped and sensor_msgs/CameraInfo.
    """
    shift, turn = extrinsics.transform.translation, extrinsics.transform.rotation
    calibration = {
        "parent": extrinsics.header.frame_id,
        "child": extrinsics.child_frame_id,
        "translation": [shift.x, shift.y, shift.z],
        "rotation": [turn.x, turn.y, turn.z, turn.w],
        "width": camera.width,
        "height": camera.height,
        "distortion_model": camera.distortion_model,
        "d": [float(number) for number in camera.d],
        "k": [float(number) for number in camera.k],
    }
    return {"calibration": json.dumps(calibration)}
