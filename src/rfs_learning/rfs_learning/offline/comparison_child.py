"""A training or an evaluation of a comparison as a process; arguments: a module, and its own arguments.

Standard input is a pipe, the other end of which belongs to the process that compares. When that one closes it
or ends, however it ends, this one is interrupted as by Ctrl-C: it saves and ends, too.
"""

import os
import runpy
import signal
import sys
import threading
from collections.abc import Sequence


def main(argv: Sequence[str]) -> None:
    """Run a module as if it had been started by itself."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was started in the background
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = list(argv)
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    os.read(0, 1)  # nothing is ever written
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGINT)


if __name__ == "__main__":
    main(sys.argv[1:])
