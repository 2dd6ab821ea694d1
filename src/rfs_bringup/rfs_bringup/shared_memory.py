"""Gives back the shared memory of killed nodes, 32 MB each: the middleware does so only at a clean end."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

FOLDER = Path("/dev/shm")
_LOCK = re.compile(r"(fastdds|fastrtps)_[0-9a-f]{16}_el")
"""A segment's lock file; Fast DDS 2 calls itself fastrtps. Ports are few, small and taken again by number."""


def remove_leftovers(folder: Path = FOLDER) -> int:
    """Remove this user's Fast DDS segments whose process is dead; how many.

    A process locks the lock file before it makes the segment, and the kernel frees it when the process ends,
    however it ends. Who can take the lock may remove both: so do Fast DDS and its ``fastdds shm clean``.
    """
    return sum(_remove_if_dead(lock) for lock in folder.glob("*_el") if _LOCK.fullmatch(lock.name))


def _remove_if_dead(lock: Path) -> bool:
    """Remove a segment and its lock file unless its process lives or belongs to somebody else."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # removed meanwhile, or another user's
    try:
        if os.fstat(handle).st_uid != os.geteuid():
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
