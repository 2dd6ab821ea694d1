"""``python -m rfs_bringup.forward WORDS MODULE [ARGUMENT...]``: run ``main`` of a module as ``rfs WORDS``."""

from __future__ import annotations

import importlib
import os
import sys


def main() -> int:
    words, module, *arguments = sys.argv[1:]
    sys.argv[0] = f"rfs {words}"  # argparse shows this in its usage line
    try:
        status = importlib.import_module(module).main(arguments)
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        if _is_ours(error):
            print(f"rfs {words}: {error}", file=sys.stderr)
            return 1
        raise
    except KeyboardInterrupt:
        print(f"\nrfs {words}: interrupted.", file=sys.stderr)
        return 130
    return int(status or 0)


def _is_ours(error: Exception) -> bool:
    """Sentences raised by this project, and file errors, are shown bare; the rest keeps its traceback."""
    if isinstance(error, OSError):
        return error.filename is not None or error.errno is None or error.errno == 28
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and "/rfs_" in frame.tb_frame.f_code.co_filename


if __name__ == "__main__":
    sys.exit(main())
