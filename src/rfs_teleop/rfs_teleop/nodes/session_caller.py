"""Sends the operator's commands to the session without waiting for it."""

from rclpy.node import Node
from rclpy.task import Future

from rfs_msgs.srv import OperatorCommand
from rfs_teleop.devices.buttons import COMMANDS

_SERVICE = "/rfs/session/command"


class SessionCaller:
    """Calls `/rfs/session/command` for a node; refusals are logged, the rest the session tells itself."""

    def __init__(self, node: Node, source: str) -> None:
        self._node, self._source = node, source
        self._client = node.create_client(OperatorCommand, _SERVICE)

    def send(self, command: str) -> None:
        """Ask for one of `COMMANDS`."""
        log = self._node.get_logger()
        if not self._client.service_is_ready():
            log.warning(f"{command}: no session runs (nobody offers {_SERVICE})")
            return
        request = OperatorCommand.Request(command=COMMANDS.index(command) + 1, source=self._source)
        self._client.call_async(request).add_done_callback(lambda future: self._answered(command, future))

    def _answered(self, command: str, future: Future) -> None:
        response = future.result()
        if response is not None and not response.success:
            self._node.get_logger().warning(f"{command} refused: {response.message}")
