"""Who judges the grasp: the simulator, or the reward node with a tracker. The same in every stack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rfs_bringup.arguments import Argument, Value
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.shared_arguments import simulated

SIMULATOR = "simulator"
JUDGES = (SIMULATOR, "rgbd", "sam2")
TRUTH_TOPIC = "/sim/reward"
"""Where a simulator's own reward goes while another one counts."""

_SAM2_PATIENCE = 60.0  # s

REWARD_ARGUMENTS = (
    Argument(
        "reward",
        "",
        "Who judges: the simulator, or a tracker that sees the object in the camera's pictures; empty: the "
        "simulator where there is one, else rgbd",
        choices=("", *JUDGES),
    ),
    Argument("reward_weights", "", "Weights of reward:=sam2, a folder or name; empty: those that ship"),
    Argument("reward_config", "", "YAML file of reward and success from vision; empty: the packaged one"),
)


def judge(values: Mapping[str, Value]) -> str:
    """`simulator`, or the name of a tracker."""
    return str(values["reward"]) or (SIMULATOR if simulated(values) else "rgbd")


def check_reward(values: Mapping[str, Value]) -> None:
    """ValueError or FileNotFoundError for values that do not fit together."""
    name, config = judge(values), str(values["reward_config"])
    if name == SIMULATOR and not simulated(values):
        raise ValueError(
            "reward:=simulator needs a simulator (sim:=mujoco): only that knows where the object is"
        )
    if values["reward_weights"] and name != "sam2":
        raise ValueError("reward_weights:= needs reward:=sam2: nothing else has weights")
    if config and name == SIMULATOR:
        raise ValueError("reward_config:= needs reward:=rgbd or reward:=sam2: the simulator does not read it")
    if config and not Path(config).is_file():
        raise FileNotFoundError(f"reward_config:={config}: there is no such file")


def judge_parameters(values: Mapping[str, Value]) -> dict[str, Value]:
    """What runner and session must know of it: without a GPU, SAM2 may take seconds for a frame."""
    name = judge(values)
    return {"judge": name, "patience": _SAM2_PATIENCE} if name == "sam2" else {"judge": name}


def reward_nodes(values: Mapping[str, Value]) -> list[NodeSpec]:
    """The reward node, where it judges. Automatic episodes need it; a person can do without."""
    name = judge(values)
    if name == SIMULATOR:
        return []
    parameters = {
        "sim_time": values["sim_time"],
        "tracker": name,
        "weights": values["reward_weights"],
        "config": values["reward_config"],
    }
    return [NodeSpec("reward", "rfs_reward", "reward_node", parameters, essential=simulated(values))]


def bridge_parameters(values: Mapping[str, Value]) -> dict[str, Value]:
    """What the simulator bridge must know of it."""
    if judge(values) == SIMULATOR:
        return {}
    return {"reward_topic": TRUTH_TOPIC, "await_reward": values["sim_time"] == "lockstep"}
