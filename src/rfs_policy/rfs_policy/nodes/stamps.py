"""Between stamps of messages and whole nanoseconds."""

from builtin_interfaces.msg import Time

from rfs_policy.stamps import nanoseconds

__all__ = ["nanoseconds", "time_message"]


def time_message(stamp: int) -> Time:
    """A stamp in ns as a message."""
    return Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000)
