"""Settings of flow-matching training, from YAML (`config/flow.yaml` documents each)."""

import os
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from rfs_policy.network import NetworkConfig


@dataclass(frozen=True)
class FlowConfig:
    """One training run. Lengths in m, angles in rad; see `config/flow.yaml`."""

    network: NetworkConfig
    push_steps: int
    steps: int
    batch: int
    draws: int
    points: int
    learning_rate: float
    warmup: int
    weight_decay: float
    gradient_clip: float
    ema: float
    seed: int
    threads: int
    bfloat16: bool
    cloud_translation: float
    cloud_rotation: float
    point_noise: float
    joint_noise: float
    command_noise: float
    validation: float
    log_every: int
    save_every: int

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, **overrides: Any) -> "FlowConfig":
        """The packaged defaults, then the entries of a YAML file, then `overrides` that are not None.

        Raises:
            FileNotFoundError, ValueError: no such file, or an entry that does not exist.
        """
        values = yaml.safe_load(files("rfs_learning").joinpath("config/flow.yaml").read_text())
        if path is not None:
            if not Path(path).is_file():
                raise FileNotFoundError(f"no training configuration at '{path}'")
            values |= yaml.safe_load(Path(path).read_text()) or {}
        values |= {key: value for key, value in overrides.items() if value is not None}
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown training settings: {', '.join(sorted(unknown))}; see config/flow.yaml")
        network = dict(values.pop("network"))
        network["point_widths"] = tuple(network["point_widths"])
        return cls(network=NetworkConfig(**network), **values)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the run's record and for resuming."""
        return asdict(self)
