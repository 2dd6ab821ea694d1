"""The operator's residual as the executor takes it from a message."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME
from rfs_policy.layout import DELTA_POSE


def _nothing() -> NDArray[np.float32]:
    return np.zeros(DELTA_POSE.action_dim, dtype=np.float32)


@dataclass(frozen=True)
class Correction:
    """Answer of the operator to the observation of `stamp` (ns; 0: a sign of life).

    `read`: when the device was read, ns. `residual` (22,), float32, layout `DELTA_POSE`: zeros unless the
    operator is correcting. `problem`: why there is no operator; empty while there is.
    """

    stamp: int
    read: int
    residual: NDArray[np.float32]
    problem: str = ""
    refused: bool = False
    """Stands for a message that cannot be used; `problem` says why."""

    @classmethod
    def checked(
        cls, stamp: int, read: int, frame: str, active: bool, residual: Sequence[float], problem: str
    ) -> "Correction":
        """From a message's fields. A message without a residual (a sign of life) needs no frame.

        Raises:
            ValueError: what is wrong with the message.
        """
        if not active and not len(residual):
            return cls(stamp, read, _nothing(), problem)
        if frame != BASE_FRAME:
            raise ValueError(f"correction: frame '{frame}', but residuals must be in '{BASE_FRAME}'")
        numbers = np.asarray(residual, dtype=np.float32)
        if numbers.shape != (DELTA_POSE.action_dim,):
            raise ValueError(f"correction: residual has {numbers.size} numbers, not {DELTA_POSE.action_dim}")
        if not np.isfinite(numbers).all():
            raise ValueError("correction: residual has a number that is not finite")
        return cls(stamp, read, numbers if active and not problem else _nothing(), problem)

    @classmethod
    def unusable(cls, stamp: int, read: int, reason: str) -> "Correction":
        """In place of a message that cannot be used: nobody corrects."""
        return cls(stamp, read, _nothing(), reason, refused=True)
