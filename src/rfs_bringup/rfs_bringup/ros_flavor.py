"""Which ROS 2 this shell offers: a sourced installation, or none (then the wheels from PyPI serve)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

SUPPORTED = ("jazzy", "kilted")
#: Path lists that a sourced ROS installation, or this workspace's own setup file, extends.
PATH_LISTS = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class RosFlavor:
    """``distro`` is the sourced distribution that is used, or None for the wheels.

    ``ignored`` names a sourced distribution this workspace cannot use (too old), else it is empty.
    """

    distro: str | None
    ignored: str = ""

    @property
    def from_wheels(self) -> bool:
        return self.distro is None

    @property
    def title(self) -> str:
        if self.distro is not None:
            return f"ROS 2 {self.distro.capitalize()}, sourced in this shell"
        note = f" (the sourced '{self.ignored}' is not one of {', '.join(SUPPORTED)})" if self.ignored else ""
        return f"ROS 2 Kilted from PyPI wheels{note}"


def detect(environment: Mapping[str, str]) -> RosFlavor:
    """A distribution counts as sourced when both ROS_DISTRO and an ament prefix with rclpy are there."""
    distro = environment.get("ROS_DISTRO", "").lower()
    if not distro or not _has_rclpy(environment.get("AMENT_PREFIX_PATH", "")):
        return RosFlavor(None)
    return RosFlavor(distro) if distro in SUPPORTED else RosFlavor(None, ignored=distro)


def _has_rclpy(prefixes: str) -> bool:
    marker = "share/ament_index/resource_index/packages/rclpy"
    return any(
        prefix and os.path.exists(os.path.join(prefix, marker)) for prefix in prefixes.split(os.pathsep)
    )
