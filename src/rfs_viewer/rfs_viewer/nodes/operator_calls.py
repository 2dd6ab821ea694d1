"""Calls that an operator's buttons make. Nothing waits: answers become notices."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rfs_teleop.session_commands import Command
from std_srvs.srv import SetBool

from rfs_msgs.srv import OperatorCommand
from rfs_viewer.view import Notice

_PATIENCE = 5.0  # s
_NO_SESSION = "no session is running: start one with `./rfs launch collect`"
_NO_EXECUTOR = "no executor offers /rfs/stop: this page cannot stop the robot, use its emergency stop"


@dataclass
class _Call:
    what: str
    client: Any
    future: Any
    until: float
    matters: bool


class OperatorCalls:
    """Turns commands into calls of `/rfs/stop` and `/rfs/session/command`; `press` is for any thread."""

    def __init__(self, node: Node) -> None:
        self._stop = node.create_client(SetBool, "/rfs/stop")
        self._session = node.create_client(OperatorCommand, "/rfs/session/command")
        self._calls: list[_Call] = []
        self._lock = threading.Lock()
        self.notice: Notice | None = None

    def press(self, command: Command) -> None:
        """Ask for it. A stop goes to the executor itself, whatever the session does; so does a release where
        no session is."""
        has_session = self._session.service_is_ready()
        if command is Command.STOP:
            self._set_stop(command, True)
        elif command is Command.RELEASE and not has_session:
            self._set_stop(command, False)
        elif not has_session:
            self._refuse(command, _NO_SESSION)
        if has_session:
            request = OperatorCommand.Request(command=int(command), source="browser")
            self._call(command, self._session, request, matters=command is not Command.STOP)

    def collect(self) -> None:
        """Take the answers that came, and give up on those that did not."""
        now = time.monotonic()
        with self._lock:
            ended = [call for call in self._calls if call.future.done() or call.until < now]
            self._calls = [call for call in self._calls if call not in ended]
        for call in ended:
            self._conclude(call)

    def _set_stop(self, command: Command, stop: bool) -> None:
        if self._stop.service_is_ready():
            self._call(command, self._stop, SetBool.Request(data=stop), matters=True)
        else:
            self._refuse(command, _NO_EXECUTOR)

    def _call(self, command: Command, client: Any, request: Any, matters: bool) -> None:
        call = _Call(
            _name(command), client, client.call_async(request), time.monotonic() + _PATIENCE, matters
        )
        with self._lock:
            self._calls.append(call)

    def _conclude(self, call: _Call) -> None:
        """Only answers that matter are shown: whether a stop stopped is the executor's to say."""
        if not call.future.done():
            call.client.remove_pending_request(call.future)
            answer, refused = f"{call.client.srv_name} did not answer within {_PATIENCE:g} s", True
        else:
            response = call.future.result()
            answer, refused = response.message, not response.success
        if call.matters:
            self.notice = Notice(f"{call.what}: {answer or ('refused' if refused else 'done')}", refused)

    def _refuse(self, command: Command, reason: str) -> None:
        self.notice = Notice(f"{_name(command)}: {reason}", refused=True)


def _name(command: Command) -> str:
    return command.name.capitalize()
