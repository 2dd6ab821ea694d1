"""When the robot's next action is due, and how soon one may come. Monotonic times in s."""

import numpy as np


class Pace:
    """Keeps actions a period apart: one is overdue half a period after it was due.

    Args:
        period: of the control loop, s; each action is as long a step as this allows.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._due = np.inf
        self._free = -np.inf  # when the next one follows those so far, if all keep the rate

    def expect(self, now: float, periods: float = 1.0) -> None:
        """The next action is due in so many periods."""
        self._due = now + periods * self._period

    def missed(self, now: float) -> bool:
        """Whether an action is overdue; each is told once, and the next one is due a period later.

        What was missed while nobody asked is not made up for.
        """
        overdue = now >= self._due + 0.5 * self._period
        if overdue:
            self._due = max(self._due + self._period, now)
        return overdue

    def too_early(self, now: float) -> bool:
        """Whether an action executed now would make the robot faster than its rate."""
        return now < self._free - 0.5 * self._period

    def moved(self, now: float) -> None:
        """An action is executed."""
        self._free = max(self._free, now) + self._period
