"""Settings of flow-matching training, from YAML (`config/flow.yaml` documents each)."""

import os
from dataclasses import asdict, dataclass, fields
from typing import Any

from rfs_policy.network import NetworkConfig
from rfs_sim_bridge.setting_kinds import check_kinds

from rfs_learning.entries import own_entries, packaged_entries, require_entries
from rfs_learning.setting_ranges import Ranges

_RANGES = Ranges(
    least={
        **dict.fromkeys(("push_steps", "steps", "batch", "draws", "points", "threads"), 1),
        **dict.fromkeys(("log_every", "save_every"), 1),
        **dict.fromkeys(("warmup", "seed"), 0),
    },
    from_zero=(
        "weight_decay",
        "cloud_translation",
        "cloud_rotation",
        "point_noise",
        "joint_noise",
        "command_noise",
    ),
    above_zero=("learning_rate", "gradient_clip"),
    shares=("ema", "validation"),
)


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
            FileNotFoundError, ValueError: no such file, or an entry that does not exist or makes no sense.
        """
        values = packaged_entries("flow") | own_entries(path)
        values |= {key: value for key, value in overrides.items() if value is not None}
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown training settings: {', '.join(sorted(unknown))}; see config/flow.yaml")
        return cls(network=_network(values.pop("network")), **values)

    def __post_init__(self) -> None:
        check_kinds(self)
        _RANGES.check(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the run's record and for resuming."""
        return asdict(self)


def _network(values: Any) -> NetworkConfig:
    names = {field.name for field in fields(NetworkConfig)}
    require_entries(values, names, names, "network")
    plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return NetworkConfig(**plain)
