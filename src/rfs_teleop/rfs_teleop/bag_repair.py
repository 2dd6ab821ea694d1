"""Give a bag that was cut off (killed recorder, full disk) its index and metadata.yaml back.

An MCAP file without its end holds all complete chunks. Repair cuts the broken rest off and appends index and
footer in place, so that it needs a few kB and never copies messages.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
)
from mcap.stream_reader import breakup_chunk
from mcap.writer import MCAP0_MAGIC

from rfs_teleop.bag_metadata import BagMetadata, Topic


@dataclass
class Contents:
    """What the complete records of an MCAP file hold. `end` is the offset behind the last one of them."""

    end: int = len(MCAP0_MAGIC)
    finished: bool = False
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[tuple[ChunkIndex, dict[int, MessageIndex]]] = field(default_factory=list)
    metadata: list[tuple[MetadataIndex, Metadata]] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)

    @property
    def start_time(self) -> int:
        """Log time of the first message, ns; 0 without messages."""
        return min((index.message_start_time for index, _ in self.chunks), default=0)

    @property
    def end_time(self) -> int:
        """Log time of the last message, ns; 0 without messages."""
        return max((index.message_end_time for index, _ in self.chunks), default=0)


def unfinished(folder: Path) -> bool:
    """Whether a folder is a bag whose recorder did not come to its end."""
    return bool(list(folder.glob("*_0.mcap"))) and not (folder / "metadata.yaml").exists()


def repair(folder: Path) -> BagMetadata:
    """Repair a bag folder.

    Raises:
        FileNotFoundError: no MCAP file in it.
        ValueError: the file is no MCAP file.
    """
    files = sorted(folder.glob("*.mcap"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .mcap file: give the folder of a bag")
    contents = repair_file(files[0])
    schemas = {key: schema.name for key, schema in contents.schemas.items()}
    channels = contents.channels.values()
    entries = [entry for _, entry in contents.metadata if entry.name != "rosbag2"]
    metadata = BagMetadata(
        files[0].name,
        [Topic.from_channel(c.topic, schemas[c.schema_id], c.metadata) for c in channels],
        {contents.channels[key].topic: count for key, count in contents.counts.items()},
        contents.start_time,
        contents.end_time,
        {key: value for entry in entries for key, value in entry.metadata.items()},
    )
    metadata.write(folder)
    return metadata


def repair_file(path: Path) -> Contents:
    """Append what an MCAP file lacks at its end; a complete file stays as it is."""
    with path.open("r+b") as file:
        contents = scan(file)
        if not contents.finished:
            _append(file, contents)
    return contents


def scan(file: BinaryIO) -> Contents:
    """Read all complete records of an MCAP file.

    Raises:
        ValueError: it does not begin like an MCAP file.
    """
    if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
        raise ValueError(f"{getattr(file, 'name', 'this')} is not an MCAP file")
    contents = Contents()
    size = file.seek(0, os.SEEK_END)
    file.seek(contents.end)
    while (head := file.read(9)) and len(head) == 9:
        opcode, length = head[0], int.from_bytes(head[1:], "little")
        if contents.end + 9 + length > size:
            break
        if opcode == Opcode.DATA_END:
            file.seek(size - len(MCAP0_MAGIC))
            contents.finished = file.read() == MCAP0_MAGIC and size > contents.end + 9 + length + 8
            break
        _take(contents, opcode, file.read(length))
        contents.end += 9 + length
    return contents


def _take(contents: Contents, opcode: int, body: bytes) -> None:
    stream, offset = ReadDataStream(BytesIO(body)), contents.end
    if opcode == Opcode.CHUNK:
        _take_chunk(contents, Chunk.read(stream), 9 + len(body))
    elif opcode == Opcode.METADATA:
        entry = Metadata.read(stream)
        contents.metadata.append((MetadataIndex(offset, 9 + len(body), entry.name), entry))
    elif opcode == Opcode.MESSAGE_INDEX and contents.chunks:
        contents.chunks[-1][0].message_index_offsets[MessageIndex.read(stream).channel_id] = offset
        contents.chunks[-1][0].message_index_length += 9 + len(body)


def _take_chunk(contents: Contents, chunk: Chunk, length: int) -> None:
    indices: dict[int, MessageIndex] = {}
    position = 0
    for record in breakup_chunk(chunk):
        if isinstance(record, Schema):
            contents.schemas[record.id] = record
        elif isinstance(record, Channel):
            contents.channels[record.id] = record
        elif isinstance(record, Message):
            index = indices.setdefault(record.channel_id, MessageIndex(record.channel_id, []))
            index.records.append((record.log_time, position))
            contents.counts[record.channel_id] += 1
        else:
            raise ValueError(f"a chunk holds a record of another kind: {type(record).__name__}")
        position += _record_length(record)
    contents.chunks.append(
        (
            ChunkIndex(
                chunk_length=length,
                chunk_start_offset=contents.end,
                compression=chunk.compression,
                compressed_size=len(chunk.data),
                message_end_time=chunk.message_end_time,
                message_index_length=0,
                message_index_offsets={},
                message_start_time=chunk.message_start_time,
                uncompressed_size=chunk.uncompressed_size,
            ),
            indices,
        )
    )


def _record_length(record: Schema | Channel | Message) -> int:
    builder = RecordBuilder()
    record.write(builder)
    return builder.count


def _append(file: BinaryIO, contents: Contents) -> None:
    """Write message index of the last chunk, data end, summary and footer behind the last good record."""
    end = contents.end
    builder = RecordBuilder()
    if contents.chunks:
        end = _rewrite_last_index(contents, builder)
    DataEnd(0).write(builder)
    tail = builder.end()
    summary_start = end + len(tail)
    _write_summary(contents, builder)
    summary = builder.end()
    Footer(summary_start, 0, 0).write(builder)
    data = tail + summary + builder.end() + MCAP0_MAGIC
    file.seek(end)
    try:
        file.write(data)
        file.truncate()
        file.flush()
    except OSError:
        os.ftruncate(file.fileno(), end)
        raise


def _rewrite_last_index(contents: Contents, builder: RecordBuilder) -> int:
    """Only the last chunk can lack a part of its index, if nothing follows. Returns where to write."""
    index, messages = contents.chunks[-1]
    if index.message_index_offsets.keys() == messages.keys():
        return contents.end
    start = index.chunk_start_offset + index.chunk_length
    index.message_index_offsets.clear()
    for key, message_index in messages.items():
        index.message_index_offsets[key] = start + builder.count
        message_index.write(builder)
    index.message_index_length = builder.count
    return start


def _write_summary(contents: Contents, builder: RecordBuilder) -> None:
    records = [*contents.schemas.values(), *contents.channels.values(), _statistics(contents)]
    records += [index for index, _ in contents.chunks] + [index for index, _ in contents.metadata]
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
