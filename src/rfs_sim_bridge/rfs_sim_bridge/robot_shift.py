"""The target robot: how it differs from the simulated robot that policies are trained on.

It stands in for a real robot. The packaged one is `config/target_robot.yaml`; what is no shift is the
training robot, bit for bit.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from rfs_description import rotations
from rfs_sim_bridge.objects import ObjectSpec
from rfs_sim_bridge.setting_kinds import check_kinds

Array = NDArray[np.float64]
_CAMERA_MOUNT = (1.15, 0.0, 0.75)  # m: between the cameras
_FACTORS = ("hand_gain", "hand_force", "object_mass", "object_friction")
_AMOUNTS = ("hand_lag", "latency", "camera_translation", "camera_rotation", "object_softness")


@dataclass(frozen=True)
class RobotShift:
    """Differences from the training robot, the same in all episodes; without arguments there are none.

    hand_gain, hand_force: factors of the finger motors' position gain and torque limit. hand_lag: time
    constant (s) of the first-order lag with which finger targets are followed. latency: time (s) after which
    a joint target reaches the motors, arm and fingers alike. camera_translation (m), camera_rotation (rad):
    by how much the extrinsics of the cameras are wrong, which are mounted together: the mount seems shifted
    by so much, and turned about itself, in directions that follow from `seed`. object_softness: share of the
    way from each object's own contacts to plush ones, 0 to 1. object_mass, object_friction: factors.
    """

    hand_gain: float = 1.0
    hand_force: float = 1.0
    hand_lag: float = 0.0
    latency: float = 0.0
    camera_translation: float = 0.0
    camera_rotation: float = 0.0
    seed: int = 0
    object_softness: float = 0.0
    object_mass: float = 1.0
    object_friction: float = 1.0

    def __post_init__(self) -> None:
        check_kinds(self, "shift.")
        for name in _FACTORS:
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"shift.{name} is a factor: more than 0, not {getattr(self, name)}")
        for name in (*_AMOUNTS, "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"shift.{name} must be 0 or more, not {getattr(self, name)}")
        if self.object_softness > 1.0:
            raise ValueError(f"shift.object_softness must be 0 to 1, not {self.object_softness}")

    @classmethod
    def target(cls, severity: float = 1.0) -> Self:
        """The packaged target robot, more or less of it; severity 0 is the training robot exactly."""
        return cls.from_dict(_packaged()).scaled(severity)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Self:
        """ValueError names an entry that is unknown or makes no sense."""
        known = [entry.name for entry in fields(cls)]
        unknown = [name for name in entries if name not in known]
        if unknown:
            raise ValueError(f"unknown setting 'shift.{unknown[0]}'; known: {', '.join(known)}")
        return cls(**entries)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `from_dict` gives an equal shift back."""
        return asdict(self)

    def scaled(self, severity: float) -> Self:
        """The shift of another severity: amounts times it, factors to its power; 0 is no shift.

        Raises:
            ValueError: severity is negative or not finite.
        """
        if not 0.0 <= severity < math.inf:
            raise ValueError(f"severity {severity:g}: give 0 (the training robot) or more; 1 is the default")
        if severity == 0.0:
            return type(self)()
        amounts = {name: severity * getattr(self, name) for name in _AMOUNTS}
        amounts["object_softness"] = min(1.0, amounts["object_softness"])
        return replace(self, **amounts, **{name: getattr(self, name) ** severity for name in _FACTORS})

    def of_object(self, spec: ObjectSpec) -> ObjectSpec:
        """The object as this robot meets it; its shape stays."""
        return replace(
            spec,
            mass=self.object_mass * spec.mass,
            friction=self.object_friction * spec.friction,
            softness=spec.softness + self.object_softness * (1.0 - spec.softness),
        )

    def camera_errors(self, positions: ArrayLike) -> tuple[Array, Array]:
        """From where cameras are, positions (..., 3), to where their extrinsics say they are.

        Translations (..., 3), m, and the rotation vector (3,), rad, of each about itself, base frame.
        """
        shift, turn = self._calibration_error()
        arms = np.subtract(positions, _CAMERA_MOUNT)
        return shift + arms @ (rotations.from_vector(turn) - np.eye(3)).T, turn

    def true_cameras(self, positions: ArrayLike) -> tuple[Array, Array]:
        """From where the extrinsics say that cameras are to where they are: `camera_errors` turned round."""
        shift, turn = self._calibration_error()
        arms = np.subtract(positions, _CAMERA_MOUNT)
        back = rotations.from_vector(-turn)
        return arms @ (back - np.eye(3)).T - back @ shift, -turn

    def _calibration_error(self) -> tuple[Array, Array]:
        """Translation (3,) and rotation vector (3,) of the cameras' mount."""
        directions = np.random.default_rng(self.seed).standard_normal((2, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return self.camera_translation * directions[0], self.camera_rotation * directions[1]


TRAINING_ROBOT = RobotShift()


@cache
def _packaged() -> dict[str, Any]:
    return yaml.safe_load(files("rfs_sim_bridge").joinpath("config/target_robot.yaml").read_text())
