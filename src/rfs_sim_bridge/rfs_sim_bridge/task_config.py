"""Settings of the grasp task, read from config/task.yaml."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import yaml

from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift
from rfs_sim_bridge.setting_kinds import check_kinds

Range = tuple[float, float]
MAX_RAYS = 8192
ENGINES = ("mujoco", "warp", "warp_cpu")


@dataclass(frozen=True)
class SuccessConfig:
    """When a grasp counts: lift (m), hold time (s), object speed (m/s), distance to arm joint limits (rad)
    and the deepest allowed interpenetration of fingers (m)."""

    lift: float = 0.20
    hold_seconds: float = 0.5
    max_object_speed: float = 0.3
    joint_margin: float = 0.03
    max_interpenetration: float = 0.005


@dataclass(frozen=True)
class ResetConfig:
    """Where episodes start (m, rad) and how their physics vary (factors); the object's yaw is uniform."""

    object_x: Range = (0.45, 0.65)
    object_y: Range = (-0.25, 0.25)
    arm_std: float = 0.06
    hand_std: float = 0.05
    mass_scale: Range = (0.8, 1.25)
    friction_scale: Range = (0.85, 1.15)


@dataclass(frozen=True)
class DisturbanceConfig:
    """Torque pulses on every joint: gap between pulses in control steps, standard deviations in N m."""

    interval: tuple[int, int] = (2, 5)
    arm_torque: float = 1.5
    hand_torque: float = 0.02

    def scaled(self, factor: float) -> Self:
        """The same pulses at the same times, `factor` times as strong; 0 leaves the robot in peace."""
        if not 0.0 <= factor < math.inf:
            raise ValueError(f"disturbances can be scaled by 0 or more, not by {factor}")
        return replace(self, arm_torque=factor * self.arm_torque, hand_torque=factor * self.hand_torque)


@dataclass(frozen=True)
class ActuationConfig:
    """What lies between joint targets and motors, drawn for each episode, in addition to the robot's own
    (`shift`): latency (s) of arm and fingers, time constant (s) with which fingers follow; share: of the
    episodes that have any of it."""

    latency: Range = (0.0, 0.0)
    hand_lag: Range = (0.0, 0.0)
    share: float = 1.0

    def __post_init__(self) -> None:
        check_kinds(self, "actuation.")
        for name in ("latency", "hand_lag"):
            low, high = getattr(self, name)
            if not 0.0 <= low <= high < math.inf:
                raise ValueError(
                    f"actuation.{name} is {[low, high]}: two times in seconds, 0 or more, the shorter first"
                )
        if not 0.0 <= self.share <= 1.0:
            raise ValueError(f"actuation.share must be 0 to 1, got {self.share}")


NO_ACTUATION = ActuationConfig()


@dataclass(frozen=True)
class CloudConfig:
    """Point clouds: number of points, rays cast for them and their aim, noise, camera positions (m, base
    frame) and how far from there an episode's cameras stand at most along each axis (m)."""

    points: int = 1024
    rays: int = 600
    object_share: float = 0.5
    depth_noise: float = 0.0015
    extrinsics_translation: float = 0.003
    extrinsics_rotation: float = 0.004
    cameras: tuple[tuple[float, float, float], ...] = ((1.15, 0.60, 0.75), (1.15, -0.60, 0.75))
    camera_spread: float = 0.0


@dataclass(frozen=True)
class CameraConfig:
    """How the published pictures differ from ideal ones.

    depth_noise: standard deviation, m at 1 m, growing with the square of the distance. edge_mixing,
    edge_holes: chances that a pixel at a depth edge shows a mixture of both surfaces, or nothing; holes: that
    any other shows nothing. color_noise: standard deviation, of 255. extrinsics_translation (m) and
    extrinsics_rotation (rad): of the camera's pose error about each axis, drawn once per episode.
    """

    depth_noise: float = 0.002
    edge_mixing: float = 0.2
    edge_holes: float = 0.3
    holes: float = 0.01
    color_noise: float = 4.0
    extrinsics_translation: float = 0.003
    extrinsics_rotation: float = 0.004


@dataclass(frozen=True)
class TaskConfig:
    """All settings of `GraspTask`; `default()` reads the packaged YAML, `replace` from dataclasses changes
    some. speed: what the robot may do here, as a share of the executor's limits of speed."""

    engine: str = "mujoco"
    control_rate: float = 10.0
    timestep: float = 0.0025
    episode_seconds: float = 8.0
    speed: float = 1.0
    success: SuccessConfig = field(default_factory=SuccessConfig)
    reset: ResetConfig = field(default_factory=ResetConfig)
    disturbance: DisturbanceConfig = field(default_factory=DisturbanceConfig)
    cloud: CloudConfig = field(default_factory=CloudConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    shift: RobotShift = field(default_factory=RobotShift)
    actuation: ActuationConfig = field(default_factory=ActuationConfig)

    def __post_init__(self) -> None:
        check_kinds(self)
        if self.engine not in ENGINES:
            raise ValueError(f"unknown engine '{self.engine}'; there are: {', '.join(ENGINES)}")
        for name in ("control_rate", "timestep", "episode_seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, got {getattr(self, name)}")
        if not 0.0 < self.speed <= 1.0:
            raise ValueError(f"speed must be more than 0 and at most 1, got {self.speed}")
        steps = 1.0 / self.control_rate / self.timestep
        if abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"timestep {self.timestep} s does not divide the control period {1 / self.control_rate} s: "
                "use 0.0025 or 0.005"
            )
        if self.hold_steps < 1:
            raise ValueError(
                f"success.hold_seconds is {self.success.hold_seconds:g}: at least one control period, "
                f"{self.period:g} s, or nothing would have to be held"
            )
        if not (0 < self.cloud.rays <= MAX_RAYS and self.cloud.points > 0):
            raise ValueError(f"cloud.rays must be 1 to {MAX_RAYS} and cloud.points at least 1")
        if not self.cloud.cameras:
            raise ValueError("cloud.cameras is empty: give at least one camera position")
        for name, value in asdict(self.camera).items():
            most = 1.0 if name in ("edge_mixing", "edge_holes", "holes") else math.inf
            if not 0.0 <= value <= most:
                raise ValueError(
                    f"camera.{name} must be {'0 to 1' if most == 1 else '0 or more'}, got {value}"
                )

    @property
    def period(self) -> float:
        """Control period, s."""
        return 1.0 / self.control_rate

    @property
    def substeps(self) -> int:
        """Physics steps in a control period."""
        return round(self.period / self.timestep)

    @property
    def max_steps(self) -> int:
        """Control steps in the longest episode."""
        return round(self.episode_seconds * self.control_rate)

    @property
    def hold_steps(self) -> int:
        """Control steps that a lifted object must stay up."""
        return round(self.success.hold_seconds * self.control_rate)

    @classmethod
    @cache
    def default(cls) -> Self:
        """The packaged settings (config/task.yaml)."""
        text = files("rfs_sim_bridge").joinpath("config/task.yaml").read_text()
        return cls.from_dict(yaml.safe_load(text))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Settings from a YAML file; entries that it leaves out keep their defaults.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not YAML, or an entry is unknown or makes no sense; the text names it.
        """
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(f"no task configuration at {file}")
        try:
            entries = yaml.safe_load(file.read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} is not YAML: {error}") from error
        return cls.from_dict({} if entries is None else entries)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Self:
        """Nested mappings to nested settings; ValueError names an entry that is unknown or makes no sense."""
        return _build(cls, entries, "task")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for config files; `from_dict` gives an equal TaskConfig back. What changes nothing of
        `shift`, `actuation` and `speed` is left out, as in files from before there was any of it."""
        values = asdict(self)
        if self.shift == TRAINING_ROBOT:
            del values["shift"]
        if self.actuation == NO_ACTUATION:
            del values["actuation"]
        if self.speed == 1.0:
            del values["speed"]
        return values


def _build(kind: type, entries: Any, where: str) -> Any:
    known = {f.name: f for f in fields(kind)}
    if not isinstance(entries, Mapping):
        raise ValueError(f"{where} must have the entries {', '.join(known)}, got {entries!r}")
    values = {}
    for key, value in entries.items():
        if key not in known:
            raise ValueError(f"unknown setting '{where}.{key}'; known: {', '.join(known)}")
        nested = known[key].default_factory
        if isinstance(nested, type) and is_dataclass(nested):
            values[key] = _build(nested, value, f"{where}.{key}")
        else:
            values[key] = _freeze(value)
    return kind(**values)


def _freeze(value: Any) -> Any:
    return tuple(_freeze(v) for v in value) if isinstance(value, (list, tuple)) else value
