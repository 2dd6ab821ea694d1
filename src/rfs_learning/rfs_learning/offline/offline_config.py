"""Settings of offline learning, from YAML (`config/offline.yaml` documents each)."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from rfs_policy.modulation_config import OPERATOR_BOUND, Encoder, ModulationConfig

from rfs_learning.entries import own_entries, packaged_entries
from rfs_learning.offline.noise_recovery import Method as Recovery
from rfs_learning.setting_ranges import Ranges

Method = Literal["rfs", "residual", "dsrl"]
Algorithm = Literal["td3_bc", "iql", "rebrac"]
CriticInput = Literal["sum", "residual", "separate"]
NoiseSource = Literal["logged", "recovered"]

_CHOICES: Mapping[str, Any] = {
    "method": Method,
    "algorithm": Algorithm,
    "critic": CriticInput,
    "encoder": Encoder,
    "noise_source": NoiseSource,
    "recovery": Recovery,
}
_RANGES = Ranges(
    least={
        **dict.fromkeys(("policy_delay", "steps", "threads", "log_every", "save_every"), 1),
        **dict.fromkeys(("warmup", "seed"), 0),
        "batch": 2,
    },
    from_zero=("smoothing", "smoothing_clip", "residual_bc", "noise_bc", "critic_penalty", "actor_penalty"),
    above_zero=("noise_bound", "temperature", "learning_rate", "gradient_clip"),
    shares=("discount", "target_rate", "expectile", "validation"),
)


@dataclass(frozen=True)
class OfflineConfig:
    """One training run; see `config/offline.yaml`."""

    method: Method
    algorithm: Algorithm
    critic: CriticInput
    encoder: Encoder
    hidden: tuple[int, ...]
    noise_bound: float
    residual_bound: tuple[float, ...]
    noise_source: NoiseSource
    recovery: Recovery
    discount: float
    critic_hidden: tuple[int, ...]
    smoothing: float
    smoothing_clip: float
    policy_delay: int
    target_rate: float
    residual_bc: float
    noise_bc: float
    expectile: float
    temperature: float
    critic_penalty: float
    actor_penalty: float
    steps: int
    warmup: int
    batch: int
    learning_rate: float
    gradient_clip: float
    seed: int
    threads: int
    validation: float
    log_every: int
    save_every: int

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(kind))}: {getattr(self, name)!r}"
                )
        _RANGES.check(self)
        if not _are_widths(self.critic_hidden):
            raise ValueError(f"critic_hidden must be whole numbers above 0, got {self.critic_hidden!r}")
        if self.method == "dsrl" and self.critic == "residual":
            raise ValueError("critic 'residual' does not see a0, which is all that dsrl chooses: take 'sum'")
        self.modulation()

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, **overrides: Any) -> "OfflineConfig":
        """The packaged settings, then the entries of a YAML file, then `overrides` that are not None.

        Raises:
            FileNotFoundError, ValueError: no such file, or an entry that does not exist or is not allowed.
        """
        values = packaged_entries("offline") | own_entries(path)
        values |= {key: value for key, value in overrides.items() if value is not None}
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown setting '{min(unknown)}'; see config/offline.yaml")
        values["residual_bound"] = values["residual_bound"] or OPERATOR_BOUND
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)

    def modulation(self) -> ModulationConfig:
        """Of the network that is trained."""
        return ModulationConfig(
            latent=self.method != "residual",
            residual=self.method != "dsrl",
            encoder=self.encoder,
            hidden=self.hidden,
            noise_bound=self.noise_bound,
            residual_bound=self.residual_bound,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the run's record."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def _are_widths(values: Any) -> bool:
    """Of at least one layer."""
    return isinstance(values, tuple) and values != () and all(type(v) is int and v > 0 for v in values)
