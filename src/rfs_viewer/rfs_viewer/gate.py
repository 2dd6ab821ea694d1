"""Who may see the robot and press buttons: a token, or on loopback the browser's own page of this machine."""

import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

SHORTEST = 12
"""Characters that a token must have."""
_DELAY = 1.0  # s after the first wrong try; doubled by each further one
_LONGEST_DELAY = 60.0
_MOST_SOURCES = 1000


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def chosen_token(address: str, token: str) -> tuple[str, bool]:
    """The token to ask for ("" for none: only on loopback), and whether it was made up here.

    Raises:
        ValueError: the given one is too short to be a secret.
    """
    given, token = token, token.strip()  # as what is entered is
    if given and len(token) < SHORTEST:
        raise ValueError(
            f"parameter token must have at least {SHORTEST} characters, so that nobody guesses it"
        )
    if token or is_loopback(address):
        return token, False
    return secrets.token_urlsafe(16), True


def is_own_page(origin: str) -> bool:
    """Whether a browser's `Origin` is a page of this machine, by a name that no foreign server can take.

    Without this, any web site that the operator visits could connect to loopback and press buttons.
    """
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)


class Gate:
    """Compares tokens; each wrong try makes its source wait longer for the next.

    Args:
        token: what must be entered.
        clock: monotonic time in s.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token.encode()
        self._clock = clock
        self._blocked: dict[str, tuple[float, float]] = {}  # source: until when, and the next delay

    def problem(self, source: str, entered: str) -> str:
        """Why the token that `source` (an address) entered does not open; empty when it does."""
        now = self._clock()
        until, delay = self._blocked.get(source, (0.0, _DELAY))
        if now < until:
            return f"Too many wrong tokens. Wait {until - now:.0f} s, then try again."
        if hmac.compare_digest(entered.strip().encode(), self._token):
            self._blocked.pop(source, None)
            return ""
        if len(self._blocked) >= _MOST_SOURCES:
            self._blocked.pop(next(iter(self._blocked)))
        self._blocked[source] = (now + delay, min(2 * delay, _LONGEST_DELAY))
        return "That is not the token. The viewer node printed it when it started, or got it as a parameter."
