"""Only one executor may command a robot: notices an older one on the same ROS domain.

Each executor's diagnostics carry an identity. That is a sign of life, which the graph's list of publishers is
not: a killed process stays in it for many seconds.
"""

import os
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rfs_policy.nodes.run import RefusalError

IDENTITY_KEY = "identity"
_DISCOVERY = 1.0
"""Time for other processes to be discovered, s."""
_HEARTBEAT = 2.5
"""Time in which a living executor must be heard, s."""


class RivalWatch:
    """Listens for other executors' diagnostics; of two, the one that started later is refused.

    Args:
        node: this executor.
        topic: what only one executor may publish.
        status_name: name of an executor's line in the diagnostics.
    """

    def __init__(self, node: Node, topic: str, status_name: str) -> None:
        self.identity = f"{time.time_ns():020d}-{os.getpid()}"
        self._node = node
        self._topic = topic
        self._status_name = status_name
        node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)

    def publishers(self) -> int:
        """Publishers of the topic beside this executor's own; some of them may be dead."""
        return self._node.count_publishers(self._topic) - 1

    def listen(self) -> None:
        """Spin this executor until an older one would have been heard; longer where somebody else publishes.

        Raises:
            RefusalError: there is one.
        """
        executor = SingleThreadedExecutor()
        executor.add_node(self._node)
        start, patience = time.monotonic(), _DISCOVERY
        while time.monotonic() < start + patience:
            executor.spin_once(timeout_sec=0.05)
            patience = _HEARTBEAT if self.publishers() > 0 else _DISCOVERY
        executor.remove_node(self._node)

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name != self._status_name:
                continue
            if any(pair.key == IDENTITY_KEY and pair.value < self.identity for pair in status.values):
                domain = os.environ.get("ROS_DOMAIN_ID", "0")
                raise RefusalError(
                    f"another executor is running on ROS domain {domain}: two would both move the robot. "
                    "Stop the other stack, or start this one with another ROS_DOMAIN_ID."
                )
