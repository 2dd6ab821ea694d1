"""Sends the operator's commands to the session without waiting for it."""

from rclpy.node import Node

from rfs_msgs.srv import OperatorCommand
from rfs_teleop.devices.buttons import COMMANDS

_SERVICE = "/rfs/session/command"


class SessionCaller:
    """Calls `/rfs/session/command` for a node; the session logs what it is asked and refuses."""

    def __init__(self, node: Node, source: str) -> None:
        self._node, self._source = node, source
        self._client = node.create_client(OperatorCommand, _SERVICE)

    def send(self, command: str) -> None:
        """Ask for one of `COMMANDS`."""
        if not self._client.service_is_ready():
            text = f"{command}: no session runs (nobody offers {_SERVICE})"
            self._node.get_logger().warning(text)
            return
        request = OperatorCommand.Request(command=COMMANDS.index(command) + 1, source=self._source)
        self._client.call_async(request)
