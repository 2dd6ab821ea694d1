"""Stamps as whole nanoseconds, so that equal times compare equal. Only fields of messages are used."""

from typing import Any


def nanoseconds(stamp: Any) -> int:
    """A `builtin_interfaces/Time` (or anything with `sec` and `nanosec`) as one number."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec
