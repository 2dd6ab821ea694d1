"""Parameters of the session node."""

import time
from dataclasses import dataclass
from pathlib import Path

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from rfs_teleop.episode_watch import judging_node
from rfs_teleop.session_plan import SessionPlan

_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)


@dataclass(frozen=True)
class SessionParameters:
    """What `session_node` describes. name: of the session; limit, startup, patience in s. judge: the
    node that gives rewards, empty where a person judges."""

    name: str
    operator: str
    bags: Path
    plan: SessionPlan
    judge: str
    lockstep: bool
    limit: float
    startup: float
    patience: float

    @classmethod
    def read(cls, node: Node) -> "SessionParameters":
        """Declare and take them."""
        text = {name: _text(node, name) for name in ("session", "operator", "object")}
        plan = SessionPlan(
            objects=[name for name in text["object"].split(",") if name],
            seed=int(node.declare_parameter("seed", 0).value),
            episodes=int(node.declare_parameter("episodes", 50).value),
            simulator=bool(node.declare_parameter("simulator", True).value),
            attended=bool(node.declare_parameter("attended", True).value),
        )
        return cls(
            name=text["session"] or time.strftime("%Y%m%d-%H%M%S"),
            operator=text["operator"],
            bags=Path(_text(node, "bags") or "runs/bags").expanduser().resolve(),
            plan=plan,
            judge=judging_node(_text(node, "judge", "simulator")) if plan.simulator else "",
            lockstep=node.declare_parameter("sim_time", "realtime").value == "lockstep",
            limit=float(node.declare_parameter("episode_seconds", 8.0, _ANY_TYPE).value),
            startup=float(node.declare_parameter("startup_timeout", 60.0, _ANY_TYPE).value),
            patience=float(node.declare_parameter("patience", 5.0, _ANY_TYPE).value),
        )


def _text(node: Node, name: str, default: str = "") -> str:
    return str(node.declare_parameter(name, default).value)
