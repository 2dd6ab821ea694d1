"""The last minute of a few numbers over time, for plots."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

SPAN = 60.0  # s
_LONGEST = 2000  # samples


class Trace:
    """Samples of one number of the last `SPAN` s."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_LONGEST)

    def add(self, now: float, value: float) -> None:
        """A sample at monotonic time `now`, s."""
        self._samples.append((now, value))

    def data(self, now: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ages (n,) in s, from -SPAN to 0, and values (n,); never empty, so that a plot has axes."""
        while self._samples and self._samples[0][0] < now - SPAN:
            self._samples.popleft()
        samples = np.array(self._samples or [(now, np.nan)])
        return samples[:, 0] - now, samples[:, 1]


class Traces:
    """What the page plots: the reward, and the time between the executor's ticks in ms."""

    def __init__(self) -> None:
        self.reward = Trace()
        self.period = Trace()
        self._ticked: float | None = None

    def tick(self, now: float) -> None:
        """The executor was heard."""
        if self._ticked is not None:
            self.period.add(now, 1e3 * (now - self._ticked))
        self._ticked = now
