"""The policy's chunk of actions as the executor takes it from a message."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import BASE_FRAME
from rfs_policy.layout import DELTA_POSE


@dataclass(frozen=True)
class PolicyChunk:
    """`base` and `residual` (H, 22), float32, layout `DELTA_POSE`, for the observation of `stamp` (ns)."""

    stamp: int
    base: NDArray[np.float32]
    residual: NDArray[np.float32]

    @classmethod
    def checked(
        cls,
        stamp: int,
        layout: str,
        frame: str,
        shape: tuple[int, int],
        base: Sequence[float],
        residual: Sequence[float],
    ) -> "PolicyChunk":
        """From a message's fields; `shape` is (horizon, action_dim), the arrays are row-major.

        Raises:
            ValueError: what is wrong with the message and what to do.
        """
        if layout != DELTA_POSE.name:
            raise ValueError(f"policy action: layout '{layout}', but the executor takes '{DELTA_POSE.name}'")
        if frame != BASE_FRAME:
            raise ValueError(f"policy action: frame '{frame}', but actions must be in '{BASE_FRAME}'")
        if shape[0] < 1 or shape[1] != DELTA_POSE.action_dim:
            raise ValueError(f"policy action: {shape[0]} actions of {shape[1]} numbers, not of 22")
        chunk = cls(stamp, _array(base, shape, "base_action"), _array(residual, shape, "residual"))
        with np.errstate(over="ignore"):
            if not np.isfinite(chunk.base + chunk.residual).all():
                raise ValueError("policy action: base_action + residual has a number that is not finite")
        return chunk


def _array(numbers: Sequence[float], shape: tuple[int, int], name: str) -> NDArray[np.float32]:
    array = np.asarray(numbers, dtype=np.float32)
    if array.size != shape[0] * shape[1]:
        raise ValueError(f"policy action: {name} has {array.size} numbers, not {shape[0]} x {shape[1]}")
    if not np.isfinite(array).all():
        raise ValueError(f"policy action: {name} has a number that is not finite")
    return array.reshape(shape)
