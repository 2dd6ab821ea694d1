"""What differs between two sets of settings, for people."""

from collections.abc import Mapping
from typing import Any


def differences(usual: Any, present: Any, name: str = "") -> list[str]:
    """`ppo.gamma (0.9 instead of 0.98)`: present instead of usual, for all that differs in two pieces of JSON
    data."""
    if isinstance(usual, Mapping) and isinstance(present, Mapping):
        return [
            text
            for key in {**usual, **present}
            for text in differences(usual.get(key), present.get(key), f"{name}.{key}".lstrip("."))
        ]
    return [] if usual == present else [f"{name} ({_short(present)} instead of {_short(usual)})"]


def _short(value: Any) -> str:
    """Of a hash its first digits do."""
    if isinstance(value, str) and len(value) == 64:
        return f"{value[:12]}..."
    return "none" if value is None else str(value)
