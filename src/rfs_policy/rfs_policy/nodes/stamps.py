"""Stamps as whole nanoseconds, so that equal times compare equal."""

from builtin_interfaces.msg import Time


def nanoseconds(stamp: Time) -> int:
    """A stamp as one number."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def time_message(stamp: int) -> Time:
    """A stamp in ns as a message."""
    return Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000)
