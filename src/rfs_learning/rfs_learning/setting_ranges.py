"""Whether settings of a training lie in their ranges."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ranges:
    """Names of settings by their range. least: whole numbers with their smallest; from_zero, above_zero:
    finite numbers; shares: numbers from 0 to below 1."""

    least: Mapping[str, int]
    from_zero: tuple[str, ...]
    above_zero: tuple[str, ...]
    shares: tuple[str, ...]

    def check(self, settings: Any) -> None:
        """ValueError names the first setting that is outside, or no number."""
        for name, least in self.least.items():
            value = getattr(settings, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number from {least} on, got {value!r}")
        for name in (*self.from_zero, *self.above_zero, *self.shares):
            self._require_number(name, getattr(settings, name))

    def _require_number(self, name: str, value: Any) -> None:
        sound = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        too_small = sound and (value < 0 or (name in self.above_zero and value == 0))
        if not sound or too_small or (name in self.shares and value >= 1):
            kind = dict.fromkeys(self.shares, "from 0 to below 1") | dict.fromkeys(self.above_zero, "above 0")
            raise ValueError(f"{name} must be a number {kind.get(name, 'from 0 on')}, got {value!r}")
