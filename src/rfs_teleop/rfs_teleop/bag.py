"""Write an episode as a rosbag2 folder with one MCAP file: raw CDR messages, their definitions inside."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, cast

from mcap.writer import CompressionType, Writer

from rfs_teleop.bag_metadata import BagMetadata, Topic
from rfs_teleop.bag_repair import repair_file
from rfs_teleop.definitions import Definition

_CHUNK_BYTES = 256 * 1024


class BagError(OSError):
    """The bag cannot take more messages; what was written before is kept."""


class BagWriter:
    """A bag being written. Messages are on disk after `flush`, which callers do a few times a second, so that
    a killed process loses only what came since. Not thread-safe.

    Args:
        folder: the bag; must not exist. Its MCAP file is named `<folder>_0.mcap`.
        topics: what may be written.
        definitions: by message type; every type of `topics` must be there.
        contract: text entries about the episode, kept in the MCAP file and in metadata.yaml.
    """

    def __init__(
        self,
        folder: Path,
        topics: Iterable[Topic],
        definitions: Mapping[str, Definition],
        contract: Mapping[str, str] | None = None,
        ros_distro: str = "",
    ) -> None:
        folder.mkdir(parents=True)
        topics = [topic.with_hash(definitions[topic.type].type_hash) for topic in topics]
        self.folder = folder
        self.error = ""
        self.written: Counter[str] = Counter()
        self._unflushed: Counter[str] = Counter()
        self._metadata = BagMetadata(f"{folder.name}_0.mcap", topics, custom=contract or {})
        self._metadata.ros_distro = ros_distro
        self._stream = _Stream(self.path)
        self._mcap = Writer(
            cast("IO[bytes]", self._stream), chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD
        )
        self._mcap.start(profile="ros2", library="rfs_teleop")
        self._mcap.add_metadata("rfs_episode", dict(self._metadata.custom))
        self._channels = self._register(topics, definitions)
        self.flush()

    @property
    def path(self) -> Path:
        """The MCAP file."""
        return self.folder / self._metadata.file

    def _register(self, topics: list[Topic], definitions: Mapping[str, Definition]) -> dict[str, int]:
        schemas = {
            name: self._mcap.register_schema(name, "ros2msg", definitions[name].text.encode())
            for name in dict.fromkeys(topic.type for topic in topics)
        }
        return {
            topic.name: self._mcap.register_channel(
                topic.name, "cdr", schemas[topic.type], topic.channel_metadata()
            )
            for topic in topics
        }

    def write(self, topic: str, data: bytes, log_time: int, publish_time: int | None = None) -> None:
        """Add one serialized (CDR) message; times in ns since the epoch.

        Raises:
            KeyError: a topic that the bag was not opened with.
            BagError: an earlier flush failed.
        """
        self._require_writable()
        sequence = self.written[topic] + self._unflushed[topic]
        self._mcap.add_message(self._channels[topic], log_time, data, publish_time or log_time, sequence)
        self._unflushed[topic] += 1
        self._metadata.start = min(self._metadata.start or log_time, log_time)
        self._metadata.end = max(self._metadata.end, log_time)

    def flush(self) -> None:
        """Hand everything to the operating system, in whole chunks.

        Raises:
            BagError: the disk is full or gone; what was flushed before is intact.
        """
        self._require_writable()
        try:
            self._mcap.flush()
        except OSError as error:
            self._unflushed.clear()
            self.error = (
                f"cannot write the bag {self.path} ({error.strerror}): free some space or give another "
                "folder; what was recorded before is kept"
            )
            raise BagError(self.error) from error
        self.written.update(self._unflushed)
        self._unflushed.clear()

    def close(self, result: Mapping[str, str] | None = None) -> None:
        """Write the index, `result` (how the episode ended) and metadata.yaml.

        Raises:
            BagError: no space for them; `repair` can write them later.
        """
        try:
            if not self.error:
                self._finish(dict(result or {}))
        except OSError as error:
            self.error = self.error or f"cannot finish the bag {self.path} ({error.strerror})"
        finally:
            self._stream.close()
        if self.error:
            self._close_after_error(dict(result or {}))

    def _finish(self, result: Mapping[str, str]) -> None:
        self.flush()
        self._complete_metadata(result)
        self._mcap.add_metadata("rfs_result", dict(result))
        self._mcap.add_metadata("rosbag2", {"serialized_metadata": self._metadata.serialized()})
        self._mcap.finish()
        self._stream.flush()
        self._metadata.write(self.folder)

    def _complete_metadata(self, result: Mapping[str, str]) -> None:
        self._metadata.counts = self.written
        self._metadata.custom = {**self._metadata.custom, **result}

    def _close_after_error(self, result: Mapping[str, str]) -> None:
        """The index takes a few kB, which may be there where the next chunk had no room."""
        self._complete_metadata(result)
        try:
            repair_file(self.path)
            self._metadata.write(self.folder)
        except OSError as error:
            raise BagError(f"{self.error}; its index is missing: free some space and repair it") from error

    def _require_writable(self) -> None:
        if self.error:
            raise BagError(self.error)


class _Stream:
    """An append-only file that grows by whole flushes: one that fails is undone."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._pending: list[bytes] = []
        self._position = 0
        self._flushed = 0

    def write(self, data: bytes) -> int:
        self._pending.append(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        rest = memoryview(b"".join(self._pending))
        self._pending.clear()
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._flushed)
            raise
        self._flushed = self._position

    def close(self) -> None:
        os.close(self._file)
