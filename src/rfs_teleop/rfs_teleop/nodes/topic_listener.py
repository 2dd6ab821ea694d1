"""Subscriptions that hand over raw messages when they are polled, many at a time.

An executor takes one message of each topic a turn and builds its wait set anew for it; at a thousand messages
a second that costs much of a processor core, and a service may be answered before messages that came earlier.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from rfs_teleop.bag_metadata import Topic

_DEPTH = 200  # messages that wait for the next poll
_BIG_DEPTH = 30  # the same for clouds and images: 1 s
_EVENTS_EVERY = 25  # polls


class Received(NamedTuple):
    """A serialized message; times in ns since the epoch. number: -1 where the middleware gives none."""

    log_time: int
    topic: str
    data: bytes
    publish_time: int
    publisher: bytes
    number: int


class _Polled(CallbackGroup):
    """Never executed by an executor."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        return


class _Occasional(CallbackGroup):
    """Executed only when it is `open`: events are rare, and waiting for all of them is not cheap."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False

    def can_execute(self, entity: Any) -> bool:
        return self.open

    def beginning_execution(self, entity: Any) -> bool:
        return True

    def ending_execution(self, entity: Any) -> None:
        return


class TopicListener:
    """Subscribes a node to topics. `reliable_all`: also what is best effort by its nature, as in lockstep.

    `lose(topic, count)` is called, by the node's executor and within some polls, when the middleware reports
    lost messages.
    """

    def __init__(
        self, node: Node, topics: Sequence[Topic], reliable_all: bool, lose: Callable[[str, int], None]
    ) -> None:
        self._node = node
        self._group, self._events = _Polled(), _Occasional()
        self._polls = 0
        self._ahead: list[Received] = []
        self._subscriptions = {topic.name: self._subscribe(topic, reliable_all) for topic in topics}
        for name, subscription in self._subscriptions.items():
            self._watch_losses(name, subscription, lose)

    def _subscribe(self, topic: Topic, reliable_all: bool) -> Subscription:
        package, _, name = topic.type.split("/")
        message_class = getattr(import_module(f"{package}.msg"), name)
        reliable = topic.reliable or reliable_all
        qos = QoSProfile(
            depth=_DEPTH if topic.reliable else _BIG_DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else DurabilityPolicy.VOLATILE,
        )
        return self._node.create_subscription(
            message_class,
            topic.name,
            lambda message: None,
            qos,
            raw=True,
            callback_group=self._group,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )

    def _watch_losses(self, name: str, subscription: Subscription, lose: Callable[[str, int], None]) -> None:
        def report(event: Any) -> None:
            lose(name, event.total_count_change)

        callbacks = SubscriptionEventCallbacks(message_lost=report)
        for handler in callbacks.create_event_handlers(self._events, subscription.handle, name):
            subscription.event_handlers.append(handler)
            self._node.add_waitable(handler)

    def poll(self) -> list[Received]:
        """What came since the last poll, in the order of its arrival, over all polls.

        Topics are read in turns. What came to the later ones only after the poll began may be newer than what
        the next poll finds on the first, and waits for it.
        """
        self._polls += 1
        self._events.open = self._polls % _EVENTS_EVERY == 0
        received, began, self._ahead = self._ahead, time.time_ns(), []
        for name in self._subscriptions:
            for message in self._take(name):
                (received if message.log_time <= began else self._ahead).append(message)
        received.sort(key=lambda message: message.log_time)
        return received

    def _take(self, name: str) -> Iterable[Received]:
        subscription = self._subscriptions[name]
        with subscription.handle:
            while (taken := subscription.handle.take_message(subscription.msg_type, True)) is not None:
                data, info = taken
                gid = info.get("publisher_gid")  # Jazzy does not tell
                number = info["publication_sequence_number"] if gid else None
                yield Received(
                    info["received_timestamp"] or time.time_ns(),
                    name,
                    data,
                    info["source_timestamp"],
                    gid["data"] if gid else b"",
                    -1 if number is None else number,
                )

    def unmatched(self) -> list[str]:
        """Topics with a publisher whose messages do not reach this node, yet or ever."""
        return [
            name
            for name, subscription in self._subscriptions.items()
            if subscription.get_publisher_count() < self._node.count_publishers(name)
        ]
