"""The web server: hands out pages to those who may see the robot, and keeps them up to date."""

import contextlib
import io
import socket
import threading

import viser
from rfs_control.residual_bounds import ResidualBounds
from viser import _messages

from rfs_viewer.gate import Gate, is_own_page
from rfs_viewer.operator import Operator
from rfs_viewer.page import Page
from rfs_viewer.robot_model import RobotModel
from rfs_viewer.view import View

# What any browser could send to all others, or by which it could open a public tunnel to this server.
_FOREIGN_MESSAGES = (_messages.ShareUrlRequest, _messages.ShareUrlDisconnect, _messages.GuiFormDirtyMessage)


class WebServer:
    """Serves at address and port (0: any free one).

    Nothing of the robot is ever put on viser's shared scene or panel: every browser gets its own page, and
    only once it passed the gate, so a connection without the token has nothing to read and nothing to press.

    Args:
        token: what a browser must enter; "" asks for none, and lets in pages of this machine only.

    Raises:
        OSError: the address and port cannot be used; the text says what to do.
    """

    def __init__(
        self, address: str, port: int, token: str, bounds: ResidualBounds, operator: Operator
    ) -> None:
        _check_free(address, port)
        self._robot, self._bounds, self._operator = RobotModel(), bounds, operator
        self._gate = Gate(token) if token else None
        self._pages: dict[int, Page] = {}
        self._lock = threading.Lock()
        with contextlib.redirect_stdout(io.StringIO()):  # viser prints a box
            self._server = viser.ViserServer(host=address, port=port, verbose=False)
        self.port = self._server.get_port()
        if port not in (0, self.port):
            self.stop()
            raise OSError(_taken(address, port, "address already in use"))
        for kind in _FOREIGN_MESSAGES:
            self._server._websock_server.unregister_handler(kind)
        self._server.gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False)
        self._server.on_client_disconnect(self._forget)
        self._server.on_client_connect(self._welcome)

    def stop(self) -> None:
        """Close all pages."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._server.stop()

    @property
    def watched(self) -> bool:
        """Whether anybody sees a page."""
        return bool(self._pages)

    def update(self, view: View, now: float) -> None:
        """Show the view at monotonic time `now` (s) on all pages."""
        with self._lock:
            pages = list(self._pages.values())
        if pages:
            poses = (None, None) if view.joints is None else self._robot.poses(view.joints)
            for page in pages:
                page.update(view, now, *poses)

    # ---- browsers ----
    def _welcome(self, client: viser.ClientHandle) -> None:
        connection = self._server._websock_server._live_connections.get(client.client_id)
        if connection is None or connection.request is None:  # gone already
            return
        # The token's field counts as a place to upload to: anybody could fill the memory.
        client._websock_connection.unregister_handler(_messages.FileTransferStartUpload)
        if self._gate is not None:
            self._ask(client, self._gate, str(connection.remote_address[0]))
        elif is_own_page(connection.request.headers.get("Origin", "")):
            self._open(client)
        else:
            client.gui.add_markdown(
                "This page was opened under a foreign name. "
                f"Open **http://127.0.0.1:{self.port}**, or give the viewer a token."
            )

    def _ask(self, client: viser.ClientHandle, gate: Gate, source: str) -> None:
        gui = client.gui
        gui.set_panel_label("RFS operator")
        hidden = gui.add_html("<style>input{-webkit-text-security:disc}</style>")
        entry = gui.add_text("Token", "")
        button = gui.add_button("Open")
        answer = gui.add_markdown("The viewer node printed its token when it started.")

        @button.on_click
        def _(_: object) -> None:
            problem = gate.problem(source, entry.value)
            if problem:
                answer.content = problem
                return
            for handle in (hidden, entry, button, answer):
                handle.remove()
            self._open(client)

    def _open(self, client: viser.ClientHandle) -> None:
        page = Page(client, self._robot, self._bounds, self._operator)
        with self._lock:
            if client.client_id in self._server.get_clients():
                self._pages[client.client_id] = page

    def _forget(self, client: viser.ClientHandle) -> None:
        with self._lock:
            self._pages.pop(client.client_id, None)


def _check_free(address: str, port: int) -> None:
    """viser would quietly take another port."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise OSError(_taken(address, port, error.strerror or str(error))) from error


def _taken(address: str, port: int, reason: str) -> str:
    return (
        f"cannot serve the page at {address}:{port}: {reason}. Stop the viewer that runs there, or give "
        "another address or port"
    )
