"""The operator as the executor knows him: his newest corrections, their bounds, and whether he is there."""

import numpy as np
from numpy.typing import NDArray

from rfs_control.correction import Correction
from rfs_control.limits import Limit
from rfs_control.residual_bounds import ResidualBounds


class OperatorLink:
    """Keeps the newest correction and the newest one that answers an observation.

    Args:
        bounds: of the residuals that are taken.
        max_age: s without a correction or sign of life after which the operator is gone; None: in lockstep,
            where wall time means nothing.
    """

    def __init__(self, bounds: ResidualBounds, max_age: float | None) -> None:
        self.bounds = bounds
        self.max_age = max_age
        self._answer: Correction | None = None
        self._newest: Correction | None = None
        self._heard = -np.inf

    def take(self, correction: Correction, now: float) -> None:
        """A correction or a sign of life at monotonic time `now`, s."""
        self._newest, self._heard = correction, now
        if correction.stamp:
            self._answer = correction

    def answer(self, stamp: int) -> Correction | None:
        """The correction for the observation of a stamp (ns), if it is there."""
        return self._answer if self._answer is not None and self._answer.stamp == stamp else None

    def problem(self, now: float) -> str:
        """Why there is no operator; empty while there is. The text changes only with the cause."""
        if self._newest is None:
            return "operator: no correction received; is the correction node running?"
        if self.max_age is not None and now - self._heard > self.max_age:
            return f"operator: no correction for {self.max_age} s; is the correction node running?"
        return _named(self._newest)

    def problem_with(self, answer: Correction | None, now: float) -> str:
        """Why an action must not be executed with this answer; in lockstep only the answer itself counts."""
        own = _named(answer) if answer is not None else ""
        return own or ("" if self.max_age is None else self.problem(now))

    def taken(
        self, answer: Correction | None, palm_height: float
    ) -> tuple[NDArray[np.float32] | None, Limit]:
        """The residual (22,) to add, None when there is none, and which bound acted on it."""
        if answer is None or not answer.residual.any():
            return None, Limit.NONE
        if not self.bounds.allows(palm_height):
            return None, Limit.HEIGHT
        bounded = self.bounds.bounded(answer.residual)
        limit = Limit.NONE if np.array_equal(bounded, answer.residual) else Limit.CORRECTION
        return (bounded if bounded.any() else None), limit


def _named(correction: Correction) -> str:
    return f"operator: {correction.problem}" if correction.problem else ""
