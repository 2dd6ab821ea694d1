"""Calls of other nodes' services with a time limit and an error that names the node."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.executors import Executor
from rclpy.node import Node

from rfs_teleop.episode_conduct import ServiceError


class Services:
    """Service clients of a node, called from outside the executor that they spin."""

    def __init__(self, node: Node, executor: Executor) -> None:
        self._node, self._executor = node, executor
        self._clients: dict[str, Any] = {}
        self._owners: dict[str, str] = {}

    def add(self, service_type: type, name: str, owner: str) -> None:
        """Declare a service that the node called `owner` offers."""
        self._clients[name] = self._node.create_client(service_type, name)
        self._owners[name] = owner

    def wait_for_all(self, timeout: float) -> None:
        """Wait until every service is there.

        Raises:
            ServiceError: naming the nodes that are missing.
        """
        end = time.monotonic() + timeout
        missing = self._missing()
        while missing and time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.1)  # wakes up on graph changes
            missing = self._missing()
        if missing:
            names = ", ".join(f"{self._owners[name]} ({name})" for name in missing)
            raise ServiceError(
                f"after {timeout:g} s these nodes do not offer their service: {names}. "
                "Start the whole stack on one ROS_DOMAIN_ID, and look for their errors above."
            )

    def _missing(self) -> list[str]:
        return [name for name, client in self._clients.items() if not client.service_is_ready()]

    def call(self, name: str, request: Any, timeout: float = 5.0, attempts: int = 1) -> Any:
        """The response, which says success.

        A node that has just been discovered may answer before it knows of its asker, and the answer is lost:
        requests that may be repeated should have a few attempts within the timeout.

        Raises:
            ServiceError: no answer within `timeout` s, or one without success.
        """
        client = self._clients[name]
        for _ in range(attempts):
            future = client.call_async(request)
            self._executor.spin_until_future_complete(future, timeout / attempts)
            if future.done():
                return self._successful(name, future.result())
            client.remove_pending_request(future)
        raise ServiceError(
            f"the {self._owners[name]} node does not answer {name} within {timeout:g} s: "
            "look for its error above, and start the stack again"
        )

    def send(self, name: str, request: Any) -> None:
        """Ask without waiting for the answer."""
        self._clients[name].call_async(request)

    def _successful(self, name: str, response: Any) -> Any:
        if not response.success:
            raise ServiceError(f"the {self._owners[name]} node refuses {name}: {response.message}")
        return response

    def retry(self, name: str, request: Any, timeout: float, between: Callable[[], None]) -> Any:
        """Like `call`, again and again with `between()` in between until it says success."""
        end = time.monotonic() + timeout
        while True:
            try:
                return self.call(name, request, timeout, attempts=3)
            except ServiceError:
                if time.monotonic() > end:
                    raise
            between()
