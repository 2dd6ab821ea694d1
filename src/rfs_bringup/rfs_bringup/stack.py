"""What runs, as data. A launch file and the project's own launcher both start exactly this."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from rfs_bringup.collect_stack import COLLECT
from rfs_bringup.grasp_stack import GRASP

STACKS = {stack.name: stack for stack in (GRASP, COLLECT)}


def middleware_variables(current: Mapping[str, str]) -> dict[str, str]:
    """Variables that let nodes which start together find each other soon; none where a profile is set."""
    if {"FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"} & current.keys():
        return {}
    family = "FASTRTPS" if current.get("ROS_DISTRO") == "jazzy" else "FASTDDS"
    return {f"{family}_DEFAULT_PROFILES_FILE": str(files("rfs_bringup") / "config" / "discovery.xml")}
