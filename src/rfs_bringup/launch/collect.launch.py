"""The collect stack for ``ros2 launch``."""

from launch import LaunchDescription
from rfs_bringup.launch.description import describe
from rfs_bringup.stack import STACKS


def generate_launch_description() -> LaunchDescription:
    return describe(STACKS["collect"])
