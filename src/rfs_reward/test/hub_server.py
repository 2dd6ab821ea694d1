"""A local HTTP server that answers as the Hugging Face hub does, and fails on request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hub:
    """`files`: content by path below the server's root. `cuts`: bytes after which each next answer ends.

    Small files come at once and tensors from another address, as with the hub. `asked` are the requests for
    content, with the range that they asked for.
    """

    files: dict[str, bytes]
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    sizes: bool = True
    web_page: bool = False
    shift: int = 0
    """Ranges begin so many bytes too late."""
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Answer on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        path = self.path.removeprefix("/cdn")
        if path not in self.hub.files:
            self.send_error(404, "Entry not found")
        elif self.hub.web_page:
            self._web_page()
        elif path == self.path and path.endswith(".safetensors"):
            self._elsewhere(path)
        else:
            self._content(self.hub.files[path])

    def _web_page(self) -> None:
        page = b"<html>Sign in</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def _elsewhere(self, path: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"/cdn{path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _content(self, content: bytes) -> None:
        wanted = self.headers.get("Range", "")
        self.hub.asked.append((self.path, wanted))
        start = int(wanted[len("bytes=") :].removesuffix("-")) if wanted and self.hub.ranges else 0
        start += self.hub.shift if start else 0
        if start >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.hub.sizes:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + self.hub.cuts.pop(0) if self.hub.cuts else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""
