"""Limits of what the robot may be told: one place, read from YAML."""

from dataclasses import dataclass, field
from enum import IntFlag
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

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
        source = files("rfs_control").joinpath("config/limits.yaml") if path is None else Path(path)
        if not source.is_file():
            raise FileNotFoundError(f"no limits file {source}; copy config/limits.yaml of rfs_control")
        try:
            values = yaml.safe_load(source.read_text())
        except yaml.YAMLError as error:
            raise ValueError(f"{source} is not YAML: {error}") from error
        return cls(**_checked(values, str(source)), period=_positive(period, "the control period"))


def _checked(values: Any, source: str) -> dict[str, Any]:
    expected = {*_RATES, *_BOX}
    if not isinstance(values, dict) or set(values) != expected:
        found = sorted(values) if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"{source} must have exactly the keys {sorted(expected)}, found {found}")
    checked: dict[str, Any] = {key: _positive(values[key], f"{key} in {source}") for key in _RATES}
    checked |= {key: _point(values[key], f"{key} in {source}") for key in _BOX}
    if not np.all(checked["workspace_lower"] < checked["workspace_upper"]):
        raise ValueError(f"workspace_lower must be below workspace_upper on every axis in {source}")
    return checked


def _positive(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        raise ValueError(f"{what} must be a positive number, got {value!r}")
    return float(value)


def _point(value: Any, what: str) -> Array:
    try:
        point = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError(f"{what} must be three numbers (x, y, z in m), got {value!r}")
    return point
