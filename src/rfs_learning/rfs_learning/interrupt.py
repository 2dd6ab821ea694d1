"""Ctrl-C as a wish, so that long work can save before it ends."""

import signal


class Interrupt:
    """Turns the first Ctrl-C into a wish to stop after the current step; a second one acts at once."""

    def __init__(self) -> None:
        self.seen = False
        self._before = signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.seen = True
        self.restore()

    def restore(self) -> None:
        signal.signal(signal.SIGINT, self._before)
