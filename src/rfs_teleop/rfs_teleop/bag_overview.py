"""What `./rfs bags info` shows: contract, and each topic's count, rate and size.

From the records, not the index, so that it works for bags that were cut off.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcap.records import Channel, Message, Schema

from rfs_teleop.bag_folders import mcap_file
from rfs_teleop.bag_reader import Bag

_COUNTS = ("received ", "written ", "lost ")
_SECOND = 1_000_000_000
_LONGEST = 100  # characters of a contract's entry


@dataclass
class TopicOverview:
    """Of one topic: times in ns since the epoch, size in bytes."""

    name: str
    type: str
    count: int = 0
    size: int = 0
    first: int = 0
    last: int = 0

    @property
    def rate(self) -> float:
        """Messages a second between the first and the last one, Hz."""
        return (self.count - 1) * _SECOND / (self.last - self.first) if self.last > self.first else 0.0

    def take(self, message: Message) -> None:
        """Count a message."""
        self.first = min(self.first, message.log_time) if self.count else message.log_time
        self.last = max(self.last, message.log_time)
        self.count += 1
        self.size += len(message.data)


@dataclass
class Overview:
    """Of one bag."""

    path: Path
    contract: dict[str, str]
    topics: dict[int, TopicOverview] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From the first to the last message."""
        used = [topic for topic in self.topics.values() if topic.count]
        return (max(t.last for t in used) - min(t.first for t in used)) / _SECOND if used else 0.0

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        count, size = (sum(getattr(t, key) for t in self.topics.values()) for key in ("count", "size"))
        yield f"{self.path}: {count} messages, {self.seconds:.2f} s, {size / 1e6:.1f} MB"
        for key, value in self.contract.items():
            if not key.startswith(_COUNTS):
                yield f"  {key + ':':<17}{value if len(value) <= _LONGEST else value[:_LONGEST] + '...'}"
        width = max((len(topic.name) for topic in self.topics.values()), default=0)
        for topic in self.topics.values():
            lost = self.contract.get(f"lost {topic.name}", "0")
            end = topic.type + (f"  LOST {lost}" if lost != "0" else "")
            figures = f"{topic.count:>7}  {topic.rate:>7.1f} Hz  {topic.size / 1e6:>8.2f} MB"
            yield f"  {topic.name:<{width}}  {figures}  {end}"


def overview(path: Path) -> Overview:
    """Read a bag.

    Raises:
        ValueError: a bag that this project does not read, or a damaged one.
    """
    bag = Bag(mcap_file(path))
    result, names = Overview(path, bag.contract), {}
    for record in bag.records():
        if isinstance(record, Schema):
            names[record.id] = record.name
        elif isinstance(record, Channel):
            topic = TopicOverview(record.topic, names.get(record.schema_id, ""))
            result.topics.setdefault(record.id, topic)
        elif isinstance(record, Message):
            result.topics[record.channel_id].take(record)
    return result
