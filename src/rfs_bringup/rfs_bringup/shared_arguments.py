"""Launch arguments that several stacks have, and what must hold between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rfs_bringup.arguments import Argument, Value

SIM = Argument("sim", "mujoco", "Simulator that stands in for robot and cameras", choices=("mujoco", "none"))
ROBOT = Argument(
    "robot",
    "sim",
    "What moves: the simulated robot, or drivers that are started beside this",
    choices=("sim", "hardware"),
)
POLICY = Argument("policy", "default", "Checkpoint to run, a path; default: the one shipped with rfs_policy")
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


def check_shared(values: Mapping[str, Value]) -> None:
    """ValueError or FileNotFoundError for values that do not fit together."""
    if values["robot"] == "hardware" and values["sim"] != "none":
        raise ValueError("robot:=hardware needs sim:=none, so that only one thing moves the robot")
    if values["robot"] == "hardware" and values["sim_time"] == "lockstep":
        raise ValueError("robot:=hardware needs sim_time:=realtime: a real robot does not wait")
    if values["policy"] != "default" and not Path(str(values["policy"])).exists():
        raise FileNotFoundError(f"policy:={values['policy']}: there is no such checkpoint file or folder")


def check_objects(names: list[str]) -> None:
    """ValueError for an object that the simulator does not know."""
    from rfs_sim_bridge.objects import object_names

    unknown = [name for name in names if name not in object_names()]
    if unknown:
        raise ValueError(f"object:={unknown[0]} is unknown; known objects: {', '.join(object_names())}")
