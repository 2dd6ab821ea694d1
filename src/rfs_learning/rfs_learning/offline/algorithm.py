"""What offline algorithms share: their networks, how a modulation steers the frozen base, steps downhill."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from rfs_policy.flow import push
from rfs_policy.modulation_network import ModulationNetwork
from rfs_policy.torch_base import TorchBase
from torch import Tensor, nn

from rfs_learning.flow_state import TrainingState
from rfs_learning.offline.critics import Ensemble, TwinCritic, observation_size
from rfs_learning.offline.offline_batch import OfflineBatch, Seen
from rfs_learning.offline.offline_config import OfflineConfig

Figures = dict[str, float]


class SteeringNetworks(nn.Module):
    """Modulation (the actor), twin critics, and for IQL a value V(o, s)."""

    def __init__(self, base: TorchBase, config: OfflineConfig) -> None:
        super().__init__()
        self.modulation = ModulationNetwork.beside(base, config.modulation())
        self.critic = TwinCritic(config.critic, base.network, config.critic_hidden)
        inputs = observation_size(base.network)
        self.value = Ensemble(1, inputs, config.critic_hidden) if config.algorithm == "iql" else None


def first_state(base: TorchBase, config: OfflineConfig) -> TrainingState[SteeringNetworks]:
    """Networks drawn from the seed; their average is what TD3 calls the target networks."""
    torch.manual_seed(config.seed)
    networks = SteeringNetworks(base, config)
    optimizer = torch.optim.Adam(networks.parameters(), config.learning_rate, fused=True)
    average = copy.deepcopy(networks).requires_grad_(False)
    return TrainingState(networks, average, optimizer, torch.Generator().manual_seed(config.seed))


@dataclass(frozen=True)
class Steered:
    """What a modulation chooses, and what it makes of the base: noise a0 (B, H, D); base_action a_b, the
    first of Push(o, a0), and residual a_r (B, D), m and rad.
    """

    noise: Tensor
    base_action: Tensor
    residual: Tensor


class OfflineAlgorithm(ABC):
    """Learns a modulation of a frozen base from batches of transitions.

    Args:
        state: networks, their targets, optimizer, generator of all randomness, updates done.
    """

    def __init__(
        self, base: TorchBase, state: TrainingState[SteeringNetworks], config: OfflineConfig
    ) -> None:
        self.base, self.state, self.config = base, state, config
        bound = torch.tensor(config.residual_bound)
        self._touched = bound > 0
        self._bound = bound[self._touched]

    @property
    def modulation(self) -> ModulationNetwork:
        """That is learned."""
        return self.state.network.modulation

    @abstractmethod
    def update(self, batch: OfflineBatch) -> Figures:
        """One update; returns `loss` (of the critic) and other figures, NaN where one was not computed."""

    def steer(self, modulation: ModulationNetwork, seen: Seen) -> Steered:
        """Choose for observations, differentiably through Push; the base's weights stay as they are.

        A modulation that does not choose a0 (residual RL) gets noise as it will when it is deployed, drawn
        from N(0, I).
        """
        layout, drawn = self.base.layout, None
        if not self.config.modulation().latent:
            shape = (len(seen.state), layout.horizon, layout.action_dim)
            drawn = torch.randn(shape, generator=self.state.generator)
        noise, residual = modulation(seen.cloud, seen.state, seen.context, drawn)
        chunk = push(self.base.network.velocity(seen.context), noise, self.base.steps)
        return Steered(noise, self.base.network.denormalize_action(chunk[:, 0]), residual)

    def residual_error(self, residual: Tensor, wanted: Tensor) -> Tensor:
        """(B,) mean over the entries that may be touched of |a_r - wanted|^2 in units of their bounds."""
        if not len(self._bound):
            return residual.new_zeros(len(residual))
        difference = (residual - wanted)[:, self._touched] / self._bound
        return difference.square().mean(1)

    def noise_error(self, noise: Tensor, wanted: Tensor) -> Tensor:
        """(B,) mean of |a0 - wanted|^2 in units of the bound of a0, beyond which nothing can be wanted."""
        bound = self.config.noise_bound
        return ((noise - wanted.clamp(-bound, bound)) / bound).square().mean((1, 2))

    def descend(self, loss: Tensor, network: nn.Module) -> float:
        """Step one network down the gradient of a loss, which may not depend on all of it; returns the
        gradient's length."""
        if not loss.requires_grad:
            return 0.0
        parameters = list(network.parameters())
        self.state.optimizer.zero_grad(set_to_none=True)  # what has no gradient is not touched
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        length = nn.utils.clip_grad_norm_(parameters, self.config.gradient_clip)
        self.state.optimizer.step()
        return length.item()

    @torch.no_grad()
    def follow(self) -> None:
        """Move the target networks by tau towards the networks."""
        pairs = zip(self.state.average.parameters(), self.state.network.parameters(), strict=True)
        for average, value in pairs:
            average.lerp_(value, self.config.target_rate)
