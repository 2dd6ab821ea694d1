"""A comparison: methods that learn from corrections and are evaluated over the same episodes, from YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from rfs_sim_bridge.robot_shift import RobotShift

from rfs_learning.entries import from_settings, require_entries
from rfs_learning.offline.finetune import finetune_config
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.protocol import Protocol

PACKAGED = ("figure6", "corrections")
CORRECTIONS = "corrections"
"""The dataset of a method that names none."""
Training = Literal["offline", "finetune"]
_ENTRIES = {"title", "protocol", "severity", "against", "methods"}
_METHOD = {"label", "train", "data", "with", "settings"}


@dataclass(frozen=True, eq=False)
class Contender:
    """One method. name: of its folders; label: for people; train: None for the policy as it is; data,
    demonstrations: names of datasets; settings: what differs from the packaged ones."""

    name: str
    label: str
    train: Training | None = None
    data: str = CORRECTIONS
    demonstrations: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if Path(self.name).name != self.name or self.name in (".", ".."):
            raise ValueError("its name cannot be a folder's")
        if self.train is not None and self.train not in get_args(Training):
            raise ValueError(f"train must be one of {', '.join(get_args(Training))}: {self.train!r}")
        if self.demonstrations and self.train != "finetune":
            raise ValueError("demonstrations ('with') are for 'train: finetune'")
        if (self.settings or self.data != CORRECTIONS) and self.train is None:
            raise ValueError("it has settings or data, and is not trained: give it 'train'")
        self.training(0)

    def training(self, seed: int) -> dict[str, Any]:
        """All settings of a training run, on one thread; empty for the policy as it is.

        Raises:
            ValueError: a setting does not exist or is not allowed.
        """
        if self.train is None:
            return {}
        load = OfflineConfig.load if self.train == "offline" else finetune_config
        return load(**{**self.settings, "threads": 1, "seed": seed}).to_dict()

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that it learns from."""
        return tuple(name for name in (self.data, self.demonstrations) if name) if self.train else ()


@dataclass(frozen=True)
class Comparison:
    """Methods, the one that all others are compared with, and how they are evaluated."""

    name: str
    title: str
    protocol: str
    severity: float
    against: str
    contenders: tuple[Contender, ...]

    def __post_init__(self) -> None:
        Protocol.load(self.protocol)
        RobotShift.target(self.severity)
        if len(self.contenders) < 2:
            raise ValueError("a comparison has at least two methods")
        self.contender(self.against)

    @classmethod
    def load(cls, name: str) -> "Comparison":
        """A packaged comparison by name, or one of a YAML file like config/figure6.yaml.

        Raises:
            ValueError: there is none, it is not YAML, or an entry is unknown or makes no sense; the text
                names it.
        """
        return from_settings(name, PACKAGED, "comparison", cls.from_dict)

    @classmethod
    def from_dict(cls, name: str, values: Mapping[str, Any]) -> "Comparison":
        """Nested mappings, as in the YAML file; ValueError or TypeError for what makes no sense."""
        require_entries(values, _ENTRIES, _ENTRIES, "the comparison")
        methods = values["methods"]
        if not isinstance(methods, Mapping):
            raise ValueError(f"methods must be a mapping, got {methods!r}")
        contenders = tuple(_contender(str(key), entry) for key, entry in methods.items())
        title, protocol, severity = str(values["title"]), str(values["protocol"]), float(values["severity"])
        return cls(name, title, protocol, severity, values["against"], contenders)

    def contender(self, name: str) -> Contender:
        """By name; ValueError names those that exist."""
        found = {contender.name: contender for contender in self.contenders}
        if name not in found:
            raise ValueError(f"unknown method '{name}'; there are: {', '.join(found)}")
        return found[name]


def _contender(name: str, entry: Any) -> Contender:
    require_entries(entry, _METHOD, {"label"}, f"the method '{name}'")
    try:
        return Contender(
            name,
            str(entry["label"]),
            entry.get("train"),
            str(entry.get("data", CORRECTIONS)),
            str(entry.get("with", "")),
            dict(entry.get("settings", {})),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"the method '{name}': {error}") from error
