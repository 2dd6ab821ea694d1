"""The YAML beside each device: dead band, what its axes correct, what its buttons mean, its own settings."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rfs_teleop.devices.buttons import COMMANDS, GESTURES, STATES, Binding
from rfs_teleop.devices.device import AXES

DEVICES = ("spacemouse", "keyboard", "gamepad", "scripted")
TARGETS = ("palm_x", "palm_y", "palm_z", "fingers")
"""What an axis may correct: the palm along the base frame's axes, and all fingers (positive closes)."""
_KEYS = {"dead_band", "residual", "hold_seconds", "buttons", "settings"}


class ConfigError(ValueError):
    """A device's YAML is wrong; the text names file, entry and what is allowed."""


@dataclass(frozen=True)
class AxisUse:
    """`gain` is the share of the bound at the axis' full deflection; negative turns the direction round."""

    axis: str
    gain: float


@dataclass(frozen=True)
class DeviceConfig:
    """`residual` by name of `TARGETS`; `settings` are the device's own and checked by it."""

    device: str
    source: str
    dead_band: float
    residual: dict[str, AxisUse]
    hold_seconds: float
    bindings: tuple[Binding, ...]
    settings: dict[str, Any]

    @classmethod
    def load(cls, device: str, path: str | Path | None = None) -> "DeviceConfig":
        """Read a device's YAML; None: the packaged one.

        Raises:
            FileNotFoundError: there is no such file.
            ConfigError: the device is unknown, or an entry is wrong.
        """
        if device not in DEVICES:
            raise ConfigError(f"device '{device}' is unknown; devices: {', '.join(DEVICES)}")
        packaged = files("rfs_teleop").joinpath(f"devices/{device}.yaml")
        source = packaged if path is None else Path(path)
        if not source.is_file():
            raise FileNotFoundError(f"no device file {source}; copy {packaged} and change it")
        try:
            entries = yaml.safe_load(source.read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{source} is not YAML: {error}") from error
        return cls._checked(device, str(source), entries)

    @classmethod
    def _checked(cls, device: str, source: str, entries: Any) -> "DeviceConfig":
        entries = keys(entries, _KEYS, source)
        return cls(
            device=device,
            source=source,
            dead_band=number(entries["dead_band"], 0.0, 0.9, f"dead_band in {source}"),
            residual=_residual(entries["residual"], f"residual in {source}"),
            hold_seconds=number(entries["hold_seconds"], 0.1, 5.0, f"hold_seconds in {source}"),
            bindings=_bindings(entries["buttons"], f"buttons in {source}"),
            settings=mapping(entries["settings"], f"settings in {source}"),
        )


def keys(value: Any, expected: set[str], what: str) -> dict[str, Any]:
    """A mapping with exactly these keys; ConfigError names those that are missing or unknown."""
    found = mapping(value, what)
    missing, unknown = sorted(expected - found.keys()), sorted(map(str, found.keys() - expected))
    if missing or unknown:
        problems = [f"lacks {', '.join(missing)}"] * bool(missing)
        problems += [f"has unknown {', '.join(unknown)}"] * bool(unknown)
        raise ConfigError(f"{what} {' and '.join(problems)}; entries: {', '.join(sorted(expected))}")
    return found


def mapping(value: Any, what: str) -> dict[str, Any]:
    """A mapping; ConfigError for anything else."""
    if not isinstance(value, dict):
        raise ConfigError(f"{what} must be a mapping, got {value!r}")
    return value


def number(value: Any, lowest: float, highest: float, what: str) -> float:
    """A number within limits; ConfigError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise ConfigError(f"{what} must be a number from {lowest:g} to {highest:g}, got {value!r}")
    return float(value)


def choice(value: Any, choices: tuple[str, ...], what: str) -> str:
    """One of some words; ConfigError for anything else."""
    if value not in choices:
        raise ConfigError(f"{what} must be one of {', '.join(choices)}; got {value!r}")
    return str(value)


def words(value: Any, what: str) -> list[str]:
    """A word, or a list of words; ConfigError for anything else."""
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(word, str) and word for word in found):
        raise ConfigError(f"{what}: a word or a list of words is needed, got {value!r}")
    return found


def _residual(value: Any, what: str) -> dict[str, AxisUse]:
    uses = {}
    for target, use in mapping(value, what).items():
        name = choice(target, TARGETS, f"each entry of {what}")
        entry = keys(use, {"axis", "gain"}, f"{name} of {what}")
        axis = choice(entry["axis"], AXES, f"axis of {name} of {what}")
        gain = number(entry["gain"], -10.0, 10.0, f"gain of {name} of {what}")
        uses[name] = AxisUse(axis, gain)
    if not uses:
        raise ConfigError(f"{what} is empty: nothing could be corrected")
    return uses


def _bindings(value: Any, what: str) -> tuple[Binding, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{what} must be a list, got {value!r}")
    return tuple(_binding(entry, f"entry {index} of {what}") for index, entry in enumerate(value, 1))


def _binding(value: Any, what: str) -> Binding:
    entry = mapping(value, what)
    gestures = [gesture for gesture in GESTURES if gesture in entry]
    if len(gestures) != 1 or not {"command"} <= entry.keys() <= {*gestures, "command", "when"}:
        raise ConfigError(
            f"{what} must have one of {', '.join(GESTURES)}, a command and perhaps when: {entry}"
        )
    gesture = gestures[0]
    buttons = words(entry[gesture], what)
    if gesture != "press" and len(buttons) != 1:
        raise ConfigError(f"{what}: only press takes several buttons")
    states = words(entry["when"], what) if "when" in entry else []
    checked = frozenset(choice(state, STATES, f"when of {what}") for state in states)
    return Binding(
        gesture, frozenset(buttons), choice(entry["command"], COMMANDS, f"command of {what}"), checked
    )
