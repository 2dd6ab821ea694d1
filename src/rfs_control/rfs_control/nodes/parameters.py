"""Parameters of a node that are checked when they are declared."""

from collections.abc import Sequence

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)


def choice(node: Node, name: str, choices: Sequence[str]) -> str:
    """A parameter with a fixed set of values; the first one is the default."""
    value = node.declare_parameter(name, choices[0], _ANY_TYPE).value
    if value not in choices:
        raise ValueError(f"parameter {name} must be one of {', '.join(choices)}; got {value!r}")
    return str(value)


def positive(node: Node, name: str, default: float) -> float:
    """A parameter that is a positive number."""
    value = node.declare_parameter(name, default, _ANY_TYPE).value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"parameter {name} must be a positive number; got {value!r}")
    return float(value)


def boolean(node: Node, name: str, default: bool) -> bool:
    """A parameter that is true or false."""
    value = node.declare_parameter(name, default, _ANY_TYPE).value
    if not isinstance(value, bool):
        raise ValueError(f"parameter {name} must be true or false; got {value!r}")
    return value


def path(node: Node, name: str) -> str | None:
    """A parameter that names a file; empty (None) for the one of the package."""
    return str(node.declare_parameter(name, "").value) or None
