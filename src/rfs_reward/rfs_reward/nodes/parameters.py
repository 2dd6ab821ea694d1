"""Parameters of the reward node, and what of them acts on the process."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass

import cv2
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)


@dataclass(frozen=True)
class RewardParameters:
    """What `reward_node` describes."""

    lockstep: bool
    tracker: str
    weights: str
    config: str
    image_size: int
    device: str
    threads: int
    nice: int

    @classmethod
    def read(cls, node: Node) -> "RewardParameters":
        """Declare and take them. ValueError for one that makes no sense."""
        sim_time = node.declare_parameter("sim_time", "realtime").value
        if sim_time not in ("realtime", "lockstep"):
            raise ValueError(f"parameter sim_time must be realtime or lockstep; got {sim_time!r}")
        return cls(
            lockstep=sim_time == "lockstep",
            tracker=str(node.declare_parameter("tracker", "rgbd").value),
            weights=str(node.declare_parameter("weights", "").value),
            config=str(node.declare_parameter("config", "").value),
            image_size=_whole(node, "image_size", 0, 0),
            device=str(node.declare_parameter("device", "auto").value),
            threads=_whole(node, "threads", 1, 1),
            nice=_whole(node, "nice", 10, 0),
        )


def _whole(node: Node, name: str, default: int, least: int) -> int:
    value = node.declare_parameter(name, default, _ANY_TYPE).value
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"parameter {name} must be a whole number from {least} on; got {value!r}")
    return value


def limit_threads(count: int) -> None:
    """Of the libraries that a tracker computes with; for after they were loaded."""
    cv2.setNumThreads(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def give_way(niceness: int) -> None:
    """Let other processes go first: every thread that this process has."""
    for thread in map(int, os.listdir("/proc/self/task")):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            now = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(19, now + niceness))
