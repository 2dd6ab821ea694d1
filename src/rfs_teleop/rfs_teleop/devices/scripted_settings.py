"""How the scripted operator behaves: the entries below `settings` in `scripted.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rfs_teleop.devices import config

_SPOTS = ("power_spot", "pinch_spot")


@dataclass(frozen=True)
class ScriptedSettings:
    """In s, m and shares of full deflection; `scripted.yaml` explains each."""

    reaction_seconds: float
    follow_seconds: float
    watch_height: float
    power_spot: tuple[float, float]
    pinch_spot: tuple[float, float]
    gain: float
    tolerance: float
    reach: float
    squeeze: float
    patience_seconds: float
    judge_seconds: float
    success_lift: float
    eye_noise: float
    hand_noise: float
    hesitation: float
    mistake: float

    @classmethod
    def checked(cls, entries: Mapping[str, Any], source: str) -> "ScriptedSettings":
        """ConfigError names the entry that is wrong."""
        what = f"settings in {source}"
        names = {field.name for field in fields(cls)}
        found = config.keys(entries, names, what)
        values: dict[str, Any] = {
            name: config.number(found[name], 0.0, 1e4, f"{name} of {what}") for name in names - {*_SPOTS}
        }
        for name in _SPOTS:
            spot = found[name] if isinstance(found[name], list) and len(found[name]) == 2 else [None]
            both = f"both numbers of {name} of {what}"
            values[name] = tuple(config.number(value, -0.5, 0.5, both) for value in spot)
        return cls(**values)
