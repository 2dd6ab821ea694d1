"""A file that only grows, by whole appends: one that fails leaves no trace."""

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_PARTS = 512  # how many buffers one system call takes (IOV_MAX is 1024)
_BLOCK = 8 * 1024 * 1024  # bytes after which the disk is set to work


class AppendFile:
    """A new file, locked so that other processes see that it still grows. `size` is what is in it.

    Raises:
        FileExistsError: the file exists.
    """

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._begun = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with suppress(OSError):  # not every file system has locks
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def append(self, parts: Sequence[bytes]) -> None:
        """Hand all parts to the operating system, which keeps them when this process is killed.

        Raises:
            OSError: the disk is full or gone; the file is as it was before.
        """
        try:
            for first in range(0, len(parts), _PARTS):
                self._write([memoryview(part) for part in parts[first : first + _PARTS]])
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += sum(map(len, parts))
        if self.size - self._begun >= _BLOCK:
            self._begin_writeback()

    def _begin_writeback(self) -> None:
        """Left alone, the system gathers gigabytes and then stalls the writer until the disk has them."""
        start = max(self._begun - _BLOCK, 0)
        os.posix_fadvise(self._file, start, self.size - start, os.POSIX_FADV_DONTNEED)
        self._begun = self.size

    def _write(self, parts: list[memoryview]) -> None:
        written = os.writev(self._file, parts)
        for part in parts:
            rest = part[min(written, len(part)) :]
            written -= len(part) - len(rest)
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def close(self) -> None:
        """Nothing more can be appended."""
        os.close(self._file)
