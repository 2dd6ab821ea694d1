"""Settings of reinforcement learning over a frozen flow policy, from YAML (`config/rl.yaml`)."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from rfs_sim_bridge.objects import find_objects
from rfs_sim_bridge.task_config import TaskConfig

Section = TypeVar("Section")


@dataclass(frozen=True)
class RlTask:
    """One grasp task: environment i gets `objects[i % len(objects)]`; `task` are the simulator's settings."""

    name: str
    objects: tuple[str, ...]
    task: TaskConfig


@dataclass(frozen=True)
class DemonstrationConfig:
    """`count` successes of the scripted expert, over all objects; `noise` scales its human-like variation."""

    count: int
    noise: float
    seed: int


@dataclass(frozen=True)
class BaseConfig:
    """The frozen flow policy: an MLP of `depth` layers, `push_steps` Euler steps, chunks of `horizon`.

    observation_noise: added while training, in standard deviations of each observed number.
    """

    width: int
    depth: int
    time_features: int
    push_steps: int
    horizon: int
    steps: int
    batch: int
    learning_rate: float
    observation_noise: float
    seed: int


@dataclass(frozen=True)
class ResidualBound:
    """Largest residual of one control step: m, rad, rad."""

    translation: float
    rotation: float
    fingers: float


@dataclass(frozen=True)
class SteeringConfig:
    """What PPO chooses, and how it explores at first.

    noise_bound, noise_std: bound and deviation of the entries of a0, in standard deviations. residual_std: in
    residual bounds; arm_std: in largest palm steps. residual_cost: reward lost per unit of mean squared
    residual (in bounds).
    """

    noise_bound: float
    noise_std: float
    residual: ResidualBound
    residual_std: float
    arm_std: float
    residual_cost: float


@dataclass(frozen=True)
class PpoConfig:
    """PPO's settings under their usual names. `control_steps`: budget over all environments. gamma, lam: per
    control step; a choice that is executed for two steps gets their squares."""

    environments: int
    control_steps: int
    learning_rate: float
    epochs: int
    mini_batches: int
    gamma: float
    lam: float
    clip: float
    entropy: float
    hidden: tuple[int, ...]
    reward_scale: float
    threads: int


@dataclass(frozen=True)
class RlConfig:
    """All of `config/rl.yaml`."""

    tasks: dict[str, RlTask]
    demonstrations: DemonstrationConfig
    base: BaseConfig
    steering: SteeringConfig
    ppo: PpoConfig

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> "RlConfig":
        """The packaged settings, with the entries of a YAML file over them.

        Raises:
            FileNotFoundError, ValueError: no such file, or an entry or object that does not exist.
        """
        values = yaml.safe_load(files("rfs_learning").joinpath("config/rl.yaml").read_text())
        if path is not None:
            if not Path(path).is_file():
                raise FileNotFoundError(f"no settings at '{path}'")
            values = _merged(values, yaml.safe_load(Path(path).read_text()) or {})
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RlConfig":
        """Nested mappings, as in the YAML file, to settings; what `to_dict` gives gives equal settings."""
        _reject_unknown(values, cls, "rl")
        return cls(
            tasks={name: _task(name, entry) for name, entry in values["tasks"].items()},
            demonstrations=_section(DemonstrationConfig, values["demonstrations"], "demonstrations"),
            base=_section(BaseConfig, values["base"], "base"),
            steering=_steering(values["steering"]),
            ppo=_section(PpoConfig, {**values["ppo"], "hidden": tuple(values["ppo"]["hidden"])}, "ppo"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a run's record."""
        values = asdict(self)
        values["tasks"] = {
            name: {"objects": list(task.objects), "task": task.task.to_dict()}
            for name, task in self.tasks.items()
        }
        values["ppo"]["hidden"] = list(self.ppo.hidden)
        return values

    def task(self, name: str) -> RlTask:
        """A task by name; ValueError names those that exist."""
        if name not in self.tasks:
            raise ValueError(f"unknown task '{name}'; config/rl.yaml has: {', '.join(self.tasks)}")
        return self.tasks[name]

    def with_ppo(self, **changes: Any) -> "RlConfig":
        """The same with other entries of `ppo`."""
        return replace(self, ppo=replace(self.ppo, **changes))


def _task(name: str, entry: Mapping[str, Any]) -> RlTask:
    unknown = set(entry) - {"objects", "task"}
    if unknown:
        raise ValueError(f"unknown setting 'tasks.{name}.{min(unknown)}'; known: objects, task")
    objects = tuple(spec.name for spec in find_objects(entry["objects"]))
    return RlTask(name, objects, TaskConfig.from_dict(entry["task"]))


def _steering(values: Mapping[str, Any]) -> SteeringConfig:
    residual = _section(ResidualBound, values["residual"], "steering.residual")
    return _section(SteeringConfig, {**values, "residual": residual}, "steering")


def _section(kind: type[Section], values: Mapping[str, Any], where: str) -> Section:
    _reject_unknown(values, kind, where)
    missing = [field.name for field in fields(kind) if field.name not in values]  # type: ignore[arg-type]
    if missing:
        raise ValueError(f"setting '{where}.{missing[0]}' is missing; see config/rl.yaml")
    return kind(**values)


def _reject_unknown(values: Mapping[str, Any], kind: type, where: str) -> None:
    if not isinstance(values, Mapping) or not is_dataclass(kind):
        raise ValueError(f"'{where}' must be a mapping; see config/rl.yaml")
    unknown = set(values) - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"unknown setting '{where}.{min(unknown)}'; see config/rl.yaml")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _merged(result[key], value) if both else value
    return result
