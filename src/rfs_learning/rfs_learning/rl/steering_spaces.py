"""Action spaces over a frozen flow policy: residual RL, latent steering (DSRL) and both (RFS).

Equations 4, 5 and 9 of the paper, as rows of its table 2.
"""

from functools import cache

import torch
from rfs_control.limits import Limits
from torch import Tensor

from rfs_learning.rl.action_space import ARM_DIM, HAND_DIM, ActionSpace
from rfs_learning.rl.flow_base import FlowBase
from rfs_learning.rl.rl_config import ResidualBound, SteeringConfig


def arm_steps(u: Tensor, rate: float) -> Tensor:
    """Palm deltas (n, 6), m and rad, of an arm that is learned from scratch: u (n, 6) in the executor's
    largest steps at `rate` Hz, cut to +-1. A task with a `speed` below 1 cuts what is beyond its own."""
    return u.clamp(-1.0, 1.0) * _largest_step(rate)


@cache
def _largest_step(rate: float) -> Tensor:
    """(6,) largest palm delta at that rate, m and rad."""
    limits = Limits.load(period=1.0 / rate)
    return torch.tensor([limits.translation_step] * 3 + [limits.rotation_step] * 3)


def residual_bounds(bound: ResidualBound) -> Tensor:
    """(22,) largest residual of each number of an action, m and rad."""
    return torch.tensor([bound.translation] * 3 + [bound.rotation] * 3 + [bound.fingers] * HAND_DIM)


class FlowSteering(ActionSpace):
    """Modulates a frozen base: a = Push(o, a0) + a_r.

    u is, in this order: 6 palm deltas where the base moves the hand only; H x D entries of a0 where `latent`;
    D entries of a_r, in residual bounds, where `residual`. a_r is the same for all steps of a chunk, or
    chosen for each executed one where `each_step` (then D entries for each). Without `latent`, a0 is drawn
    from N(0, I). At u = 0 the action is the base policy's at a0 = 0, exactly.

    grown_at: share of the budget over which the residual's bounds grow from 0 to their size, in a line: a
    policy that has yet to learn steers the base at first, and mends it later. (Policy Decorator, Yuan et al.
    2024, mixes by chance instead.) 0: they have their size from the start.
    """

    bounds: Tensor

    def __init__(
        self,
        base: FlowBase,
        steering: SteeringConfig,
        rate: float,
        *,
        latent: bool,
        residual: bool,
        execute: int = 1,
        each_step: bool = False,
        grown_at: float = 0.0,
    ) -> None:
        if execute > base.horizon:
            raise ValueError(
                f"{execute} steps of a chunk are to be executed, the base's have {base.horizon}: "
                "raise base.horizon"
            )
        super().__init__()
        self.base = base.requires_grad_(False).eval()
        self.rate, self.execute, self.noise_bound = rate, execute, steering.noise_bound
        horizon, dim = base.horizon, base.action_dim
        arm = ARM_DIM if dim == HAND_DIM else 0
        self.latent = slice(arm, arm + horizon * dim * latent)
        self._residual_steps, self._grown_at = execute if each_step else 1, grown_at
        self.paced = grown_at > 0.0
        self.residual = slice(self.latent.stop, self.latent.stop + self._residual_steps * dim * residual)
        self.dim = self.residual.stop
        self.noise_shape = None if latent else (horizon, dim)
        self._grown = residual_bounds(steering.residual)[-dim:]
        self.register_buffer("bounds", self._grown.clone())
        std = torch.full((self.dim,), steering.arm_std)
        std[self.latent], std[self.residual] = steering.noise_std, steering.residual_std
        self.initial_std = std

    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        chunk = self.base.push(observation, self.initial_noise(u, noise))
        if self.residual.start < self.residual.stop:
            chunk = chunk + self._residual_of(u, chunk.shape[1])
        if self.base.action_dim == HAND_DIM:
            arm = arm_steps(u[:, :ARM_DIM], self.rate)
            chunk = torch.cat([arm[:, None].expand(-1, chunk.shape[1], -1), chunk], dim=2)
        return chunk

    def progress(self, share: float) -> None:
        if self._grown_at:
            self.bounds.copy_(self._grown * min(share / self._grown_at, 1.0))

    def _residual_of(self, u: Tensor, horizon: int) -> Tensor:
        """a_r (n, H, D) of choices; that of the last step that has its own also for those after it."""
        parts = u[:, self.residual].reshape(len(u), self._residual_steps, -1).clamp(-1.0, 1.0)
        after = parts[:, -1:].expand(-1, horizon - self._residual_steps, -1)
        return torch.cat([parts, after], dim=1) * self.bounds

    def initial_noise(self, u: Tensor, noise: Tensor | None) -> Tensor:
        """a0 (n, H, D) of choices u (n, dim), cut to its bound; drawn noise or zeros where PPO has no say."""
        shape = (len(u), self.base.horizon, self.base.action_dim)
        if self.noise_shape is None:
            return u[:, self.latent].clamp(-self.noise_bound, self.noise_bound).reshape(shape)
        return u.new_zeros(shape) if noise is None else noise
