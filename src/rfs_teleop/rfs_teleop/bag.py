"""Write an episode as a rosbag2 folder with one MCAP file: raw CDR messages, their definitions inside."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from mcap.records import Channel, Schema

from rfs_teleop.append_file import AppendFile
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.bag_repair import metadata_of, repair_file
from rfs_teleop.definitions import Definition
from rfs_teleop.mcap_chunk import ChunkBuilder
from rfs_teleop.mcap_contents import Contents, beginning, declarations, ending, metadata_record

_CHUNK_BYTES = 1024 * 1024


class BagError(OSError):
    """The bag cannot take more messages; what was written before is kept."""


def cut_short(result: Mapping[str, str], why: str) -> dict[str, str]:
    """How an episode ended whose bag lacks a part: its last message does not show what was marked."""
    notes = result.get("notes", "")
    told = notes if why in notes else "; ".join(filter(None, [notes, why]))
    return {**result, "outcome": "unknown", "notes": told}


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
        self.folder = folder
        self.error = ""
        self.written: Counter[str] = Counter()
        self._topics = [topic.with_hash(definitions[topic.type].type_hash) for topic in topics]
        self._contents = Contents()
        self._channels = {topic.name: number for number, topic in enumerate(self._topics, 1)}
        self._chunk = ChunkBuilder()
        self._file = AppendFile(self.path)
        texts = {**(contract or {}), **({"ros_distro": ros_distro} if ros_distro else {})}
        start = beginning()
        self._contents.end = len(start)
        self._append([start, metadata_record(self._contents, "rfs_episode", texts)])
        self._declare(definitions)

    @property
    def path(self) -> Path:
        """The MCAP file."""
        return self.folder / f"{self.folder.name}_0.mcap"

    def _declare(self, definitions: Mapping[str, Definition]) -> None:
        """Schemas and channels come first, so that they are there wherever the file is cut off."""
        contents = self._contents
        for number, name in enumerate(dict.fromkeys(topic.type for topic in self._topics), 1):
            text = definitions[name].text.encode()
            contents.schemas[number] = Schema(data=text, encoding="ros2msg", id=number, name=name)
        numbers = {schema.name: number for number, schema in contents.schemas.items()}
        for topic in self._topics:
            number = self._channels[topic.name]
            metadata = topic.channel_metadata()
            contents.channels[number] = Channel(number, topic.name, "cdr", metadata, numbers[topic.type])
        self._append([declarations(contents)])

    def write(self, topic: str, data: bytes, log_time: int, publish_time: int | None = None) -> None:
        """Add one serialized (CDR) message; times in ns since the epoch.

        Raises:
            KeyError: a topic that the bag was not opened with.
            BagError: the disk is full or gone, now or earlier; what was flushed before is intact.
        """
        self._require_writable()
        channel = self._channels[topic]
        sequence = self._contents.counts[channel] + self._chunk.counts[channel]
        self._chunk.add(channel, sequence, log_time, publish_time or log_time, data)
        if self._chunk.size >= _CHUNK_BYTES:
            self.flush()

    def note(self, entries: Mapping[str, str]) -> None:
        """Add entries to the contract that became known after the bag was opened.

        Raises:
            BagError: as `write`.
        """
        self._require_writable()
        self._append([metadata_record(self._contents, "rfs_episode", entries)])

    def flush(self) -> None:
        """Hand everything to the operating system, in whole chunks.

        Raises:
            BagError: the disk is full or gone; what was flushed before is intact.
        """
        self._require_writable()
        if self._chunk.counts:
            chunk, self._chunk = self._chunk, ChunkBuilder()
            self._append(chunk.seal(self._contents))
            names = {number: name for name, number in self._channels.items()}
            self.written.update({names[key]: count for key, count in chunk.counts.items()})

    def _append(self, parts: list[bytes]) -> None:
        try:
            self._file.append(parts)
        except OSError as error:
            self.error = (
                f"cannot write the bag {self.path} ({error.strerror}): free some space or give another "
                "folder; what was recorded before is kept"
            )
            raise BagError(self.error) from error

    def close(self, result: Mapping[str, str] | None = None) -> None:
        """Write the index, `result` (how the episode ended; after an error: unknown) and metadata.yaml.

        Raises:
            BagError: no space for them; `repair` can write them later.
        """
        try:
            if not self.error:
                self._finish(dict(result or {}))
        except OSError as error:
            self.error = self.error or f"cannot finish the bag {self.path} ({error.strerror})"
        finally:
            self._file.close()
        if self.error:
            self._close_after_error(cut_short(result or {}, self.error))

    def _finish(self, result: Mapping[str, str]) -> None:
        self.flush()
        contents = self._contents
        parts = [metadata_record(contents, "rfs_result", self._counted(result))]
        metadata = metadata_of(self.path.name, contents)
        parts.append(metadata_record(contents, "rosbag2", {"serialized_metadata": metadata.serialized()}))
        self._append([*parts, ending(contents)])
        metadata.write(self.folder)

    def _counted(self, result: Mapping[str, str]) -> dict[str, str]:
        counts = {f"written {topic.name}": str(self.written[topic.name]) for topic in self._topics}
        return {**result, **counts}

    def _close_after_error(self, result: Mapping[str, str]) -> None:
        """The index takes a few kB, which may be there where the next chunk had no room."""
        try:
            contents = repair_file(self.path, self._counted(result))
            metadata_of(self.path.name, contents).write(self.folder)
        except (OSError, ValueError) as error:
            raise BagError(f"{self.error}; its index is missing: free some space and repair it") from error

    def _require_writable(self) -> None:
        if self.error:
            raise BagError(self.error)
