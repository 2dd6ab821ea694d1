"""A learned modulation on PyTorch: for batches, and for one that is still in training."""

import torch

from rfs_policy.modulation import Array, Observation
from rfs_policy.modulation_network import ModulationNetwork


class TorchModulation:
    """A network as it is now; it is not copied."""

    def __init__(self, network: ModulationNetwork) -> None:
        self.network = network

    @torch.no_grad()
    def choose(self, observation: Observation, noise: Array) -> tuple[Array, Array]:
        """a0 (B, H, D) and a_r (B, D); noise (B, H, D) is a0 where the modulation does not choose it."""
        arrays = (observation.cloud, observation.state, observation.context, noise)
        a0, residual = self.network(*map(torch.from_numpy, arrays))
        return a0.numpy(), residual.numpy()
