"""How the object is known."""

from enum import IntEnum


class Tracking(IntEnum):
    """The values are those of `rfs_msgs/GraspReward`."""

    SEEN = 0
    HELD = 1
    WITH_PALM = 2
    LOST = 3
    NONE = 4
