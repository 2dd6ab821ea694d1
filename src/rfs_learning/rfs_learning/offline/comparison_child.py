"""A training or an evaluation of a comparison as a process; arguments: a module, and its own arguments.

Standard input is a pipe, the other end of which belongs to the process that compares. When that one closes it
or ends, however it ends, this one is interrupted as by Ctrl-C: it saves and ends, too.
"""

import runpy
import signal
import sys
from collections.abc import Sequence

from rfs_learning.interrupt import interrupt_at_end_of_input


def main(argv: Sequence[str]) -> None:
    """Run a module as if it had been started by itself."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was started in the background
    interrupt_at_end_of_input()
    sys.argv = list(argv)
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
