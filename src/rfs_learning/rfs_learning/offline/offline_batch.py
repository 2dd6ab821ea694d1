"""Transitions as offline algorithms take them."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Seen:
    """B observations: cloud (B, N, 3) m (not read by a modulation on the base's encoder, and then empty),
    state (B, S), context (B, C) of the frozen encoder."""

    cloud: Tensor
    state: Tensor
    context: Tensor


@dataclass(frozen=True)
class OfflineBatch:
    """B transitions.

    Attributes:
        now, then: o, s and o', s'.
        base_action, action, residual: (B, D) m and rad: a_b, a, and a_r within its bounds.
        noise: (B, H, D) a0 behind a_b.
        reward: (B,) so that Q is the discounted mean reward from here on, see `OfflineData`.
        outcome: (B,) Q as the data's own episode shows it, see `OfflineData`.
        done: (B,) 1 where s' is terminal, else 0.
        next_action: (B, D) a of the transition that follows; `follows` (B,) 1 where there is one, else 0.
    """

    now: Seen
    base_action: Tensor
    action: Tensor
    residual: Tensor
    noise: Tensor
    reward: Tensor
    outcome: Tensor
    done: Tensor
    then: Seen
    next_action: Tensor
    follows: Tensor

    def __len__(self) -> int:
        return len(self.reward)
