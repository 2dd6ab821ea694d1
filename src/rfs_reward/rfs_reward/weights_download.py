"""Fetch one file over HTTP: resumed where it was cut off, checked against its SHA-256, then renamed.

Not with `huggingface_hub`, which `transformers` brings: 2.4 starts a file anew in each process, and compares
its size alone.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

CHUNK = 1 << 20
TIMEOUT = 30.0
"""Without a byte for so long (s) a connection counts as cut."""
Report = Callable[[int, int], None]
"""Called with bytes that are here and the file's size."""


class FetchError(OSError):
    """A file could not be fetched; the text says why and what to do."""


def fetch_file(url: str, target: Path, sha256: str, report: Report) -> str:
    """Bring `url` to `target` unless it is there already; gives the SHA-256 of what is there.

    An empty `sha256` is not compared. What came before a cut stays in `target`.part for the next time; a
    connection that breaks is taken up again as long as each attempt brings more. Another host may be named
    instead, as hubs do; from https never without encryption.

    Raises:
        FetchError: out of reach, refused, cut off, no space, or not what was published.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"{url} is no address of the web: HF_ENDPOINT begins with https:// or http://")
    if target.is_file() and (here := digest(target)) and sha256 in ("", here):
        return here
    partial = target.with_name(target.name + ".part")
    with _locked(partial) as file:
        _complete(url, file, report)
        file.flush()
        found = digest(partial)
        if sha256 and found != sha256:
            partial.unlink()
            raise FetchError(
                f"{url} is not what was published (SHA-256 {found}, not {sha256}): it was thrown away; "
                "fetch it again, or through another network"
            )
        os.fsync(file.fileno())
        partial.replace(target)
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _locked(partial: Path) -> BinaryIO:
    """The partial file, opened to append; two processes must not write it at once."""
    file = partial.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise FetchError(f"{partial} is being fetched by another process: wait for it") from error
    return file


def _complete(url: str, file: BinaryIO, report: Report) -> None:
    """Append until the file is whole."""
    while True:
        before = file.tell()
        try:
            if _append(url, file, report):
                return
            cut: Exception = ConnectionError("the connection was cut off")
        except HTTPError as error:
            if _whole(error, before):
                return
            raise FetchError(_refused(url, error)) from error
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            cut = error
        if file.tell() == before:
            raise FetchError(_out_of_reach(url, cut, before)) from cut


def _append(url: str, file: BinaryIO, report: Report) -> bool:
    """One request for what is missing; whether the file is whole after it."""
    here = file.tell()
    request = Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    with build_opener(_Redirects).open(request, timeout=TIMEOUT) as answer:
        if answer.headers.get_content_type() == "text/html":
            raise FetchError(
                f"{url} answers with a web page instead of the file: is there a login or a proxy?"
            )
        part = answer.headers.get("Content-Range", "")
        if answer.status == 206 and not part.startswith(f"bytes {here}-"):
            raise FetchError(f"{url} answers with '{part}' instead of what follows byte {here}: try a mirror")
        if here and answer.status != 206:
            here = 0
            file.truncate(0)
        size = _size(answer, here, url)
        _check_space(file, size - here, url)
        _copy(answer, file, size, report)
    return size == file.tell()


class _Redirects(HTTPRedirectHandler):
    """Follows to other hosts: what is fetched is checked."""

    def redirect_request(self, req: Request, *rest: Any) -> Request | None:
        address = str(rest[-1])
        if req.type == "https" and urlsplit(address).scheme != "https":
            raise FetchError(
                f"{req.full_url} leads to {address}, which is not encrypted: try another network"
            )
        return super().redirect_request(req, *rest)


def _whole(error: HTTPError, here: int) -> bool:
    """Whether nothing more can come because all is here: the last start ended before it was renamed."""
    return error.code == 416 and error.headers.get("Content-Range") == f"bytes */{here}"


def _size(answer: HTTPResponse, here: int, url: str) -> int:
    """The whole file's size, bytes; a server that states none could not be told from a cut."""
    length = answer.headers.get("Content-Length", "")
    if not length.isdigit():
        raise FetchError(f"{url} comes without its size, so it cannot be told whether it is whole")
    return here + int(length)


def _copy(answer: HTTPResponse, file: BinaryIO, size: int, report: Report) -> None:
    while chunk := answer.read1(CHUNK):
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise _no_space(file, error) from error
        report(file.tell(), size)


def _check_space(file: BinaryIO, missing: int, url: str) -> None:
    free = shutil.disk_usage(Path(file.name).parent).free
    if missing > free:
        place = Path(file.name).parent
        raise FetchError(f"{url} needs {missing / 1e6:.0f} MB more and {place} has {free / 1e6:.0f} MB free")


def _no_space(file: BinaryIO, error: OSError) -> FetchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchError(
            f"the disk of {file.name} is full: make room and start again, it goes on where it was"
        )
    return FetchError(f"{file.name} cannot be written: {error.strerror}")


def _refused(url: str, error: HTTPError) -> str:
    if error.code == 416:
        return f"{url} is shorter than what is here already: delete the .part file beside it and start again"
    return f"{url} is refused by the server: {error.code} {error.reason}"


def _out_of_reach(url: str, error: Exception, here: int) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    kept = f" ({here / 1e6:.0f} MB are kept, the next start goes on there)" if here else ""
    return f"{url} cannot be reached: {reason}{kept}"
