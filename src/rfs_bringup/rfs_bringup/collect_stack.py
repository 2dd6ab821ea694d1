"""The collect stack: a person (or the scripted operator) corrects the policy, and every episode is a bag."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping

from rfs_viewer.gate import SHORTEST

from rfs_bringup.arguments import Argument, Value, boolean
from rfs_bringup.node_spec import NodeSpec, Stack
from rfs_bringup.reward_stack import (
    REWARD_ARGUMENTS,
    bridge_parameters,
    check_reward,
    judge_parameters,
    reward_nodes,
)
from rfs_bringup.shared_arguments import (
    BAGS,
    MODULATION,
    OBJECT,
    POLICY,
    RATE,
    ROBOT,
    SEED,
    SEVERITY,
    SIM,
    SIM_TIME,
    bridge_node,
    check_objects,
    check_shared,
    robot_entries,
    severity_of,
    simulated,
    startup_parameters,
)

_LOCKSTEP_SECONDS = 8.0
"""The simulator's own time limit, after which it stands still in lockstep."""

_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")

COLLECT_ARGUMENTS = (
    SIM,
    ROBOT,
    SEVERITY,
    Argument(
        "device",
        "spacemouse",
        "What the operator corrects with; scripted: a simulated careful person",
        choices=("spacemouse", "keyboard", "gamepad", "scripted"),
    ),
    Argument("device_config", "", "YAML file of the device's axes and buttons; empty: the packaged one"),
    Argument("terminal", "", "Terminal of device:=keyboard; empty: the one that this is started in"),
    Argument("operator", "", "Name of the person who corrects, noted in each bag"),
    Argument("session", "", "Name of the session; one that exists is continued; empty: date and time"),
    OBJECT,
    POLICY,
    MODULATION,
    BAGS,
    Argument("episodes", "50", "Episodes marked success or failure; 0: until finished", int, minimum=0),
    Argument("episode_seconds", "8.0", "Time limit of an episode, s", float, minimum=0.1),
    SEED,
    SIM_TIME,
    RATE,
    *REWARD_ARGUMENTS,
    boolean("viewer", True, "Show robot, camera, residual and buttons in a browser"),
    Argument("viewer_address", "127.0.0.1", "Address of the viewer; any but loopback asks for a token"),
    Argument("viewer_port", "8090", "Port of the viewer", int, minimum=1),
    Argument(
        "viewer_token",
        "",
        f"Token the viewer asks for, at least {SHORTEST} characters; empty: none on loopback, "
        "else one it prints",
    ),
)


def collect_nodes(values: Mapping[str, Value]) -> list[NodeSpec]:
    """Nodes of the collect stack. ValueError or FileNotFoundError for values that do not fit."""
    _check(values)
    common = {"sim_time": values["sim_time"], "rate": values["rate"]}
    objects, policy = str(values["object"]), _some(values, "policy", "modulation", "seed")
    nodes = [
        NodeSpec("policy", "rfs_policy", "policy_node", common | policy),
        NodeSpec("executor", "rfs_control", "executor_node", common | {"operator": True}),
        NodeSpec("correction", "rfs_teleop", "correction_node", common | _correction(values)),
        NodeSpec(
            "recorder",
            "rfs_teleop",
            "recorder_node",
            common | _some(values, "bags") | robot_entries(values),
        ),
        NodeSpec("session", "rfs_teleop", "session_node", common | _session(values)),
    ]
    if simulated(values):
        first = {"object": objects.split(",")[0], "seed": values["seed"]}
        bridge = common | first | {"severity": severity_of(values)} | bridge_parameters(values)
        nodes.insert(0, bridge_node(values, bridge))
    nodes += reward_nodes(values)
    if values["viewer"]:
        viewer = {name: values[f"viewer_{name}"] for name in ("address", "port", "token")}
        nodes.append(NodeSpec("viewer", "rfs_viewer", "viewer_node", viewer, essential=False))
    return nodes


def _some(values: Mapping[str, Value], *names: str) -> dict[str, Value]:
    return {name: values[name] for name in names}


def _correction(values: Mapping[str, Value]) -> dict[str, Value]:
    terminal = str(values["terminal"])
    if values["device"] == "keyboard":
        terminal = terminal or _own_terminal()
    return {"config": values["device_config"], "terminal": terminal, **_some(values, "device", "seed")}


def _own_terminal() -> str:
    try:
        return os.ttyname(sys.stdin.fileno())
    except (OSError, ValueError):
        raise ValueError(
            "device:=keyboard needs a terminal, and this is not started in one: name one, "
            "as in terminal:=/dev/pts/3 ('tty' in that terminal prints its name)"
        ) from None


def _session(values: Mapping[str, Value]) -> dict[str, Value]:
    """The name is chosen here, so that every node of one start means the same session."""
    return {
        "session": values["session"] or time.strftime("%Y%m%d-%H%M%S"),
        "simulator": simulated(values),
        **judge_parameters(values),
        **startup_parameters(values),
        "attended": values["device"] != "scripted",
        **_some(values, "operator", "object", "seed", "bags", "episodes", "episode_seconds"),
    }


def _check(values: Mapping[str, Value]) -> None:
    check_shared(values)
    check_reward(values)
    if values["device"] == "scripted" and not simulated(values):
        raise ValueError(
            "device:=scripted needs a simulator (sim:=mujoco): it knows where the simulated object is"
        )
    if values["sim_time"] == "lockstep" and float(values["episode_seconds"]) > _LOCKSTEP_SECONDS:
        raise ValueError(
            f"episode_seconds:={values['episode_seconds']} is more than the {_LOCKSTEP_SECONDS:g} s after "
            "which the simulator ends an episode in lockstep"
        )
    if values["session"] and not _FOLDER_NAME.fullmatch(str(values["session"])):
        raise ValueError(
            f"session:={values['session']} cannot name a folder: use letters, digits, '.', '_' and '-'"
        )
    if 0 < len(str(values["viewer_token"]).strip()) < SHORTEST:
        raise ValueError(f"viewer_token:= needs at least {SHORTEST} characters, so that nobody guesses it")
    if simulated(values) and values["object"]:
        check_objects(str(values["object"]).split(","))


COLLECT = Stack(
    "collect", "A session of episodes that an operator corrects", COLLECT_ARGUMENTS, collect_nodes
)
