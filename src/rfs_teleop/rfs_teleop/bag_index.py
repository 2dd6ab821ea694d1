"""Read some topics of a finished bag through its index: chunks without them are not even decompressed."""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import McapReader, make_reader
from mcap.records import Channel, Chunk
from mcap.stream_reader import get_chunk_data_stream
from mcap.summary import Summary
from mcap.writer import MCAP0_MAGIC
from rosbags.serde.errors import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import TypesysError
from rosbags.typesys.store import Typestore
from zstandard import ZstdError

from rfs_teleop.bag_folders import mcap_file

_RECORD = struct.Struct("<BQ")  # kind and length
_FOOTER = struct.Struct("<BQQQI")  # kind, length, where the summary and its offsets begin, its CRC
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_PARSE_ERRORS = (McapError, ZstdError, SerdeError, TypesysError, struct.error)


@dataclass(frozen=True)
class RawMessage:
    """A message as it came from the wire (CDR); log_time in ns since the epoch, type: `package/msg/Name`."""

    topic: str
    log_time: int
    type: str
    data: bytes

    @property
    def stamp(self) -> int:
        """Stamp (ns) of the header that the message begins with; ValueError when the bytes do not."""
        with _damage_told():
            seconds, nanoseconds = struct.unpack_from("<iI" if self.data[1] & 1 else ">iI", self.data, 4)
        return seconds * 1_000_000_000 + nanoseconds


class IndexedBag:
    """A finished bag, read in pieces; to be closed, or used as a context.

    Raises:
        ValueError: there is no bag of this kind, it has no end, or is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        self.file = mcap_file(path)
        self.name = path.stem if path.is_file() else path.resolve().name
        """The episode's id: name of the bag's folder, or of the file when only that was given."""
        self._stream = self.file.open("rb")
        try:
            with _damage_told():
                self._reader: McapReader = make_reader(self._stream)
                self._summary = self._complete_summary()
                schemas = self._summary.schemas.values()
                self._store = _typestore(frozenset((s.name, s.data.decode()) for s in schemas))
                entries = [m for m in self._reader.iter_metadata() if m.name.startswith("rfs_")]
        except ValueError:
            self.close()
            raise
        self.contract: dict[str, str] = {k: v for entry in entries for k, v in entry.metadata.items()}
        """What the recorder wrote about the episode."""

    def _complete_summary(self) -> Summary:
        size = self._stream.seek(0, os.SEEK_END)
        place = max(0, size - _FOOTER.size - len(MCAP0_MAGIC))
        self._stream.seek(place)
        footer = self._stream.read(_FOOTER.size)
        if self._stream.read() != MCAP0_MAGIC:
            raise ValueError("it has no end")
        _, _, start, _, checksum = _FOOTER.unpack(footer)
        if start > place:
            raise ValueError("its end points beyond itself")
        self._stream.seek(start)
        if checksum and checksum != zlib.crc32(self._stream.read(place + _FOOTER.size - 4 - start)):
            raise ValueError("its index is damaged")
        self._stream.seek(0)
        summary = self._reader.get_summary()
        if summary is None or summary.statistics is None:
            raise ValueError("it has no index")
        return summary

    def __enter__(self) -> "IndexedBag":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    @property
    def began(self) -> int:
        """Log time of the first message, ns; 0 without messages."""
        return self._summary.statistics.message_start_time if self._summary.statistics else 0

    @property
    def types(self) -> dict[str, str]:
        """Message type by topic."""
        schemas = self._summary.schemas
        return {c.topic: schemas[c.schema_id].name for c in self._summary.channels.values()}

    def raw(self, topics: Iterable[str]) -> Iterator[RawMessage]:
        """Messages of some topics, in the order in which they were recorded.

        Raises:
            ValueError: a chunk is damaged.
        """
        names = frozenset(topics)
        wanted = {key: c for key, c in self._summary.channels.items() if c.topic in names}
        with _damage_told():
            for index in sorted(self._summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset):
                # A chunk without an index of its own may hold anything.
                if not index.message_index_offsets or wanted.keys() & index.message_index_offsets.keys():
                    yield from self._messages(index.chunk_start_offset, wanted)

    def _messages(self, offset: int, wanted: Mapping[int, Channel]) -> Iterator[RawMessage]:
        """Messages of the chunk at `offset`; mcap's own loop makes an object of every picture as well."""
        self._stream.seek(offset + _RECORD.size)
        chunk = Chunk.read(ReadDataStream(self._stream))
        stream, length = get_chunk_data_stream(chunk, validate_crc=True)
        data, position = stream.read(length), 0
        while position < length:
            kind, size = _RECORD.unpack_from(data, position)
            start, position = position + _RECORD.size, position + _RECORD.size + size
            if kind == Opcode.MESSAGE:
                key, _, log_time, _ = _MESSAGE.unpack_from(data, start)
                if key in wanted:
                    schema = self._summary.schemas[wanted[key].schema_id]
                    body = data[start + _MESSAGE.size : position]
                    yield RawMessage(wanted[key].topic, log_time, schema.name, body)

    def decode(self, raw: RawMessage) -> Any:
        """The message with its type's fields, arrays as NumPy.

        Raises:
            ValueError: the bytes do not make up such a message.
        """
        with _damage_told():
            return self._store.deserialize_cdr(raw.data, raw.type)


@cache
def _typestore(definitions: frozenset[tuple[str, str]]) -> Typestore:
    """Types by (name, definition). To learn them takes longer than to read a bag; most bags share them."""
    store = get_typestore(Stores.EMPTY)
    for name, definition in sorted(definitions):
        types = get_types_from_msg(definition, name)
        store.register({key: types[key] for key in types.keys() - store.types.keys()})
    return store


@contextmanager
def _damage_told() -> Iterator[None]:
    """Whatever goes wrong in reading is one kind of error with one way out."""
    try:
        yield
    except (*_PARSE_ERRORS, LookupError, ValueError, OverflowError, MemoryError) as error:
        cause = str(error) or type(error).__name__
        raise ValueError(f"damaged or not finished ({cause}); try `./rfs bags recover`") from error
