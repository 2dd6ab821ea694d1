"""How regularly a loop runs: measured periods, misses and durations. No ROS."""

from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CadenceReport:
    """Statistics of the last ticks. Times in s; NaN where there is no sample yet.

    `jitter_p99` is the 99th percentile of |period - target|; `age` is the time since the last tick.
    """

    ticks: int
    misses: int
    rate_hz: float
    period_p50: float
    period_p99: float
    jitter_p99: float
    duration_p50: float
    duration_p99: float
    age: float


class Cadence:
    """Records ticks of one loop or topic.

    Args:
        period: target period, s; 0 when there is none (then nothing is counted as a miss).
        window: how many of the newest ticks the percentiles cover.
    """

    def __init__(self, period: float, window: int = 600) -> None:
        self.period = period
        self.ticks = 0
        self.misses = 0
        self._last = float("nan")
        self._periods: deque[float] = deque(maxlen=window)
        self._durations: deque[float] = deque(maxlen=window)

    def tick(self, now: float, duration: float | None = None, missed: bool | None = None) -> None:
        """One tick at monotonic time `now` (s) whose work took `duration` (s).

        Without `missed`, a period of more than 1.5 targets counts as a miss.
        """
        if self.ticks:
            self._periods.append(now - self._last)
        late = bool(self._periods) and self.period > 0 and self._periods[-1] > 1.5 * self.period
        self.misses += late if missed is None else missed
        if duration is not None:
            self._durations.append(duration)
        self._last = now
        self.ticks += 1

    def restart(self) -> None:
        """Forget the last tick, so that a pause that was meant is not a late period."""
        self._last = float("nan")
        self.ticks = 0

    def report(self, now: float) -> CadenceReport:
        """Statistics at monotonic time `now`, s."""
        periods, durations = np.array(self._periods), np.array(self._durations)
        p50 = _percentile(periods, 50)
        return CadenceReport(
            ticks=self.ticks,
            misses=self.misses,
            rate_hz=1.0 / p50 if p50 > 0 else float("nan"),
            period_p50=p50,
            period_p99=_percentile(periods, 99),
            jitter_p99=_percentile(np.abs(periods - self.period), 99),
            duration_p50=_percentile(durations, 50),
            duration_p99=_percentile(durations, 99),
            age=now - self._last,
        )


def _percentile(values: np.ndarray, q: float) -> float:
    return float(np.percentile(values, q)) if values.size else float("nan")
