"""Bounds of the operator's residual (paper, appendix A.4.1)."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_policy.layout import DELTA_POSE

from rfs_control import limit_file

_ROUNDING = 1 - 1e-6
"""A vector that is shortened gets a little shorter than its bound, so that float32 does not lift it over."""


@dataclass(frozen=True)
class ResidualBounds:
    """How far an operator may move one action away from the policy's, and where.

    `translation`: longest palm translation, m. `finger`: largest change of each finger target, rad.
    `palm_height`: height of the palm frame over the table's top up to which corrections count, m. The palm's
    rotation is not correctable.
    """

    translation: float
    finger: float
    palm_height: float

    @classmethod
    def load(cls, path: str | Path | None = None) -> "ResidualBounds":
        """Read a YAML file (None: the package's `config/residual.yaml`).

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a key is missing or unknown, or a value is not a bound; the text names it.
        """
        values, source = limit_file.read(path, "residual.yaml", [field.name for field in fields(cls)])
        return cls(**{key: limit_file.positive(values[key], f"{key} in {source}") for key in values})

    def bounded(self, residual: ArrayLike) -> NDArray[np.float32]:
        """The residual (22,) in the layout `DELTA_POSE`, shortened into the bounds; unchanged when inside.

        The bounds hold for the float32 numbers that are returned: bounding them again changes nothing.

        Raises:
            ValueError: it has another shape or is not finite.
        """
        bounded = np.array(residual, dtype=np.float32)
        if bounded.shape != (DELTA_POSE.action_dim,):
            raise ValueError(f"residual: shape {bounded.shape}, not ({DELTA_POSE.action_dim},)")
        if not np.isfinite(bounded).all():
            raise ValueError("residual: a number is not finite")
        bounded[:3] = _shortened(bounded[:3].astype(np.float64), self.translation)
        bounded[3:6] = 0.0
        finger = _below(self.finger)
        bounded[6:] = np.clip(bounded[6:], -finger, finger)
        return bounded

    def allows(self, palm_height: float) -> bool:
        """Whether corrections count with the palm frame so high over the table's top (m)."""
        return bool(palm_height <= self.palm_height)


def _shortened(vector: NDArray[np.float64], longest: float) -> NDArray[np.float64]:
    length = np.linalg.norm(vector)
    return vector if length <= longest else vector * (longest / length * _ROUNDING)


def _below(bound: float) -> np.float32:
    """The largest float32 number that is not above the bound."""
    nearest = np.float32(bound)
    return nearest if float(nearest) <= bound else np.nextafter(nearest, np.float32(0))
