"""What runs, as data. A launch file and the project's own launcher both start exactly this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from rfs_bringup.arguments import Argument, Value, boolean


@dataclass(frozen=True)
class NodeSpec:
    """One process: console script ``executable`` of ``package``, which runs ``package.nodes.executable``."""

    name: str
    package: str
    executable: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

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


def middleware_variables(current: Mapping[str, str]) -> dict[str, str]:
    """Variables that let nodes which start together find each other soon; none where a profile is set."""
    if {"FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"} & current.keys():
        return {}
    family = "FASTRTPS" if current.get("ROS_DISTRO") == "jazzy" else "FASTDDS"
    return {f"{family}_DEFAULT_PROFILES_FILE": str(files("rfs_bringup") / "config" / "discovery.xml")}


GRASP_ARGUMENTS = (
    Argument("sim", "mujoco", "Simulator that stands in for robot and cameras", choices=("mujoco", "none")),
    Argument(
        "robot",
        "sim",
        "What moves: the simulated robot, or drivers that are started beside this",
        choices=("sim", "hardware"),
    ),
    Argument("policy", "default", "Checkpoint to run, a path; 'default' is the one shipped with rfs_policy"),
    Argument("object", "", "Object to grasp, or several with commas; empty: the training objects in turn"),
    boolean("record", True, "Record each episode as one MCAP bag"),
    Argument("bags", "runs/bags", "Folder that the bags are written to"),
    Argument(
        "sim_time",
        "realtime",
        "realtime: the wall clock paces the simulator; lockstep: the simulator waits for each action",
        choices=("realtime", "lockstep"),
    ),
    Argument("seed", "0", "Seed of the first episode, for scene and policy noise", int, minimum=0),
    Argument("trials", "0", "Episodes after which the stack stops; 0: until stopped", int, minimum=0),
    Argument("rate", "10.0", "Control rate in Hz; the shipped policy was trained for 10", float, minimum=1.0),
)


def grasp_nodes(values: Mapping[str, Value]) -> list[NodeSpec]:
    """Nodes of the grasp stack. ValueError or FileNotFoundError for values that do not fit."""
    _check_grasp(values)
    common = {"sim_time": values["sim_time"], "rate": values["rate"]}
    nodes = [
        NodeSpec(
            "policy",
            "rfs_policy",
            "policy_node",
            common | {"policy": values["policy"], "seed": values["seed"]},
        ),
        NodeSpec("executor", "rfs_control", "executor_node", common),
    ]
    if values["sim"] == "mujoco":
        first = str(values["object"]).split(",")[0]
        bridge = common | {"object": first, "seed": values["seed"]}
        nodes.insert(0, NodeSpec("bridge", "rfs_sim_bridge", "bridge_node", bridge))
    if values["record"]:
        nodes.append(NodeSpec("recorder", "rfs_teleop", "recorder_node", common | {"bags": values["bags"]}))
    if values["sim"] == "mujoco":  # without a simulator a person resets the scene, engages and ends episodes
        runner = {name: values[name] for name in ("object", "seed", "trials", "record")}
        nodes.append(NodeSpec("runner", "rfs_teleop", "episode_runner_node", common | runner))
    return nodes


def _check_grasp(values: Mapping[str, Value]) -> None:
    if values["robot"] == "hardware" and values["sim"] != "none":
        raise ValueError("robot:=hardware needs sim:=none, so that only one thing moves the robot")
    if values["robot"] == "hardware" and values["sim_time"] == "lockstep":
        raise ValueError("robot:=hardware needs sim_time:=realtime: a real robot does not wait")
    if values["sim"] == "none" and values["trials"]:
        raise ValueError("trials:= needs sim:=mujoco: only a simulator resets its scene by itself")
    if values["policy"] != "default" and not Path(str(values["policy"])).exists():
        raise FileNotFoundError(f"policy:={values['policy']}: there is no such checkpoint file or folder")
    if values["object"]:
        _check_objects(str(values["object"]).split(","))


def _check_objects(names: list[str]) -> None:
    from rfs_sim_bridge.objects import object_names

    unknown = [name for name in names if name not in object_names()]
    if unknown:
        raise ValueError(f"object:={unknown[0]} is unknown; known objects: {', '.join(object_names())}")


STACKS = {
    "grasp": Stack("grasp", "Grasp trials with a point-cloud flow policy", GRASP_ARGUMENTS, grasp_nodes),
}
