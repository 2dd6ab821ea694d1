"""Limits of what the robot may be told: one place, read from YAML."""

from dataclasses import dataclass, field, replace
from enum import IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfs_control import limit_file
from rfs_description import robot

Array = NDArray[np.float64]

_RATES = ("translation_speed", "rotation_speed", "finger_speed")
_BOX = ("workspace_lower", "workspace_upper")


class Limit(IntFlag):
    """Bits of `rfs_msgs/ExecutedAction.limits`."""

    NONE = 0
    TRANSLATION = 1
    ROTATION = 2
    WORKSPACE = 4
    FINGER_RANGE = 8
    FINGER_SPEED = 16
    ARM_JOINT = 32
    CORRECTION = 64
    HEIGHT = 128


@dataclass(frozen=True, eq=False)
class Limits:
    """Bounds of one control step.

    Rates in m/s and rad/s, workspace box (3,) for the palm in the base frame in m, finger ranges (16,) in
    rad, `period` of the control step in s.
    """

    translation_speed: float
    rotation_speed: float
    finger_speed: float
    workspace_lower: Array
    workspace_upper: Array
    period: float = 0.1
    finger_lower: Array = field(default_factory=lambda: robot.HAND_LOWER)
    finger_upper: Array = field(default_factory=lambda: robot.HAND_UPPER)

    @property
    def translation_step(self) -> float:
        """Longest palm translation in one step, m."""
        return self.translation_speed * self.period

    @property
    def rotation_step(self) -> float:
        """Largest palm rotation in one step, rad."""
        return self.rotation_speed * self.period

    @property
    def finger_step(self) -> float:
        """Largest move of a finger joint's target in one step, rad."""
        return self.finger_speed * self.period

    @classmethod
    def load(cls, path: str | Path | None = None, period: float = 0.1) -> "Limits":
        """Read a YAML file (None: the package's `config/limits.yaml`) for a control period in s.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a key is missing or unknown, or a value is not a limit; the text names it.
        """
        values, source = limit_file.read(path, "limits.yaml", (*_RATES, *_BOX))
        return cls(**_checked(values, source), period=limit_file.positive(period, "the control period"))

    def slowed(self, share: float) -> "Limits":
        """The same limits with every speed at this share of what it was."""
        return replace(self, **{rate: share * getattr(self, rate) for rate in _RATES})


def _checked(values: dict[str, Any], source: str) -> dict[str, Any]:
    checked: dict[str, Any] = {key: limit_file.positive(values[key], f"{key} in {source}") for key in _RATES}
    checked |= {key: _point(values[key], f"{key} in {source}") for key in _BOX}
    if not np.all(checked["workspace_lower"] < checked["workspace_upper"]):
        raise ValueError(f"workspace_lower must be below workspace_upper on every axis in {source}")
    return checked


def _point(value: Any, what: str) -> Array:
    try:
        point = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError(f"{what} must be three numbers (x, y, z in m), got {value!r}")
    return point
