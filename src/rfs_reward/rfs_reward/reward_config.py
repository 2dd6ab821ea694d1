"""Settings of the reward from vision, read from config/reward.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

HIGHEST_TABLE = 0.03  # m: `rfs_reward.table` finds it no farther from z = 0


@dataclass(frozen=True)
class TermConfig:
    """Weights of the two terms (>= 0), the distance (m) at which closeness has fallen to a quarter, and the
    lift (m) at which its term is 1."""

    closeness: float = 0.4
    lift: float = 2.0
    closeness_scale: float = 0.167
    target_lift: float = 0.25

    def __post_init__(self) -> None:
        _check(self, "reward", zero_allowed=("closeness", "lift"))


@dataclass(frozen=True)
class SuccessConfig:
    """When a grasp counts: lift (m), how much less may be measured (m), hold time (s)."""

    lift: float = 0.20
    tolerance: float = 0.01
    hold_seconds: float = 0.5

    def __post_init__(self) -> None:
        _check(self, "success", zero_allowed=("tolerance", "hold_seconds"))


@dataclass(frozen=True)
class ObjectConfig:
    """Height of the table (m, base frame, near 0) and the time out of sight (s) after which an object is
    lost."""

    table_height: float = 0.0
    lost_after: float = 2.0

    def __post_init__(self) -> None:
        _check(self, "object", zero_allowed=("table_height",), negative_allowed=("table_height",))
        if abs(self.table_height) > HIGHEST_TABLE:
            raise ValueError(
                f"object.table_height must be within {HIGHEST_TABLE} m of the base frame's z = 0, where the "
                f"workspace begins, got {self.table_height!r}"
            )


@dataclass(frozen=True)
class RewardConfig:
    """All settings of `Judge`; `load()` reads the packaged YAML. automatic: prompt without being asked to."""

    automatic: bool = True
    reward: TermConfig = field(default_factory=TermConfig)
    success: SuccessConfig = field(default_factory=SuccessConfig)
    object: ObjectConfig = field(default_factory=ObjectConfig)

    def __post_init__(self) -> None:
        if not isinstance(self.automatic, bool):
            raise ValueError(f"automatic must be true or false, got {self.automatic!r}")

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Settings of a YAML file (None: the packaged ones); entries that it leaves out keep their defaults.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not YAML, an entry is unknown or out of range; the text names it.
        """
        source = files("rfs_reward").joinpath("config/reward.yaml") if path is None else Path(path)
        if not source.is_file():
            raise FileNotFoundError(f"no reward configuration at {source}")
        try:
            entries = yaml.safe_load(source.read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{source} is not YAML: {error}") from error
        try:
            return _build(cls, {} if entries is None else entries, "")
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error


def _build(kind: Any, entries: Any, where: str) -> Any:
    known = {f.name: f for f in fields(kind)}
    if not isinstance(entries, Mapping):
        raise ValueError(f"{where.rstrip('.') or 'the file'} must have the entries {', '.join(known)}")
    values = {}
    for key, value in entries.items():
        if key not in known:
            raise ValueError(f"unknown setting '{where}{key}'; known: {', '.join(known)}")
        nested = known[key].default_factory
        section = isinstance(nested, type) and is_dataclass(nested)
        values[key] = _build(nested, value, f"{where}{key}.") if section else value
    return kind(**values)


def _check(
    section: Any, name: str, zero_allowed: tuple[str, ...] = (), negative_allowed: tuple[str, ...] = ()
) -> None:
    """ValueError unless every entry is a finite number > 0 (or >= 0, or any, where that is allowed)."""
    for entry in fields(section):
        value = getattr(section, entry.name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
        low = -np.inf if entry.name in negative_allowed else 0.0
        if not number or value < low or (value == 0 and entry.name not in zero_allowed):
            wanted = (
                "a number" if low else "a number >= 0" if entry.name in zero_allowed else "a positive number"
            )
            raise ValueError(f"{name}.{entry.name} must be {wanted}, got {value!r}")
