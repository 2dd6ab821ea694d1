"""Ctrl-C as a wish, so that long work can save before it ends, and from whoever has started it."""

import os
import signal
import sys
import threading

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended early; what it did is kept."""


def interrupt_at_end_of_input() -> None:
    """When standard input, a pipe of which nothing more is read, is closed or whoever has its other end ends,
    interrupt this process as Ctrl-C does."""
    main_thread, pipe = threading.main_thread().ident, sys.stdin.fileno()
    assert main_thread is not None

    def wait() -> None:
        while os.read(pipe, 1024):
            pass
        signal.pthread_kill(main_thread, signal.SIGINT)  # to this thread, which may be waiting for a lock

    threading.Thread(target=wait, daemon=True).start()


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
