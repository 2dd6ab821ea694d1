"""Implicit Q-learning (Kostrikov et al. 2022): values of actions in the data, and regression on the good.

No action is ever valued that the data do not show, and nothing is pushed through the flow.
"""

import torch
from torch import Tensor

from rfs_learning.offline.algorithm import Figures, OfflineAlgorithm
from rfs_learning.offline.critics import observe
from rfs_learning.offline.offline_batch import OfflineBatch

_LARGEST_WEIGHT = 100.0


class Iql(OfflineAlgorithm):
    """Expectile value, critic, advantage-weighted regression on (a_r, a0) of the data."""

    def update(self, batch: OfflineBatch) -> Figures:
        """One update of value, critic, modulation and targets."""
        network, state = self.state.network, self.state
        value_loss, advantage = self.value_loss(batch)
        figures = {"value_loss": value_loss.item(), "value_gradient": self.descend(value_loss, self._value)}
        loss = self.critic_loss(batch)
        figures |= {"loss": loss.item(), "critic_gradient": self.descend(loss, network.critic)}
        actor_loss = self.actor_loss(batch, advantage)
        figures |= {"actor_loss": actor_loss.item(), "advantage": advantage.abs().mean().item()}
        figures["actor_gradient"] = self.descend(actor_loss, network.modulation)
        self.follow()
        state.step += 1
        return figures

    def value_loss(self, batch: OfflineBatch) -> tuple[Tensor, Tensor]:
        """Expectile regression of V(o, s) on min_i Q'_i; also the advantage (B,) of the data's actions."""
        seen = observe(self.base.network, batch.now.context, batch.now.state)
        value = self._value(seen)[0]
        advantage = self._data_value(batch, seen) - value
        weight = (self.config.expectile - (advantage.detach() < 0).float()).abs()
        return (weight * advantage.square()).mean(), advantage.detach()

    def critic_loss(self, batch: OfflineBatch) -> Tensor:
        """Mean of the squared errors of Q_1 and Q_2 against r + gamma V(o', s'), summed."""
        critic = self.state.network.critic
        seen = observe(self.base.network, batch.now.context, batch.now.state)
        with torch.no_grad():
            then = self._value(observe(self.base.network, batch.then.context, batch.then.state))[0]
            target = batch.reward + self.config.discount * (1.0 - batch.done) * then
        values = critic(seen, critic.see(batch.base_action, batch.action - batch.base_action))
        return (values - target).square().sum(0).mean()

    def actor_loss(self, batch: OfflineBatch, advantage: Tensor) -> Tensor:
        """Distance to a_r and a0 of the data, each as far as it is chosen, weighted by exp(advantage)."""
        scaled = self.config.temperature * advantage / advantage.abs().mean().clamp(min=1e-8)
        weight = scaled.exp().clamp(max=_LARGEST_WEIGHT)
        now, chosen = batch.now, self.config.modulation()
        noise, residual = self.modulation(now.cloud, now.state, now.context)
        error = torch.zeros_like(advantage)
        if chosen.residual:
            error = error + self.residual_error(residual, batch.residual)
        if chosen.latent:
            error = error + self.noise_error(noise, batch.noise)
        return (weight * error).sum() / weight.sum()

    @torch.no_grad()
    def _data_value(self, batch: OfflineBatch, seen: Tensor) -> Tensor:
        critic = self.state.average.critic
        action = critic.see(batch.base_action, batch.action - batch.base_action)
        return critic(seen, action).min(0).values

    @property
    def _value(self) -> torch.nn.Module:
        value = self.state.network.value
        assert value is not None, "networks were made for another algorithm"
        return value
