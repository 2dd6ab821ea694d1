"""One process at a time in a folder, or with whatever else a lock file stands for."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, busy: str = "") -> Iterator[None]:
    """The folder, made where there is none, is ours until the end.

    Args:
        busy: what to say where another process has it; empty: that one is waited for.

    Raises:
        ValueError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / ".lock", busy):
        yield


@contextmanager
def held(file: Path, busy: str = "") -> Iterator[None]:
    """As `locked`, for a lock file, which stays."""
    with file.open("w") as lock:  # whoever dies lets go of it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as error:
            raise ValueError(busy) from error
        yield
