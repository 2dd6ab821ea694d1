"""What a stack consists of, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rfs_bringup.arguments import Argument, Value


@dataclass(frozen=True)
class NodeSpec:
    """One process: console script ``executable`` of ``package``, which runs ``package.nodes.executable``.

    The end of an ``essential`` node ends the stack; the others go on without one that is not. ``isaaclab``:
    it runs in Isaac Lab's environment (`isaaclab_workspace`) instead of this one.
    """

    name: str
    package: str
    executable: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    essential: bool = True
    isaaclab: bool = False

    @property
    def module(self) -> str:
        return f"{self.package}.nodes.{self.executable}"


@dataclass(frozen=True)
class Stack:
    """A named set of nodes; ``nodes`` turns checked argument values into what is started."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    nodes: Callable[[Mapping[str, Value]], list[NodeSpec]]
