"""Action space of the VQ-VAE baseline: PPO picks finger motions from a codebook, and adds a residual."""

from typing import Self

import torch
from torch import Tensor

from rfs_learning.rl.action_space import ARM_DIM, HAND_DIM
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.features import COMMAND_FINGERS
from rfs_learning.rl.joint_spaces import ScratchSpace
from rfs_learning.rl.rl_config import SteeringConfig
from rfs_learning.rl.vqvae import HORIZON, FingerVqVae, VqVaeConfig, train_vqvae

CODE_STD = 1.28
"""Deviation of the scores at the start: that of a Gumbel variable, with which the highest score would be one
drawn as often as demonstrations use the code; a Gaussian comes close."""
_LEAST_SHARE = 1e-3  # a code that the demonstrations do not use stays within reach


class VqVaeSpace(ScratchSpace):
    """2 x 8 scores of codes and 16 residuals (paper, table 2 and appendix A.2.3), two steps open loop.

    "8 (VQ codes) x 2 (horizon)" is read as one score for each of eight codes at each of two steps. A step
    gets the code whose score plus the logarithm of its share in the demonstrations is highest: u = 0 decodes
    the commonest motion, and at first PPO picks codes about as often as demonstrations do. The decoder goes
    on from the last commanded fingers. Table 2 leaves out the residual that the text has: 16 numbers within
    the bound that RFS has, "the same residual adjustment across two steps".
    """

    def __init__(self, steering: SteeringConfig, rate: float, config: VqVaeConfig | None = None) -> None:
        """An untrained space for `load_state_dict`; see `fit`."""
        config = config or VqVaeConfig()
        scores = torch.full((HORIZON * config.codes,), CODE_STD)
        residual = torch.full((HAND_DIM,), steering.residual_std)
        super().__init__(steering, rate, torch.cat([scores, residual]), execute=HORIZON)
        self.vqvae = FingerVqVae(config).requires_grad_(False).eval()
        self.scores = slice(ARM_DIM, ARM_DIM + len(scores))
        self.residual = slice(self.scores.stop, self.dim)
        self.bound = steering.residual.fingers

    @classmethod
    def fit(
        cls,
        demonstrations: Demonstrations,
        steering: SteeringConfig,
        rate: float,
        config: VqVaeConfig | None = None,
        seed: int = 0,
    ) -> Self:
        """Train the VQ-VAE on demonstrations, some seconds.

        Raises:
            ValueError: too few demonstrations, or of another rate, in which a step means another motion.
        """
        if demonstrations.rate != rate:
            raise ValueError(
                f"demonstrations at {demonstrations.rate:g} Hz cannot teach finger motions at {rate:g} Hz: "
                "collect them at the task's control rate"
            )
        config = config or VqVaeConfig()
        space = cls(steering, rate, config)
        space.vqvae = train_vqvae(demonstrations, config, seed)
        return space

    def choose_codes(self, u: Tensor) -> Tensor:
        """Numbers (n, 2) of the codes that u (n, dim) picks."""
        share = self.vqvae.use.clamp(min=_LEAST_SHARE)
        return (u[:, self.scores].reshape(len(u), *share.shape) + share.log()).argmax(dim=2)

    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        fingers = self.vqvae.decode_codes(observation[:, COMMAND_FINGERS], self.choose_codes(u))
        residual = self.bound * u[:, self.residual].clamp(-1.0, 1.0)
        return self._with_arm(u, fingers + residual[:, None])
