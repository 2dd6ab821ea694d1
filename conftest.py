"""Every test process has ROS domains of its own, so that concurrent tests do not hear each other.

Tests take them from the variable ``RFS_TEST_DOMAINS``, a list with commas.
"""

import fcntl
import os
import tempfile
from pathlib import Path

from rfs_bringup.shared_memory import remove_leftovers

#: Domains 0 to 101 are usable on every system; the lowest are left to people.
_BLOCKS = [range(first, first + 5) for first in range(10, 100, 5)]
_DISCOVERY = Path(__file__).parent / "src/rfs_bringup/rfs_bringup/config/discovery.xml"
_held: list[int] = []


def _claim() -> range:
    """A block of domains that no other test process here holds; given back when the process ends."""
    for block in _BLOCKS:
        file = Path(tempfile.gettempdir()) / f"rfs-tests-{os.getuid()}-domains-{block.start}.lock"
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        _held.append(handle)
        return block
    raise RuntimeError(f"{len(_BLOCKS)} test processes already run on this machine; wait for one to end")


_domains = _claim()
os.environ["RFS_TEST_DOMAINS"] = ",".join(map(str, _domains))
os.environ["ROS_DOMAIN_ID"] = str(_domains.start)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Processes that start together find each other in a second instead of four; as rfs_bringup.stack does.
_family = "FASTRTPS" if os.environ.get("ROS_DISTRO") == "jazzy" else "FASTDDS"
os.environ.setdefault(f"{_family}_DEFAULT_PROFILES_FILE", str(_DISCOVERY))


def pytest_sessionfinish() -> None:
    """Nodes that tests killed hold shared memory no longer."""
    remove_leftovers()
