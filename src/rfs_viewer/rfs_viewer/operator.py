"""Who takes what is pressed on the page."""

from typing import Protocol

from rfs_teleop.session_commands import Command


class Operator(Protocol):
    """Takes what was pressed in a browser. Called from any thread; returns at once."""

    def press(self, command: Command) -> None:
        """A button; the answer comes as the view's notice."""
        ...

    def prompt(self, pixel: tuple[float, float]) -> None:
        """The pixel (x, y) of the camera's picture in which the operator sees the object."""
        ...
