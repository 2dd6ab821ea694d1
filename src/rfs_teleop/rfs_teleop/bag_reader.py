"""Read a bag, finished or cut off, in the order in which its messages were recorded. No ROS."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mcap.exceptions import EndOfFile, McapError
from mcap.records import Channel, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from zstandard import ZstdError


@dataclass(frozen=True)
class Recorded:
    """One message: log_time in ns since the epoch, `message` with its type's fields (arrays as NumPy)."""

    topic: str
    log_time: int
    message: Any


class Bag:
    """A bag folder, or one MCAP file.

    Raises:
        FileNotFoundError: there is no bag at this path.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        files = [self.path] if self.path.suffix == ".mcap" else sorted(self.path.glob("*.mcap"))
        if not files or not files[0].is_file():
            raise FileNotFoundError(f"no bag at {self.path}: give a folder with an .mcap file in it")
        self.file = files[0]

    def records(self) -> Iterator[McapRecord]:
        """All complete records; a file that was cut off simply ends early.

        Raises:
            ValueError: a record is damaged.
        """
        with self.file.open("rb") as stream:
            try:
                yield from StreamReader(stream).records
            except (EndOfFile, struct.error):  # the latter when cut off inside a length
                return
            except (McapError, ZstdError) as error:
                raise ValueError(f"it is damaged ({error})") from error

    @cached_property
    def contract(self) -> dict[str, str]:
        """What the recorder wrote about the episode: object, seed, rate, layout, checkpoint, outcome, ..."""
        entries: dict[str, str] = {}
        for record in self.records():
            if isinstance(record, Metadata) and record.name.startswith("rfs_"):
                entries.update(record.metadata)
        return entries

    def raw_messages(self) -> Iterator[tuple[str, Message]]:
        """Topic and record of all messages, as they came from the wire."""
        topics: dict[int, str] = {}
        for record in self.records():
            if isinstance(record, Channel):
                topics[record.id] = record.topic
            elif isinstance(record, Message):
                yield topics[record.channel_id], record

    def messages(self, topics: Iterable[str] | None = None) -> Iterator[Recorded]:
        """Decoded messages of some topics (all by default)."""
        wanted = None if topics is None else frozenset(topics)
        store = get_typestore(Stores.EMPTY)
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        for record in self.records():
            if isinstance(record, Schema):
                schemas[record.id] = record
                types = get_types_from_msg(record.data.decode(), record.name)
                store.register({name: types[name] for name in types.keys() - store.types.keys()})
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                channel = channels[record.channel_id]
                if wanted is None or channel.topic in wanted:
                    name = schemas[channel.schema_id].name
                    yield Recorded(channel.topic, record.log_time, store.deserialize_cdr(record.data, name))
