"""What an MCAP file holds, and the end that makes it complete: statistics, indexes, footer."""

import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
)
from mcap.writer import MCAP0_MAGIC

MAGIC: bytes = MCAP0_MAGIC


@dataclass
class Contents:
    """The complete records of an MCAP file.

    end: offset behind the last one of them. last: where the messages of the last chunk are, by channel, as
    `scan` found out; for all chunks that would grow with the recording.
    """

    end: int = len(MAGIC)
    finished: bool = False
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[ChunkIndex] = field(default_factory=list)
    last: dict[int, MessageIndex] = field(default_factory=dict)
    metadata: list[tuple[MetadataIndex, Metadata]] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)

    @property
    def start_time(self) -> int:
        """Log time of the first message, ns; 0 without messages."""
        return min((index.message_start_time for index in self.chunks), default=0)

    @property
    def end_time(self) -> int:
        """Log time of the last message, ns; 0 without messages."""
        return max((index.message_end_time for index in self.chunks), default=0)

    def counts_by_topic(self) -> dict[str, int]:
        """Messages of every channel's topic."""
        return {channel.topic: self.counts[key] for key, channel in self.channels.items()}

    def texts(self) -> dict[str, str]:
        """All metadata entries but rosbag2's own; later ones win."""
        entries = [entry.metadata for _, entry in self.metadata if entry.name != "rosbag2"]
        return {key: value for entry in entries for key, value in entry.items()}


def beginning() -> bytes:
    """How a file of this package begins."""
    builder = RecordBuilder()
    Header("ros2", "rfs_teleop").write(builder)
    return MAGIC + builder.end()


def declarations(contents: Contents) -> bytes:
    """All schemas and channels, to be appended at `contents.end`."""
    builder = RecordBuilder()
    for record in [*contents.schemas.values(), *contents.channels.values()]:
        record.write(builder)
    contents.end += builder.count
    return builder.end()


def metadata_record(contents: Contents, name: str, entries: Mapping[str, str]) -> bytes:
    """A metadata record to be appended at `contents.end`; it is entered there."""
    builder = RecordBuilder()
    record = Metadata(name, dict(entries))
    record.write(builder)
    data = builder.end()
    contents.metadata.append((MetadataIndex(contents.end, len(data), name), record))
    contents.end += len(data)
    return data


def ending(contents: Contents) -> bytes:
    """Data end, summary with its CRC, and footer, to be appended at `contents.end`."""
    builder = RecordBuilder()
    DataEnd(0).write(builder)
    data_end = builder.end()
    _write_summary(contents, builder)
    summary = builder.end()
    start = contents.end + len(data_end)
    footer = struct.pack("<BQQQ", Opcode.FOOTER, 8 + 8 + 4, start, 0)
    Footer(start, 0, zlib.crc32(footer, zlib.crc32(summary))).write(builder)
    return data_end + summary + builder.end() + MAGIC


def _write_summary(contents: Contents, builder: RecordBuilder) -> None:
    records = [*contents.schemas.values(), *contents.channels.values(), _statistics(contents)]
    records += [*contents.chunks, *(index for index, _ in contents.metadata)]
    for record in records:
        record.write(builder)


def _statistics(contents: Contents) -> Statistics:
    return Statistics(
        attachment_count=0,
        channel_count=len(contents.channels),
        channel_message_counts=dict(contents.counts),
        chunk_count=len(contents.chunks),
        message_count=contents.counts.total(),
        message_end_time=contents.end_time,
        message_start_time=contents.start_time,
        metadata_count=len(contents.metadata),
        schema_count=len(contents.schemas),
    )
