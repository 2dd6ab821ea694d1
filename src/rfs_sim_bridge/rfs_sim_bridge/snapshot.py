"""The pose of one environment, enough to draw it."""

from dataclasses import dataclass

from rfs_sim_bridge.engine import Array


@dataclass(frozen=True)
class Snapshot:
    """What is needed to draw one environment: object name, joints (23,) rad, object position m, quaternion
    xyzw."""

    object: str
    joint_positions: Array
    object_position: Array
    object_quaternion: Array
