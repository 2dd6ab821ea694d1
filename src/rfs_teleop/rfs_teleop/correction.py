"""The operator's bounded residual for one action of the policy. No ROS in here."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_control.residual_bounds import ResidualBounds
from rfs_description.robot import HAND_CLOSING
from rfs_policy.layout import DELTA_POSE

from rfs_teleop.devices.config import TARGETS, AxisUse
from rfs_teleop.devices.device import AXES, Axes, Reading

_STALE = 0.5  # s
"""A device whose thread says nothing for so long is not read any more."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The correction of one observation (ns; 0: a sign of life). `residual` (22,) float32, `axes` (6,)."""

    observation: int
    active: bool
    residual: NDArray[np.float32]
    axes: Axes
    problem: str


class Corrector:
    """Turns a device's axes into residuals: full deflection is the bound, times the configured gain."""

    def __init__(self, uses: Mapping[str, AxisUse], bounds: ResidualBounds) -> None:
        self._bounds = bounds
        self._gains = np.zeros((len(TARGETS), len(AXES)))
        for target, use in uses.items():
            self._gains[TARGETS.index(target), AXES.index(use.axis)] = use.gain
        self._last: Answer | None = None

    def residual(self, axes: Axes) -> NDArray[np.float32]:
        """Residual (22,) in the layout `DELTA_POSE` for axes (6,) in [-1, 1]; zeros for zeros."""
        wanted = np.clip(self._gains @ axes, -1.0, 1.0)
        residual = np.zeros(DELTA_POSE.action_dim)
        residual[:3] = self._bounds.translation * wanted[:3]
        residual[6:] = self._bounds.finger * wanted[3] * HAND_CLOSING
        return self._bounds.bounded(residual)

    def answer(self, observation: int, reading: Reading, now: float) -> Answer:
        """For the policy's action of an observation (ns); asked again, the same again.

        `now` is monotonic time in s. A device that cannot be read corrects nothing.
        """
        if self._last is None or self._last.observation != observation:
            self._last = self._fresh(observation, reading, now)
        return self._last

    def alive(self, reading: Reading, now: float) -> Answer:
        """Between actions of the policy: no residual, but whether the device can be read."""
        problem = self._problem(reading, now)
        return Answer(0, False, np.zeros(DELTA_POSE.action_dim, np.float32), reading.axes, problem)

    def _fresh(self, observation: int, reading: Reading, now: float) -> Answer:
        problem = self._problem(reading, now)
        axes = np.zeros(len(AXES)) if problem else reading.axes
        residual = self.residual(axes)
        return Answer(observation, bool(residual.any()), residual, axes, problem)

    @staticmethod
    def _problem(reading: Reading, now: float) -> str:
        silent = now - reading.time > _STALE
        return reading.problem or (f"the device was not read for {_STALE} s" if silent else "")
