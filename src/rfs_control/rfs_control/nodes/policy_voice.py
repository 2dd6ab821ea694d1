"""What the policy says of itself on `/diagnostics`, to name the cause when its actions stay away."""

import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node

_STATUS_NAME = "rfs policy"
_FORGOTTEN = 2.5
"""Time after which the last word of a policy that says nothing more does not count, s."""


class PolicyVoice:
    """Keeps the newest status of the policy node."""

    def __init__(self, node: Node) -> None:
        self._problem = ""
        self._heard = -float("inf")
        node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)

    def problem(self, now: float) -> str:
        """Why the policy does not act, in its own words; empty while it acts, waits or is silent."""
        return self._problem if now - self._heard < _FORGOTTEN else ""

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == _STATUS_NAME:
                self._heard = time.monotonic()
                self._problem = "" if status.level == DiagnosticStatus.OK else status.message
