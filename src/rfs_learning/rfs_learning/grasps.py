"""Grasps of the scripted expert as data: where the palm goes and how the fingers close, per object."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from rfs_sim_bridge.objects import ObjectSpec

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grasp:
    """How to grasp one object.

    offset: (3,) m, the object's origin in the palm frame. tilt: rad, pitch of the fingers below the
    horizontal. fingers_open, fingers_closed: (16,) rad. align: number of equivalent palm yaws relative to
    the object's yaw (4 for a square, 2 for a long object), 0 for radial; align_yaw: rad, the palm's yaw
    relative to the object's.
    """

    offset: Array
    tilt: float
    fingers_open: Array
    fingers_closed: Array
    align: int = 0
    align_yaw: float = 0.0


@cache
def _config() -> dict[str, Any]:
    return yaml.safe_load(files("rfs_learning").joinpath("config/grasps.yaml").read_text())


def find_grasp(spec: ObjectSpec) -> Grasp:
    """The configured grasp of an object; an object without an entry gets its kind's default, fitted to its
    size."""
    entries = _config()[spec.grasp]
    entry = entries.get(spec.name, entries["default"])
    return power_grasp(entry) if spec.grasp == "power" else pinch_grasp(entry)


def power_grasp(entry: Mapping[str, Any]) -> Grasp:
    """All fingers and the thumb close around the object under the palm."""
    closed, opened = np.zeros(16), np.zeros(16)
    for finger in range(3):
        closed[[4 * finger, 4 * finger + 2, 4 * finger + 3]] = entry["fingers"]
    opened[:12] = entry["open"] * closed[:12]
    closed[12:] = entry["thumb"]
    opened[12:14] = closed[12:14]  # the thumb opposes before it closes
    return Grasp(
        np.array(entry["offset"]),
        entry["tilt"],
        opened,
        closed,
        entry.get("align", 0),
        entry.get("align_yaw", 0.0),
    )


def pinch_grasp(entry: Mapping[str, Any]) -> Grasp:
    """Thumb against index and middle finger, from above."""
    width = entry["width"]
    opened, _ = pinch_posture(min(width + 0.045, 0.11))
    closed, _ = pinch_posture(width - entry["squeeze"])
    _, center = pinch_posture(width + 0.02)
    offset = center + np.array([entry.get("forward", 0.0), 0.0, -entry["height"]])
    return Grasp(offset, entry["tilt"], opened, closed, entry.get("align", 0), entry.get("align_yaw", 0.0))


def pinch_posture(gap: float) -> tuple[Array, Array]:
    """Finger joints (16,) and center of the gap in the palm frame (3,), interpolated in the table of
    postures."""
    table = sorted(_config()["pinch_postures"], key=lambda row: row["gap"])
    gaps = [row["gap"] for row in table]

    def at(key: str) -> Array:
        values = np.array([row[key] for row in table])
        return np.array([np.interp(gap, gaps, column) for column in values.T])

    return at("joints"), at("center")
