"""What a node tells about itself on `/diagnostics`. Data and text only; `to_message` needs ROS messages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

from rfs_policy.cadence import CadenceReport


class Level(IntEnum):
    """Levels of `diagnostic_msgs/DiagnosticStatus`."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Status:
    """One line of `/diagnostics`: a component's name, level, sentence, and figures by name."""

    name: str
    level: Level = Level.OK
    message: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


def cadence_status(name: str, report: CadenceReport, stale_after: float) -> Status:
    """A loop's or topic's regularity: STALE when nothing came for `stale_after` s, WARN after a miss."""
    values = {key: _text(value) for key, value in asdict(report).items()}
    if not report.age <= stale_after:
        return Status(name, Level.STALE, "nothing yet" if report.ticks == 0 else "stopped", values)
    if report.misses:
        return Status(name, Level.WARN, f"{report.misses} missed", values)
    return Status(name, Level.OK, f"{report.rate_hz:.1f} Hz", values)


def to_message(stamp: Any, statuses: Sequence[Status]) -> Any:
    """`diagnostic_msgs/DiagnosticArray` of the statuses at a `builtin_interfaces/Time`."""
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

    lines = [
        DiagnosticStatus(
            level=bytes([status.level]),
            name=status.name,
            message=status.message,
            values=[KeyValue(key=key, value=_text(value)) for key, value in status.values.items()],
        )
        for status in statuses
    ]
    message = DiagnosticArray(status=lines)
    message.header.stamp = stamp
    return message


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
