"""Modulation of a frozen flow policy: one interface, (o) -> (a0, a_r) (paper, section 4.1, equation 8).

Residual RL chooses a_r, latent steering chooses a0, Residual Flow Steering chooses both; the base policy's
weights are never touched. Node, simulator and evaluation all act through this interface.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Observation:
    """What a modulation may look at, for B robots.

    `cloud` (B, N, 3) in m, base frame; `state` (B, S), see `layout.STATE_NAMES`; `context` (B, C), the frozen
    encoder's features of both.
    """

    cloud: Array
    state: Array
    context: Array


class Modulation(Protocol):
    """Chooses the flow's initial noise a0 and the residual a_r."""

    def __call__(self, observation: Observation, noise: Array) -> tuple[Array, Array]:
        """Choose for B observations.

        Args:
            noise: (B, H, D) drawn from N(0, I) by the caller, so that all randomness has one seed: the base
                policy's own a0, or the sample behind a stochastic modulation's choice.

        Returns:
            a0 (B, H, D), in the flow's normalized space, and a_r (B, H, D), in the action's units (m, rad).
        """
        ...


class NoModulation:
    """The base policy as it was trained: a0 ~ N(0, I), a_r = 0."""

    def __call__(self, observation: Observation, noise: Array) -> tuple[Array, Array]:
        """The drawn noise itself, and zeros; both (B, H, D)."""
        return noise, np.zeros_like(noise)
