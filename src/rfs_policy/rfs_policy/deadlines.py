"""Absolute deadlines of a periodic loop on the monotonic clock."""


class Deadlines:
    """When the next tick is due; ticks stay on one grid however long each takes.

    Args:
        period: s.
        start: monotonic time of the first tick, s.
    """

    def __init__(self, period: float, start: float) -> None:
        self.period = period
        self.next = start

    def finish(self, now: float) -> bool:
        """The tick that was due at `next` is done at `now`: move on to the first deadline still ahead.

        Returns whether the following deadline was missed.
        """
        self.next += self.period
        missed = now > self.next
        if missed:
            self.next += self.period * (1 + (now - self.next) // self.period)
        return missed
