"""The writing thread: what is handed over comes to disk, and a slow or full disk ends the recording aloud."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from rfs_teleop.append_file import AppendFile
from rfs_teleop.bag import BagWriter
from rfs_teleop.bag_queue import BagQueue
from rfs_teleop.bag_reader import Bag
from test_bag import DEFINITIONS, TOPICS, cdr, read

PATIENCE = 20.0


class SlowDisk:
    """Real writes that wait until the disk is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free, self.reached = threading.Event(), threading.Event()
        append = AppendFile.append

        def wait_and_append(file: AppendFile, parts: Sequence[bytes]) -> None:
            if threading.current_thread() is not threading.main_thread():
                self.reached.set()
                assert self.free.wait(PATIENCE)
            append(file, parts)

        monkeypatch.setattr(AppendFile, "append", wait_and_append)


@pytest.fixture
def bag(tmp_path: Path) -> BagWriter:
    return BagWriter(tmp_path / "episode", TOPICS, DEFINITIONS, {"object": "mug"})


def test_everything_comes_to_disk_in_order(bag: BagWriter) -> None:
    queue = BagQueue(bag)
    for number in range(500):
        queue.put("/a", cdr(str(number)), 1000 + number, 1000 + number)
    queue.note({"checkpoint": "abc"})
    assert queue.close({"outcome": "success"}, PATIENCE)
    assert read(bag.folder) == [("/a", str(number)) for number in range(500)]
    assert queue.problem == ""


def test_receiving_goes_on_while_the_disk_stalls(bag: BagWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, queue = SlowDisk(monkeypatch), BagQueue(bag)
    queue.put("/a", cdr("first"), 1, 1)
    assert disk.reached.wait(PATIENCE)
    for number in range(100):
        queue.put("/a", cdr(str(number)), 2 + number, 2 + number)
    assert queue.lag > 0
    disk.free.set()
    assert queue.close({}, PATIENCE)
    assert [text for _, text in read(bag.folder)] == ["first", *map(str, range(100))]


def test_a_disk_that_is_too_slow_ends_the_recording_and_keeps_what_came(
    bag: BagWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, queue = SlowDisk(monkeypatch), BagQueue(bag, capacity=10_000)
    queue.put("/a", cdr("first"), 1, 1)
    assert disk.reached.wait(PATIENCE)
    while not queue.problem:
        queue.put("/a", cdr("x" * 1000), 2, 2)
    assert "too slow" in queue.problem
    queue.put("/a", cdr("after"), 3, 3)
    assert not queue.close({"outcome": "success", "notes": "lifted"}, 0.0)
    disk.free.set()
    assert queue.close({"outcome": "success", "notes": "lifted"}, PATIENCE)
    contract = Bag(bag.folder).contract
    assert (contract["outcome"], contract["notes"]) == ("unknown", f"lifted; {queue.problem}")
    kept = [text for _, text in read(bag.folder)]
    assert kept[0] == "first"
    assert set(kept[1:]) == {"x" * 1000}
    assert (bag.folder / "metadata.yaml").exists()


def test_whatever_goes_wrong_in_the_thread_ends_the_recording_aloud(bag: BagWriter) -> None:
    queue = BagQueue(bag)
    queue.put("/a", cdr("fits"), 1, 1)
    queue.put("/a", cdr("a time that no bag can hold"), -1, -1)
    queue.put("/a", cdr("after"), 2, 2)
    assert queue.close({}, PATIENCE)
    assert "could not be written" in queue.problem
    assert read(bag.folder) == [("/a", "fits")]


def test_a_full_disk_ends_the_recording(bag: BagWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = BagQueue(bag)
    queue.put("/a", cdr("fits"), 1, 1)
    while not bag.written["/a"]:
        threading.Event().wait(0.01)

    def refuse(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "writev", refuse)
    queue.put("/a", cdr("does not"), 2, 2)
    while not queue.problem:
        threading.Event().wait(0.01)
    assert "free some space" in queue.problem
    assert queue.close({"outcome": "success"}, PATIENCE)
    assert read(bag.folder) == [("/a", "fits")]
    contract = Bag(bag.folder).contract
    assert (contract["outcome"], contract["notes"]) == ("unknown", queue.problem)


def test_two_bags_that_are_written_at_once_share_no_compressor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that two threads use at once crashes the process."""
    used: list[object] = []

    class Compressor:
        def __init__(self, level: int) -> None:
            self._real = real(level=level)

        def compress(self, data: bytes) -> bytes:
            used.append(self)
            return self._real.compress(data)

    real = zstandard.ZstdCompressor
    monkeypatch.setattr(zstandard, "ZstdCompressor", Compressor)
    for name in ("one", "other"):
        queue = BagQueue(BagWriter(tmp_path / name, TOPICS, DEFINITIONS))
        queue.put("/a", cdr(name), 1, 1)
        assert queue.close({}, PATIENCE)
        assert read(tmp_path / name) == [("/a", name)]
    assert len(used) == len(set(used)) == 2
