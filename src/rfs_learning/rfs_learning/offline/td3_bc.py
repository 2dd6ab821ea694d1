"""TD3+BC over the modulation (paper, equations 10 and 11): twin critics, target smoothing, delayed actor."""

import math

import torch
from torch import Tensor

from rfs_learning.offline.algorithm import Figures, OfflineAlgorithm, Steered
from rfs_learning.offline.critics import observe
from rfs_learning.offline.offline_batch import OfflineBatch


class Td3Bc(OfflineAlgorithm):
    """The critic learns from what was executed, the actor through critic and Push.

    One step of a chunk is executed at 10 Hz: a' is the first action of the chunk that the target modulation
    chooses at o'.
    """

    def update(self, batch: OfflineBatch) -> Figures:
        """One update of the critic; every `policy_delay`-th one also moves modulation and targets."""
        network, state = self.state.network, self.state
        warm = state.step < self.config.warmup
        loss = self.critic_loss(batch, batch.outcome if warm else self.target(batch))
        figures = {"loss": loss.item(), "critic_gradient": self.descend(loss, network.critic)}
        state.step += 1
        if state.step % self.config.policy_delay:
            return figures | dict.fromkeys(("actor_loss", "q", "behavior", "actor_gradient"), math.nan)
        actor_loss, told = self.imitation(batch) if warm else self.actor_loss(batch)
        figures |= {"actor_loss": actor_loss.item(), **told}
        figures["actor_gradient"] = self.descend(actor_loss, network.modulation)
        self.follow()
        return figures

    def critic_loss(self, batch: OfflineBatch, target: Tensor) -> Tensor:
        """Equation 10: mean of the squared errors of Q_1 and Q_2 against target (B,), summed."""
        critic = self.state.network.critic
        seen = observe(self.base.network, batch.now.context, batch.now.state)
        values = critic(seen, critic.see(batch.base_action, batch.action - batch.base_action))
        return (values - target).square().sum(0).mean()

    @torch.no_grad()
    def target(self, batch: OfflineBatch) -> Tensor:
        """(B,) r + gamma min_i Q'_i(o', s', a'), without the second part where s' is terminal."""
        average, config = self.state.average, self.config
        steered = self.steer(average.modulation, batch.then)
        action = self._smoothed(average.critic.see(steered.base_action, steered.residual))
        seen = observe(self.base.network, batch.then.context, batch.then.state)
        value = average.critic(seen, action).min(0).values - self.next_penalty(batch, steered)
        return batch.reward + config.discount * (1.0 - batch.done) * value

    def next_penalty(self, batch: OfflineBatch, steered: Steered) -> Tensor:
        """(B,) what the value of a' is lowered by."""
        return torch.zeros_like(batch.reward)

    def _smoothed(self, action: Tensor) -> Tensor:
        """a' with clipped noise, in units of the action scale: after Push and the residual, where all that
        the critic sees is of one size. Noise on a0 would vanish in a flow that forgets it.
        """
        config = self.config
        noise = config.smoothing * torch.randn(action.shape, generator=self.state.generator)
        return action + noise.clamp(-config.smoothing_clip, config.smoothing_clip)

    def actor_loss(self, batch: OfflineBatch) -> tuple[Tensor, Figures]:
        """Equation 11, with Q divided by its mean size, so that lambda_BC does not depend on the rewards'."""
        network = self.state.network
        steered = self.steer(network.modulation, batch.now)
        seen = observe(self.base.network, batch.now.context, batch.now.state)
        value = network.critic(seen, network.critic.see(steered.base_action, steered.residual))[0]
        behavior = self.behavior(batch, steered).mean()
        size = value.detach().abs().mean().clamp(min=1e-8)
        return behavior - (value / size).mean(), {"q": value.mean().item(), "behavior": behavior.item()}

    def imitation(self, batch: OfflineBatch) -> tuple[Tensor, Figures]:
        """Equation 11 without its value: distance of a_r, and of a0 if the configuration asks for it."""
        now = batch.now
        noise, residual = self.modulation(now.cloud, now.state, now.context)
        error = self.residual_error(residual, batch.residual)
        if self.config.noise_bc:
            error = error + self.config.noise_bc * self.noise_error(noise, batch.noise)
        return error.mean(), {"q": batch.outcome.mean().item(), "behavior": error.mean().item()}

    def behavior(self, batch: OfflineBatch, steered: Steered) -> Tensor:
        """(B,) lambda_BC |a_r - a_r of the data|^2, and the same for a0 if the configuration asks for it."""
        config = self.config
        error = config.residual_bc * self.residual_error(steered.residual, batch.residual)
        if config.noise_bc:
            error = error + config.noise_bc * self.noise_error(steered.noise, batch.noise)
        return error
