"""What a connection gets to know, at the level of viser's websocket: no browser, no ROS."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import pytest
import viser
import zstandard
from rfs_control.executor import State
from rfs_control.residual_bounds import ResidualBounds
from rfs_teleop.session_commands import Command
from rfs_viewer.view import Tick, View
from rfs_viewer.web_server import WebServer
from viser import _messages
from websockets.sync.client import ClientConnection, connect

TOKEN = "a long enough secret"
PATIENCE = 20.0


class Pressed:
    """An operator who only notes what was pressed."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def press(self, command: Command) -> None:
        self.commands.append(command)

    def prompt(self, pixel: tuple[float, float]) -> None:
        raise AssertionError


class Browser:
    """A raw connection that does what viser's page does first, and keeps all that it is told."""

    def __init__(self, server: WebServer, origin: str) -> None:
        protocol = [f"viser-v{viser.__version__}"]
        url = f"ws://127.0.0.1:{server.port}"
        self._connection: ClientConnection = connect(url, subprotocols=protocol, origin=origin, max_size=None)
        self.told: list[dict[str, Any]] = []
        self.send(
            _messages.ViewerCameraMessage(
                wxyz=(1.0, 0.0, 0.0, 0.0),
                position=(1.0, 1.0, 1.0),
                fov=1.0,
                near=0.01,
                far=100.0,
                image_height=100,
                image_width=100,
                look_at=(0.0, 0.0, 0.0),
                up_direction=(0.0, 0.0, 1.0),
            )
        )

    def send(self, message: _messages.Message) -> None:
        self._connection.send(msgspec.msgpack.encode(message.as_serializable_dict([])))

    def read_until(self, text: str) -> list[dict[str, Any]]:
        """All messages so far, once one has the text in it."""
        end = time.monotonic() + PATIENCE
        while not any(text in repr(message) for message in self.told):
            frame = self._connection.recv(timeout=end - time.monotonic())
            size = int.from_bytes(frame[8:16], "little")
            inner = zstandard.ZstdDecompressor().decompress(frame[16 : 16 + size])
            self.told.extend(msgspec.msgpack.decode(inner)["messages"])
        return self.told

    def identifier(self, label: str) -> str:
        """Of the input with this label."""
        return next(m["uuid"] for m in self.told if m.get("props", {}).get("label") == label)

    def set(self, label: str, value: object) -> None:
        self.send(_messages.GuiUpdateMessage(self.identifier(label), {"value": value}))

    def close(self) -> None:
        self._connection.close()


def moving_robot() -> View:
    tick = Tick(State.AUTONOMOUS, "", time.monotonic(), position=np.ones(3))
    return View(joints=np.zeros(23), points=np.ones((10, 3), np.float32), tick=tick)


@contextmanager
def served(token: str) -> Iterator[tuple[WebServer, Pressed]]:
    pressed = Pressed()
    server = WebServer("127.0.0.1", 0, token, ResidualBounds.load(), pressed)
    yield server, pressed
    server.stop()


@contextmanager
def browser(server: WebServer, origin: str = "http://127.0.0.1") -> Iterator[Browser]:
    opened = Browser(server, origin)
    yield opened
    opened.close()


def secrets_in(told: list[dict[str, Any]]) -> list[str]:
    """What was told of the robot and its buttons."""
    text = repr(told)
    return [word for word in ("/robot", "/cloud", "/target", "STOP", "Start", "AUTONOMOUS") if word in text]


def test_a_page_of_this_machine_sees_the_robot_and_its_buttons_work() -> None:
    with served("") as (server, pressed), browser(server) as own:
        own.read_until("STOP")
        wait(lambda: server.watched)
        server.update(moving_robot(), time.monotonic())
        own.read_until("/cloud")
        assert "/robot/fr3_link3" in repr(own.told)
        own.set("STOP", True)
        wait(lambda: pressed.commands)
        assert pressed.commands == [Command.STOP]
        own.close()
        wait(lambda: not server.watched)


def test_a_foreign_site_in_the_operators_browser_sees_nothing() -> None:
    with served("") as (server, _), browser(server, "http://evil.example") as foreign:
        told = foreign.read_until("foreign name")
        server.update(moving_robot(), time.monotonic())
        assert not server.watched
        assert secrets_in(told) == []


def test_without_the_token_there_is_nothing_to_see_and_nothing_to_press() -> None:
    with served(TOKEN) as (server, pressed), browser(server) as stranger, browser(server) as operator:
        stranger.read_until("Open")
        operator.read_until("Open")
        operator.set("Token", TOKEN)
        operator.set("Open", True)
        operator.read_until("STOP")
        wait(lambda: server.watched)
        server.update(moving_robot(), time.monotonic())
        operator.read_until("/cloud")
        # The identifiers of the operator's buttons do not help somebody else.
        stranger.send(_messages.GuiUpdateMessage(operator.identifier("STOP"), {"value": True}))
        stranger.send(_messages.ShareUrlRequest())
        field = stranger.identifier("Token")
        stranger.send(_messages.FileTransferStartUpload(field, "t", "", "", 2, 2))
        stranger.send(_messages.FileTransferPart(field, "t", 0, b"0"))
        stranger.set("Token", "guess")
        stranger.set("Open", True)
        told = stranger.read_until("not the token")
        assert secrets_in(told) == []
        assert "ShareUrl" not in repr(told)
        assert "FileTransfer" not in repr(told)
        assert pressed.commands == []


def test_a_port_in_use_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: .*another address or port"):
            WebServer("127.0.0.1", port, "", ResidualBounds.load(), Pressed())


def wait(done: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.01)
