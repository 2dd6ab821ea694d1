"""Publish a bag's messages again, byte for byte, in the rhythm in which they arrived."""

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import rclpy
from mcap.exceptions import McapError
from mcap.reader import McapReader, make_reader
from mcap.records import Channel, Schema
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from zstandard import ZstdError

from rfs_teleop.bag_folders import mcap_file
from rfs_teleop.bag_metadata import Topic

_DEPTH = 100
_LISTENERS = 2.0  # s to wait for somebody who listens
_SETTLING = 1.0  # s without another one after which all are taken to be there
_ACKNOWLEDGED = Duration(seconds=2)


def play(bag: Path, rate: float, topics: Sequence[str]) -> int:
    """Publish a bag `rate` times as fast as it was recorded; all topics if none is named. How many messages.

    Raises:
        ValueError: no such topic, a type that is not installed, or a bag that cannot be read.
    """
    with mcap_file(bag).open("rb") as stream:
        try:
            return _play(make_reader(stream), rate, topics)
        except (McapError, ZstdError) as error:
            raise ValueError(f"it cannot be read ({error}): './rfs bags recover' may help") from error


def _play(reader: McapReader, rate: float, topics: Sequence[str]) -> int:
    summary = reader.get_summary()
    if summary is None or not summary.channels:
        raise ValueError("it has no index: repair it with './rfs bags recover'")
    wanted = _wanted(summary.channels, summary.schemas, topics)
    rclpy.init()
    node = Node("bag_player")
    try:
        publishers = {topic.name: _publisher(node, topic) for topic in wanted}
        _await_listeners(list(publishers.values()))
        count = _send(reader.iter_messages(topics=list(publishers)), publishers, rate)
        for publisher in publishers.values():
            publisher.wait_for_all_acked(_ACKNOWLEDGED)
        return count
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _wanted(channels: dict[int, Channel], schemas: dict[int, Schema], names: Sequence[str]) -> list[Topic]:
    known = {
        channel.topic: Topic.from_channel(channel.topic, schemas[channel.schema_id].name, channel.metadata)
        for channel in channels.values()
    }
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"there is no topic {unknown[0]} in it; it has {', '.join(sorted(known))}")
    return [topic for name, topic in known.items() if not names or name in names]


def _publisher(node: Node, topic: Topic) -> Publisher:
    try:
        package, _, name = topic.type.split("/")
        message_class = getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{topic.name} is of type {topic.type}, which is not installed here") from error
    qos = QoSProfile(
        depth=_DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if topic.reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else DurabilityPolicy.VOLATILE,
    )
    return node.create_publisher(message_class, topic.name, qos)


def _await_listeners(publishers: list[Publisher]) -> None:
    """Nobody should miss the first messages; that nobody listens is no error."""
    end, known = time.monotonic() + _LISTENERS, 0
    while time.monotonic() < end:
        listeners = sum(publisher.get_subscription_count() for publisher in publishers)
        if listeners > known:
            end, known = time.monotonic() + _SETTLING, listeners
        time.sleep(0.02)


def _send(messages: Iterator[Any], publishers: dict[str, Publisher], rate: float) -> int:
    begin, first, count = time.monotonic(), None, 0
    for _, channel, message in messages:
        first = message.log_time if first is None else first
        delay = begin + (message.log_time - first) * 1e-9 / rate - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        publishers[channel.topic].publish(message.data)
        count += 1
    return count
