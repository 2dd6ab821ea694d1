"""Only one executor may command a robot: notices an older one on the same ROS domain.

Each executor's diagnostics carry an identity. That is a sign of life, which the graph's list of publishers is
not: a killed process stays in it for many seconds.
"""

import os
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rfs_policy.nodes.run import RefusalError

IDENTITY_KEY = "identity"


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
