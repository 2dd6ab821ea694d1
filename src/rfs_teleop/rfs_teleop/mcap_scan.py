"""Read all complete records of an MCAP file, whether or not it came to its end."""

import os
import struct
from functools import partial
from io import BytesIO
from typing import BinaryIO

from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, ChunkIndex, Message, MessageIndex, Metadata, MetadataIndex, Schema
from mcap.stream_reader import breakup_chunk
from zstandard import ZstdError

from rfs_teleop.mcap_contents import MAGIC, Contents

_DAMAGE = (McapError, ZstdError, struct.error)
_BLOCK = 1024 * 1024


def scan(file: BinaryIO) -> Contents:
    """What the complete records of an MCAP file hold. It ends before a damaged record that nothing but zeros
    follows: power loss leaves the size of a file without its newest content.

    Raises:
        ValueError: it does not begin like an MCAP file, or a chunk in it is damaged and others follow.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError(f"{getattr(file, 'name', 'this')} is not an MCAP file")
    contents = Contents()
    size = file.seek(0, os.SEEK_END)
    file.seek(contents.end)
    while (head := file.read(9)) and len(head) == 9:
        opcode, length = head[0], int.from_bytes(head[1:], "little")
        if opcode == 0 or contents.end + 9 + length > size:
            break
        if opcode == Opcode.DATA_END:
            file.seek(size - len(MAGIC))
            contents.finished = file.read() == MAGIC and size > contents.end + 9 + length + 8
            break
        try:
            _take(contents, opcode, file.read(length))
        except (*_DAMAGE, ValueError) as error:
            if _only_zeros(file):
                break
            raise ValueError(f"the record at byte {contents.end} is damaged ({error})") from error
        contents.end += 9 + length
    return contents


def _only_zeros(file: BinaryIO) -> bool:
    """Whether the rest of a file says nothing."""
    return not any(block.strip(b"\0") for block in iter(partial(file.read, _BLOCK), b""))


def _take(contents: Contents, opcode: int, body: bytes) -> None:
    stream, offset = ReadDataStream(BytesIO(body)), contents.end
    if opcode == Opcode.CHUNK:
        _take_chunk(contents, Chunk.read(stream), 9 + len(body))
    elif opcode == Opcode.SCHEMA:
        _enter(contents, Schema.read(stream))
    elif opcode == Opcode.CHANNEL:
        _enter(contents, Channel.read(stream))
    elif opcode == Opcode.METADATA:
        entry = Metadata.read(stream)
        contents.metadata.append((MetadataIndex(offset, 9 + len(body), entry.name), entry))
    elif opcode == Opcode.MESSAGE_INDEX and contents.chunks:
        index = MessageIndex.read(stream)
        if sorted(index.records) != sorted(contents.last.get(index.channel_id, index).records):
            raise ValueError("an index does not fit its chunk")
        contents.chunks[-1].message_index_offsets[index.channel_id] = offset
        contents.chunks[-1].message_index_length += 9 + len(body)


def _enter(contents: Contents, record: Schema | Channel) -> None:
    if isinstance(record, Schema):
        contents.schemas[record.id] = record
    else:
        contents.channels[record.id] = record


def _take_chunk(contents: Contents, chunk: Chunk, length: int) -> None:
    indices: dict[int, MessageIndex] = {}
    position = 0
    for record in breakup_chunk(chunk, validate_crc=True):
        if isinstance(record, Schema | Channel):
            _enter(contents, record)
        elif isinstance(record, Message):
            index = indices.setdefault(record.channel_id, MessageIndex(record.channel_id, []))
            index.records.append((record.log_time, position))
            contents.counts[record.channel_id] += 1
        else:
            raise ValueError(f"a chunk holds a record of another kind: {type(record).__name__}")
        position += _record_length(record)
    contents.chunks.append(_chunk_index(contents, chunk, length))
    contents.last = indices


def _record_length(record: Schema | Channel | Message) -> int:
    if isinstance(record, Message):
        return 31 + len(record.data)
    builder = RecordBuilder()
    record.write(builder)
    return builder.count


def _chunk_index(contents: Contents, chunk: Chunk, length: int) -> ChunkIndex:
    return ChunkIndex(
        chunk_length=length,
        chunk_start_offset=contents.end,
        compression=chunk.compression,
        compressed_size=len(chunk.data),
        message_end_time=chunk.message_end_time,
        message_index_length=0,
        message_index_offsets={},
        message_start_time=chunk.message_start_time,
        uncompressed_size=chunk.uncompressed_size,
    )
