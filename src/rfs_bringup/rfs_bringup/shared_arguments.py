"""Launch arguments that several stacks have, and what must hold between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rfs_policy.checkpoint import SHIPPED

from rfs_bringup import isaaclab_workspace
from rfs_bringup.arguments import Argument, Value
from rfs_bringup.node_spec import NodeSpec

SIM = Argument(
    "sim",
    "mujoco",
    "Simulator that stands in for robot and cameras; isaaclab needs ./rfs setup isaaclab",
    choices=("mujoco", "isaaclab", "none"),
)
ROBOT = Argument(
    "robot",
    "sim",
    "What moves: the simulated robot of the training, a shifted one that stands in for a real robot, or "
    "drivers that are started beside this",
    choices=("sim", "target", "hardware"),
)
SEVERITY = Argument(
    "severity",
    "",
    "How much robot:=target differs from the training's: 0 not at all, 1 as its settings say; empty: 1",
)
POLICY = Argument(
    "policy",
    "default",
    "Checkpoint to run, a path; or one that ships: default, cloned from demonstrations, or distilled from "
    "reinforcement learning",
)
MODULATION = Argument(
    "modulation",
    "",
    "Checkpoint that adapts the policy (`./rfs train offline`), a path; adapted: the one that ships, for "
    "robot:=target; empty: none",
)
OBJECT = Argument(
    "object", "", "Object to grasp, or several with commas; empty: the training objects in turn"
)
BAGS = Argument("bags", "runs/bags", "Folder that the bags are written to")
SIM_TIME = Argument(
    "sim_time",
    "realtime",
    "realtime: the wall clock paces the simulator; lockstep: the simulator waits for each action",
    choices=("realtime", "lockstep"),
)
SEED = Argument("seed", "0", "Seed of the first episode, for scene and policy noise", int, minimum=0)
RATE = Argument(
    "rate", "10.0", "Control rate in Hz; the shipped policy was trained for 10", float, minimum=1.0
)

ISAACLAB_STARTUP = 600.0
"""s until its bridge must be there; half a minute is usual."""


def check_shared(values: Mapping[str, Value]) -> None:
    """ValueError or FileNotFoundError for values that do not fit together."""
    severity_of(values)
    if values["sim"] == "isaaclab":
        isaaclab_workspace.own_environment()
    if values["robot"] == "target" and values["sim"] != "mujoco":
        raise ValueError("robot:=target needs sim:=mujoco: it is a simulated robot")
    if values["robot"] == "hardware" and values["sim"] != "none":
        raise ValueError("robot:=hardware needs sim:=none, so that only one thing moves the robot")
    if values["robot"] == "hardware" and values["sim_time"] == "lockstep":
        raise ValueError("robot:=hardware needs sim_time:=realtime: a real robot does not wait")
    if not simulated(values) and values["sim_time"] == "lockstep":
        raise ValueError(
            "sim_time:=lockstep needs a simulator (sim:=mujoco): only that waits for each action"
        )
    if values["policy"] not in SHIPPED and not Path(str(values["policy"])).expanduser().exists():
        raise FileNotFoundError(f"policy:={values['policy']}: there is no such checkpoint file or folder")
    if not (values["modulation"] in ("", "adapted") or Path(str(values["modulation"])).expanduser().exists()):
        raise FileNotFoundError(f"modulation:={values['modulation']}: there is no such file or folder")


def simulated(values: Mapping[str, Value]) -> bool:
    """Whether a simulator stands in for the robot: it can reset its scene, and judge."""
    return values["sim"] != "none"


def bridge_node(values: Mapping[str, Value], parameters: Mapping[str, Value]) -> NodeSpec:
    """The chosen simulator's bridge."""
    if values["sim"] == "isaaclab":
        return NodeSpec("bridge", "rfs_isaaclab", "bridge_node", parameters, isaaclab=True)
    return NodeSpec("bridge", "rfs_sim_bridge", "bridge_node", parameters)


def startup_parameters(values: Mapping[str, Value]) -> dict[str, Value]:
    """What whoever waits for the simulator must know: Isaac Lab compiles its kernels when it starts first."""
    return {"startup_timeout": ISAACLAB_STARTUP} if values["sim"] == "isaaclab" else {}


def severity_of(values: Mapping[str, Value]) -> float:
    """Of the simulated robot: 0 is the training robot. ValueError for a severity that makes no sense."""
    text = str(values["severity"])
    if values["robot"] != "target":
        if text:
            raise ValueError(f"severity:={text} needs robot:=target")
        return 0.0
    return float(Argument("severity", "", "", float, minimum=0.0).parse(text or "1"))


def robot_entries(values: Mapping[str, Value]) -> dict[str, Value]:
    """What bags note of the robot: its name, and the settings of a shifted one as JSON."""
    if values["robot"] != "target":
        return {"robot": values["robot"]}
    from rfs_sim_bridge.robot_shift import RobotShift

    severity = severity_of(values)
    shift = json.dumps(RobotShift.target(severity).to_dict())
    return {"robot": f"target {severity:g}", "robot_shift": shift}


def check_objects(names: list[str]) -> None:
    """ValueError for an object that the simulators do not know."""
    from rfs_sim_bridge.objects import object_names

    unknown = [name for name in names if name not in object_names()]
    if unknown:
        raise ValueError(f"object:={unknown[0]} is unknown; known objects: {', '.join(object_names())}")
