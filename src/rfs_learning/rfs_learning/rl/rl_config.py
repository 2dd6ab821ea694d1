"""Settings of reinforcement learning over a frozen flow policy, from YAML (`config/rl.yaml`)."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from rfs_sim_bridge.objects import find_objects
from rfs_sim_bridge.setting_kinds import check_kinds
from rfs_sim_bridge.task_config import TaskConfig

from rfs_learning.entries import own_entries, packaged_entries
from rfs_learning.evaluation import FIRST_SEED

Section = TypeVar("Section")
SEEDS_A_SET = 10_000
"""Episode seeds of one set of demonstrations; those of the next `demonstrations.seed` begin after them."""
_ABOVE_ZERO = {"learning_rate", "clip", "reward_scale", "noise_std", "residual_std", "arm_std"}


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
            FileNotFoundError: there is no such file.
            ValueError: it is not YAML, or an entry or object is unknown or makes no sense; the text names it.
        """
        return cls.from_dict(laid_over(packaged_entries("rl"), own_entries(path)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RlConfig":
        """Nested mappings, as in the YAML file, to settings; what `to_dict` gives gives equal settings."""
        _require_entries(values, _names(cls), "rl")
        _require_mapping(values["tasks"], "tasks")
        return cls(
            tasks={name: _task(name, entry) for name, entry in values["tasks"].items()},
            demonstrations=_section(DemonstrationConfig, values["demonstrations"], "demonstrations"),
            base=_section(BaseConfig, values["base"], "base"),
            steering=_steering(values["steering"]),
            ppo=_section(PpoConfig, values["ppo"], "ppo"),
        )

    def __post_init__(self) -> None:
        for name in ("demonstrations", "base", "steering", "ppo"):
            section = getattr(self, name)
            check_kinds(section, f"{name}.")
            _require_counts(section, name)
            _require_ranges(section, name)
        _require_ranges(self.steering.residual, "steering.residual")
        if not 0.0 < self.ppo.gamma < 1.0:
            raise ValueError(f"ppo.gamma must be above 0 and below 1, got {self.ppo.gamma}")
        if not 0.0 <= self.ppo.lam <= 1.0:
            raise ValueError(f"ppo.lam must be 0 to 1, got {self.ppo.lam}")
        if not self.ppo.hidden or min(self.ppo.hidden) < 1:
            raise ValueError(
                f"ppo.hidden is {list(self.ppo.hidden)}: sizes of at least 1, of one layer or more"
            )
        if self.base.time_features % 2:
            raise ValueError(
                f"base.time_features is {self.base.time_features}: sines and cosines, an even number"
            )
        most = FIRST_SEED // SEEDS_A_SET - 1
        if self.demonstrations.seed > most:
            raise ValueError(
                f"demonstrations.seed is {self.demonstrations.seed}: from {most + 1} on its episodes "
                "would be those of evaluations"
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

    def deciding(self, task: str) -> dict[str, Any]:
        """What decides about a run on a task, as JSON data: all but other tasks, clouds and cameras, which
        nothing of it looks at."""
        values = self.to_dict()
        chosen = values["tasks"][task]
        for unseen in ("cloud", "camera"):
            chosen["task"].pop(unseen)
        return json.loads(json.dumps(values | {"tasks": {task: chosen}}))

    def task(self, name: str) -> RlTask:
        """A task by name; ValueError names those that exist."""
        if name not in self.tasks:
            raise ValueError(f"unknown task '{name}'; config/rl.yaml has: {', '.join(self.tasks)}")
        return self.tasks[name]

    def with_ppo(self, **changes: Any) -> "RlConfig":
        """The same with other entries of `ppo`."""
        return replace(self, ppo=replace(self.ppo, **changes))

    def changed(self, changes: Mapping[str, Any]) -> "RlConfig":
        """The same with these entries over its own, as in a YAML file; ValueError as `load`."""
        _require_mapping(changes, "changes")
        return RlConfig.from_dict(laid_over(self.to_dict(), changes))


def _task(name: str, entry: Mapping[str, Any]) -> RlTask:
    _require_entries(entry, {"objects", "task"}, f"tasks.{name}")
    if not isinstance(entry["objects"], list):
        raise ValueError(f"tasks.{name}.objects must be a list of names, got {entry['objects']!r}")
    objects = tuple(spec.name for spec in find_objects(entry["objects"]))
    return RlTask(name, objects, TaskConfig.from_dict(entry["task"]))


def _steering(values: Mapping[str, Any]) -> SteeringConfig:
    _require_entries(values, _names(SteeringConfig), "steering")
    residual = _section(ResidualBound, values["residual"], "steering.residual")
    return _section(SteeringConfig, {**values, "residual": residual}, "steering")


def _section(kind: type[Section], values: Mapping[str, Any], where: str) -> Section:
    _require_entries(values, _names(kind), where)
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _require_mapping(values: Any, where: str) -> None:
    if not isinstance(values, Mapping):
        raise ValueError(f"'{where}' must be a mapping, as in config/rl.yaml; got {values!r}")


def _require_entries(values: Any, names: set[str], where: str) -> None:
    """These entries, and no others."""
    _require_mapping(values, where)
    for wrong, how in ((set(values) - names, "unknown"), (names - set(values), "missing")):
        if wrong:
            raise ValueError(f"{how} setting '{where}.{min(map(str, wrong))}'; see config/rl.yaml")


def _require_counts(section: Any, where: str) -> None:
    """Whole numbers are counts, at least 1; a seed is at least 0."""
    for field in fields(section):
        value, least = getattr(section, field.name), 0 if field.name == "seed" else 1
        if field.type is int and value < least:
            raise ValueError(f"{where}.{field.name} is {value}: at least {least} is needed")


def _require_ranges(section: Any, where: str) -> None:
    """Other numbers are 0 or more; what is a step of learning or a unit is above 0."""
    for field in fields(section):
        value, above = getattr(section, field.name), field.name in _ABOVE_ZERO
        if field.type is float and not (0 <= value < math.inf and (value > 0 or not above)):
            raise ValueError(
                f"{where}.{field.name} is {value}: {'above 0' if above else '0 or more'} is needed"
            )


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of `over` over those of `base`, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = laid_over(result[key], value) if both else value
    return result
