"""Sizes and bounds of a learned modulation; no torch, so that a robot's node can read them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rfs_policy.layout import Layout
from rfs_policy.scales import BOUND_SCALE

Encoder = Literal["base", "own"]

# What an operator may correct (paper, appendix A.4.1; config/residual.yaml of rfs_control): the palm's
# translation by 15 mm in length, its rotation not at all, each finger by 0.05 rad.
OPERATOR_BOUND = (0.015,) * 3 + (0.0,) * 3 + (0.05,) * 16


@dataclass(frozen=True)
class ModulationConfig:
    """What a modulation chooses, what it looks at, and how far it may go.

    Attributes:
        latent: it chooses a0; if not, a0 is the noise that the caller drew (residual RL).
        residual: it chooses a_r; if not, a_r = 0 (latent steering, DSRL).
        encoder: "base": the frozen base's features of the observation; "own": a point encoder of its own.
        hidden: widths of the layers between features and heads.
        noise_bound: largest entry of a0, in standard deviations.
        residual_bound: (D,) m and rad: largest entry of a_r each; 0 is never touched. The palm's translation
            has one bound three times over, that of its length.
    """

    latent: bool = True
    residual: bool = True
    encoder: Encoder = "base"
    hidden: tuple[int, ...] = (256, 256)
    noise_bound: float = 2.0
    residual_bound: tuple[float, ...] = OPERATOR_BOUND

    def __post_init__(self) -> None:
        for name in ("latent", "residual"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        if not self.latent and not self.residual:
            raise ValueError("a modulation that chooses neither a0 nor a_r is the base policy: choose one")
        if self.encoder not in get_args(Encoder):
            raise ValueError(f"encoder must be one of {', '.join(get_args(Encoder))}, got {self.encoder!r}")
        if not isinstance(self.hidden, tuple) or not all(map(_is_width, self.hidden)):
            raise ValueError(f"hidden must be whole numbers above 0, got {self.hidden!r}")
        if not _is_number(self.noise_bound) or self.noise_bound <= 0:
            raise ValueError(f"noise_bound must be a positive number, got {self.noise_bound!r}")
        bound = self.residual_bound
        if not isinstance(bound, tuple) or not all(_is_number(b) and b >= 0 for b in bound):
            raise ValueError(f"residual_bound must be numbers from 0 on, got {bound!r}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModulationConfig":
        """Settings from JSON or YAML data, what `to_dict` gave among them; what is missing is the default.

        Raises:
            ValueError: an entry is unknown or has a value that is not allowed; the text names it.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"a modulation's settings must be a mapping, got {values!r}")
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(map(str, values)) - set(known))
        if unknown:
            raise ValueError(f"unknown entry '{unknown[0]}' of a modulation; known: {', '.join(known)}")
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def largest_residual(self) -> NDArray[np.float32]:
        """(D,) residual bounds as the networks meet them: a little less, so that rounding stays inside."""
        return (np.array(self.residual_bound, np.float64) * BOUND_SCALE).astype(np.float32)

    def residual_parts(self, layout: Layout) -> NDArray[np.float32]:
        """(D, D), 1 where two entries of a_r are bounded together in length, 0 elsewhere: the entries of the
        palm's translation, and each other entry with itself.

        Raises:
            ValueError: `residual_bound` does not fit the layout.
        """
        names, bound = layout.action_names, self.residual_bound
        if len(bound) != len(names):
            raise ValueError(
                f"residual_bound has {len(bound)} numbers, layout '{layout.name}' {len(names)} in an action"
            )
        palm = [i for i, name in enumerate(names) if name.startswith("palm_translation_")]
        if len({bound[i] for i in palm}) > 1:
            raise ValueError(
                f"residual_bound begins with {[bound[i] for i in palm]}: the length of the palm's "
                "translation has one bound, so give one number three times"
            )
        parts = np.eye(len(names), dtype=np.float32)
        parts[np.ix_(palm, palm)] = 1.0
        return parts


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_width(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
