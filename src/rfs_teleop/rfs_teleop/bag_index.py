"""Read some topics of a finished bag through its index: chunks without them are not even decompressed."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import McapReader, make_reader
from mcap.summary import Summary
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore
from zstandard import ZstdError

from rfs_teleop.bag_reader import Bag


@dataclass(frozen=True)
class RawMessage:
    """A message as it came from the wire (CDR); log_time in ns since the epoch, type: `package/msg/Name`."""

    topic: str
    log_time: int
    type: str
    data: bytes

    @property
    def stamp(self) -> int:
        """Stamp (ns) of the header that the message begins with."""
        seconds, nanoseconds = struct.unpack_from("<iI" if self.data[1] & 1 else ">iI", self.data, 4)
        return seconds * 1_000_000_000 + nanoseconds


class IndexedBag:
    """A finished bag, read in pieces; to be closed, or used as a context.

    Raises:
        FileNotFoundError: there is no bag at this path.
        ValueError: the bag has no end, or is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.file = Bag(path).file
        self._stream = self.file.open("rb")
        try:
            with _damage_told():
                self._reader: McapReader = make_reader(self._stream, validate_crcs=True)
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
    def name(self) -> str:
        """The episode's id: name of the bag's folder."""
        return self.file.parent.name

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of messages by topic."""
        statistics = self._summary.statistics
        assert statistics is not None
        counted = statistics.channel_message_counts
        return {channel.topic: counted.get(key, 0) for key, channel in self._summary.channels.items()}

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
        with _damage_told():
            for schema, channel, message in self._reader.iter_messages(list(topics), log_time_order=False):
                assert schema is not None
                yield RawMessage(channel.topic, message.log_time, schema.name, message.data)

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
    except (McapError, ZstdError, struct.error, IndexError, KeyError, AssertionError, ValueError) as error:
        cause = str(error) or type(error).__name__
        raise ValueError(f"damaged or not finished ({cause}); try `./rfs bags recover`") from error
