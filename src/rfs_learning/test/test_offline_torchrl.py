"""The same losses from torchrl's TD3BCLoss, on a fixed batch and with the same networks."""

import pytest
import torch
from offline_tiny import tiny_base, tiny_config, tiny_dataset
from rfs_learning.offline.algorithm import first_state
from rfs_learning.offline.critics import observe
from rfs_learning.offline.offline_batch import Seen
from rfs_learning.offline.offline_data import OfflineData
from rfs_learning.offline.td3_bc import Td3Bc
from torch import Tensor, nn

pytest.importorskip("torchrl")
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torchrl.modules import ValueOperator
from torchrl.objectives import TD3BCLoss


class Actor(nn.Module):
    """The modulation with the frozen base behind it: an observation to what the critic sees."""

    def __init__(self, learner: Td3Bc) -> None:
        super().__init__()
        self.modulation, self._learner = learner.modulation, [learner]

    def forward(self, state: Tensor, context: Tensor) -> Tensor:
        learner = self._learner[0]
        steered = learner.steer(self.modulation, Seen(torch.empty(len(state), 0, 3), state, context))
        return learner.state.network.critic.see(steered.base_action, steered.residual)


class Critic(nn.Module):
    """One of the twins."""

    def __init__(self, learner: Td3Bc) -> None:
        super().__init__()
        self.values, self._base = learner.state.network.critic.values, [learner.base.network]

    def forward(self, state: Tensor, context: Tensor, action: Tensor) -> Tensor:
        seen = observe(self._base[0], context, state)
        return self.values(torch.cat([seen, action], dim=-1))[0][:, None]


@pytest.fixture(params=["sum", "residual"])
def both(request, tmp_path):
    """Our learner, and a function to torchrl's loss with its weights; bounds of a_r are the action scale, so
    that both measure its distance to the data in the same unit."""
    base = tiny_base(tmp_path / "base")
    data = OfflineData.load(tiny_dataset(tmp_path / "d.zarr", base), base, tiny_config())
    scale = base.network.action_std.clone()
    scale[:3] = scale[0]
    base.network.action_std.copy_(scale)
    config = tiny_config(
        critic=request.param, residual_bound=scale.tolist(), smoothing=0.0, residual_bc=0.4, discount=0.9
    )
    learner = Td3Bc(base, first_state(base, config), config)
    torch.manual_seed(2)
    for networks in (learner.state.network, learner.state.average):
        for name, parameter in networks.named_parameters():
            if "head" in name or "layers" in name:
                nn.init.normal_(parameter, std=0.3)
    return learner, data.batch(torch.arange(24)), _torchrl(learner)


def _torchrl(learner: Td3Bc) -> TD3BCLoss:
    actor = TensorDictModule(Actor(learner), in_keys=["state", "context"], out_keys=["action"])
    critic = ValueOperator(Critic(learner), in_keys=["state", "context", "action"])
    wide = torch.full((22,), 1e6)
    loss = TD3BCLoss(
        actor,
        critic,
        bounds=(-wide, wide),
        policy_noise=0.0,
        alpha=1 / learner.config.residual_bc,
        loss_function="l2",
        deactivate_vmap=True,
    )
    loss.make_value_estimator(gamma=learner.config.discount)
    return loss


def _set(loss: TD3BCLoss, learner: Td3Bc) -> None:
    """Our weights in torchrl's places: each twin apart, and targets."""
    for params, networks in (
        (loss.qvalue_network_params, learner.state.network),
        (loss.target_qvalue_network_params, learner.state.average),
    ):
        flat = params.flatten_keys(".")
        for name, value in networks.critic.values.named_parameters():
            both = torch.stack([value, value.flip(0)])  # torchrl's twin i shows its first member
            flat.get(f"module.values.{name}").data.copy_(both)
    for params, networks in (
        (loss.actor_network_params, learner.state.network),
        (loss.target_actor_network_params, learner.state.average),
    ):
        flat = params.flatten_keys(".")
        for name, value in networks.modulation.named_parameters():
            flat.get(f"module.modulation.{name}").data.copy_(value)


def test_losses_agree_with_torchrl(both):
    learner, batch, loss = both
    _set(loss, learner)
    see = learner.state.network.critic.see
    action = see(batch.base_action, batch.action - batch.base_action)
    one = (len(batch), 1)
    given = TensorDict(
        {
            "state": batch.now.state,
            "context": batch.now.context,
            "action": action,
            "next": {
                "state": batch.then.state,
                "context": batch.then.context,
                "reward": batch.reward.view(one),
                "done": batch.done.view(one) > 0,
                "terminated": batch.done.view(one) > 0,
            },
        },
        [len(batch)],
    )
    theirs, told = loss.qvalue_loss(given)
    ours = learner.critic_loss(batch, learner.target(batch))
    torch.testing.assert_close(told["target_value"], learner.target(batch), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-6)
    their_actor, told = loss.actor_loss(given)
    our_actor, figures = learner.actor_loss(batch)
    assert told["state_action_value_actor"].mean().item() == pytest.approx(figures["q"], rel=1e-4)
    weight = learner.config.residual_bc
    value = their_actor - told["bc_loss"]
    torch.testing.assert_close(weight * value, our_actor - figures["behavior"], rtol=1e-4, atol=1e-5)
    if learner.config.critic == "residual":  # then torchrl's action is a_r, and all of the loss is the same
        torch.testing.assert_close(weight * their_actor, our_actor, rtol=1e-4, atol=1e-5)
