"""One chunk of an MCAP file, assembled without copying its big messages."""

import struct
import zlib
from collections import Counter

import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import ChunkIndex, MessageIndex

from rfs_teleop.mcap_contents import Contents

_MESSAGE = struct.Struct("<BQHIQQ")  # opcode, length, channel, sequence, log time, publish time
_CHUNK = struct.Struct("<BQQQQII")  # opcode, length, first and last time, size, CRC, next string's length
_BIG = 256 * 1024  # bytes; compressing clouds and images at camera rate would take most of a core


class ChunkBuilder:
    """Collects messages. `size` is what they take uncompressed, in bytes."""

    def __init__(self) -> None:
        self.size = 0
        self.counts: Counter[int] = Counter()
        self._parts: list[bytes] = []
        self._indices: dict[int, MessageIndex] = {}
        self._times: list[int] = []
        self._has_big = False
        self._compressor = zstandard.ZstdCompressor(level=1)  # no two threads may use one at once

    def add(self, channel: int, sequence: int, log_time: int, publish_time: int, data: bytes) -> None:
        """Add a message; times in ns since the epoch."""
        length = _MESSAGE.size - 9 + len(data)
        head = _MESSAGE.pack(Opcode.MESSAGE, length, channel, sequence, log_time, publish_time)
        index = self._indices.setdefault(channel, MessageIndex(channel, []))
        index.records.append((log_time, self.size))
        self._times.append(log_time)
        self.counts[channel] += 1
        self._has_big |= len(data) >= _BIG
        self._add(head)
        self._add(data)

    def _add(self, part: bytes) -> None:
        self._parts.append(part)
        self.size += len(part)

    def seal(self, contents: Contents) -> list[bytes]:
        """The bytes to be appended at `contents.end`; the chunk is entered there."""
        crc = 0
        for part in self._parts:
            crc = zlib.crc32(part, crc)
        name, parts = (b"", self._parts)
        if not self._has_big:
            name, parts = (b"zstd", [self._compressor.compress(b"".join(self._parts))])
        stored = sum(map(len, parts))
        head = self._head(name, stored, crc)
        indexes, offsets = self._message_indexes(contents.end + len(head) + stored)
        contents.chunks.append(self._index(contents.end, len(head), name, stored, offsets))
        contents.chunks[-1].message_index_length = len(indexes)
        contents.counts.update(self.counts)
        contents.end += len(head) + stored + len(indexes)
        return [head, *parts, indexes]

    def _head(self, compression: bytes, stored: int, crc: int) -> bytes:
        first, last = min(self._times, default=0), max(self._times, default=0)
        length = _CHUNK.size - 9 + len(compression) + 8 + stored
        head = _CHUNK.pack(Opcode.CHUNK, length, first, last, self.size, crc, len(compression))
        return head + compression + struct.pack("<Q", stored)

    def _message_indexes(self, start: int) -> tuple[bytes, dict[int, int]]:
        builder, offsets = RecordBuilder(), {}
        for channel, index in self._indices.items():
            offsets[channel] = start + builder.count
            index.write(builder)
        return builder.end(), offsets

    def _index(
        self, start: int, head: int, compression: bytes, stored: int, offsets: dict[int, int]
    ) -> ChunkIndex:
        return ChunkIndex(
            chunk_length=head + stored,
            chunk_start_offset=start,
            compression=compression.decode(),
            compressed_size=stored,
            message_end_time=max(self._times, default=0),
            message_index_length=0,
            message_index_offsets=offsets,
            message_start_time=min(self._times, default=0),
            uncompressed_size=self.size,
        )
