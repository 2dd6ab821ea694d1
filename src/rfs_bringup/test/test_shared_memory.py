"""Shared memory of killed processes, with real ones."""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.shared_memory import remove_leftovers

from rfs_bringup import processes

NODE = """
import os, rclpy, signal
from rclpy.node import Node
rclpy.init()
node = Node("sleeper")
print(os.getpid(), open("/proc/self/maps").read().replace("\\n", " "), flush=True)
"""
WAITS, CRASHES = NODE + "signal.pause()", NODE + "os.kill(os.getpid(), signal.SIGKILL)"


def segments(line: str) -> set[Path]:
    """The segments that a process maps: its own, while it is alone on its domain."""
    return set(map(Path, re.findall(r"/dev/shm/(?:fastdds|fastrtps)_[0-9a-f]{16}\b", line)))


def there(files: set[Path]) -> list[bool]:
    return [path.exists() for file in files for path in (file, file.with_name(file.name + "_el"))]


@contextmanager
def living_node(domain: str) -> Iterator[tuple[subprocess.Popen, set[Path]]]:
    """A process with a node, and its segments."""
    line, variables = [sys.executable, "-c", WAITS], os.environ | {"ROS_DOMAIN_ID": domain}
    with subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = segments(process.stdout.readline())
            assert found, "the middleware uses shared memory"
            assert all(there(found))
            yield process, found
        finally:
            process.kill()


@pytest.mark.ros
def test_a_killed_nodes_memory_is_given_back_and_a_living_ones_stays() -> None:
    one, two, *_ = os.environ["RFS_TEST_DOMAINS"].split(",")
    with living_node(one) as (living, kept), living_node(two) as (killed, lost):
        killed.kill()
        killed.wait()
        remove_leftovers()
        assert not any(there(lost))
        assert living.poll() is None
        assert all(there(kept))


@pytest.mark.ros
def test_a_stack_leaves_no_memory_of_a_node_that_crashed() -> None:
    said: list[str] = []
    printer = processes.Lines(lambda node, line: said.append(line))
    line = [sys.executable, "-c", CRASHES]
    assert processes.run([NodeSpec("crash", "", "")], printer, commands={"crash": line}) == 137
    used = segments(" ".join(said))
    assert used
    assert not any(there(used))


def test_only_segments_that_nobody_holds_go(tmp_path: Path) -> None:
    held, *dead = "fastdds_0123456789abcdef", "fastrtps_0123456789abcdef", "fastdds_fedcba9876543210"
    for name in (held, *dead, "fastdds_port7400", "fastdds_notes", "other_0123456789abcdef"):
        (tmp_path / name).touch()
        (tmp_path / f"{name}_el").touch()
    (tmp_path / "fastdds_00000000000000ff").touch()  # without a lock file: nothing says that it is dead
    before = {path.name for path in tmp_path.iterdir()}
    with (tmp_path / f"{held}_el").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert remove_leftovers(tmp_path) == 2
        left = before - {f"{name}{end}" for name in dead for end in ("", "_el")}
        assert {path.name for path in tmp_path.iterdir()} == left
    assert remove_leftovers(tmp_path) == 1
    assert remove_leftovers(tmp_path / "no such folder") == 0


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "fastdds_0123456789abcdef_el").symlink_to(tmp_path / "precious")
    assert remove_leftovers(tmp_path) == 0
    assert (tmp_path / "precious").read_text() == "x"
