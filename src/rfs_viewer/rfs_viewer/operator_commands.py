"""What the operator can ask for."""

from enum import IntEnum
from typing import Protocol


class Command(IntEnum):
    """Commands of `rfs_msgs/OperatorCommand`."""

    START = 1
    SUCCESS = 2
    FAILURE = 3
    DISCARD = 4
    PAUSE = 5
    RESUME = 6
    STOP = 7
    RELEASE = 8
    FINISH = 9


class Operator(Protocol):
    """Takes what was pressed in a browser. Called from any thread; returns at once."""

    def press(self, command: Command) -> None:
        """A button; the answer comes as the view's notice."""
        ...

    def prompt(self, pixel: tuple[float, float]) -> None:
        """The pixel (x, y) of the camera's picture in which the operator sees the object."""
        ...
