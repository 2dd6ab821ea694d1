"""What the numbers that PPO chooses mean (paper, table 2): the only place that knows.

Environment, PPO, evaluation and distillation see a vector u and get a chunk of robot actions back.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

ARM_DIM, HAND_DIM, ACTION_DIM = 6, 16, 22


class ActionSpace(nn.Module, ABC):
    """Turns PPO's choice into robot actions. Everything frozen in it (flow, codebook, bounds) is a buffer, so
    that its `state_dict` and its constructor's arguments make it again.

    Attributes:
        dim: numbers that PPO chooses.
        execute: steps of the chunk that the robot executes open loop before the next choice, 1 or 2.
        noise_shape: (H, D) of the flow noise that it draws by itself (residual RL); None where it draws none.
        initial_std: (dim,) deviations of u with which PPO explores at first, and the units that it works
            in. The mean starts at zero.
        latent: the part of u that is the flow's noise a0; may be empty.
        residual: the part of u that is a residual and costs a little in the reward; may be empty.
        paced: what u means changes with the share of the budget that is spent (`progress`).
    """

    dim: int
    execute: int
    noise_shape: tuple[int, int] | None = None
    initial_std: Tensor
    latent: slice = slice(0, 0)
    residual: slice = slice(0, 0)
    paced: bool = False

    @abstractmethod
    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        """Robot actions of n environments.

        Args:
            observation: (n, P) columns `observations.PRIVILEGED_NAMES`, SI units.
            u: (n, dim) PPO's choice, unbounded; bounded in here.
            noise: (n, *noise_shape) drawn from N(0, I); None takes zeros.

        Returns:
            (n, H, 22), H >= execute: palm deltas (m, rad) and absolute finger targets (rad), in the layout
            `delta_pose_22`.
        """

    def progress(self, share: float) -> None:
        """Hears at the begin and after each iteration how much of the budget is spent, 0 to 1."""

    @property
    def steers_flow(self) -> bool:
        """Whether there is an a0, drawn or chosen: else sampling it changes nothing."""
        return self.noise_shape is not None or self.latent.start < self.latent.stop

    def draw_noise(self, count: int, generator: torch.Generator) -> Tensor | None:
        """What `decide` takes as noise, (count, *noise_shape); None where nothing is drawn."""
        if self.noise_shape is None:
            return None
        return torch.randn(count, *self.noise_shape, generator=generator)
