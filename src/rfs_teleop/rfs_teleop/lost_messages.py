"""Count messages that were sent but never came."""

from collections import Counter
from collections.abc import Mapping


class LossCounter:
    """Losses per topic since `reset`.

    From the numbers that each publisher gives its messages, and from what the middleware reports itself; the
    larger of both counts, as neither sees every kind of loss.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, bytes], int] = {}
        self._skipped: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()

    def reset(self) -> None:
        """Count from zero; publishers keep their numbers."""
        self._skipped.clear()
        self._reported.clear()

    def take(self, topic: str, publisher: bytes, number: int) -> None:
        """A message came; `number` grows by one with each message of its publisher."""
        last = self._last.get((topic, publisher), number)
        self._last[topic, publisher] = number
        self._skipped[topic] += max(number - last - 1, 0)

    def report(self, topic: str, count: int) -> None:
        """The middleware lost messages."""
        self._reported[topic] += count

    def counts(self) -> Mapping[str, int]:
        """Losses of the topics that had any."""
        return {topic: count for topic, count in (self._skipped | self._reported).items() if count}
