"""The grasp stack: automatic trials in simulation, or policy, executor and recorder beside drivers."""

from __future__ import annotations

from collections.abc import Mapping

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

GRASP_ARGUMENTS = (
    SIM,
    ROBOT,
    SEVERITY,
    POLICY,
    MODULATION,
    OBJECT,
    boolean("record", True, "Record each episode as one MCAP bag"),
    BAGS,
    SIM_TIME,
    SEED,
    Argument("trials", "0", "Episodes after which the stack stops; 0: until stopped", int, minimum=0),
    RATE,
    *REWARD_ARGUMENTS,
)


def grasp_nodes(values: Mapping[str, Value]) -> list[NodeSpec]:
    """Nodes of the grasp stack. ValueError or FileNotFoundError for values that do not fit."""
    _check(values)
    common = {"sim_time": values["sim_time"], "rate": values["rate"]}
    nodes = [
        NodeSpec(
            "policy",
            "rfs_policy",
            "policy_node",
            common | {name: values[name] for name in ("policy", "modulation", "seed")},
        ),
        NodeSpec("executor", "rfs_control", "executor_node", common),
    ]
    if simulated(values):
        first = str(values["object"]).split(",")[0]
        bridge = common | {"object": first, "seed": values["seed"], "severity": severity_of(values)}
        bridge |= bridge_parameters(values)
        nodes.insert(0, bridge_node(values, bridge))
    nodes += reward_nodes(values)
    if values["record"]:
        recorder = common | {"bags": values["bags"]} | robot_entries(values)
        nodes.append(NodeSpec("recorder", "rfs_teleop", "recorder_node", recorder))
    if simulated(values):  # without a simulator a person resets the scene, engages and ends episodes
        runner = {name: values[name] for name in ("object", "seed", "trials", "record")}
        runner |= judge_parameters(values) | startup_parameters(values)
        nodes.append(NodeSpec("runner", "rfs_teleop", "episode_runner_node", common | runner))
    return nodes


def _check(values: Mapping[str, Value]) -> None:
    check_shared(values)
    check_reward(values)
    if not simulated(values) and values["trials"]:
        raise ValueError("trials:= needs a simulator (sim:=mujoco): only that resets its scene by itself")
    if simulated(values) and values["object"]:
        check_objects(str(values["object"]).split(","))


GRASP = Stack("grasp", "Grasp trials with a point-cloud flow policy", GRASP_ARGUMENTS, grasp_nodes)
