"""torchrl's TD3+BC with our networks, as its documentation puts a loss, optimizers and targets together."""

from collections.abc import Callable
from itertools import pairwise

import torch
from rfs_learning.offline.algorithm import first_state
from rfs_learning.offline.critics import observation_size, observe
from rfs_learning.offline.offline_batch import OfflineBatch, Seen
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.offline.td3_bc import Td3Bc
from rfs_policy.torch_base import TorchBase
from torch import Tensor, nn

try:
    from tensordict import TensorDict
    from tensordict.nn import TensorDictModule
    from torchrl.modules import ValueOperator
    from torchrl.objectives import SoftUpdate, TD3BCLoss
except ImportError as error:
    raise RuntimeError(
        f"this benchmark compares with torchrl: .venv/bin/pip install torchrl==0.14.1 ({error})"
    ) from error


class Actor(nn.Module):
    """The modulation with the frozen base behind it: an observation to the summed action."""

    def __init__(self, learner: Td3Bc) -> None:
        super().__init__()
        self.modulation, self._learner = learner.modulation, [learner]

    def forward(self, state: Tensor, context: Tensor) -> Tensor:
        learner = self._learner[0]
        steered = learner.steer(self.modulation, Seen(torch.empty(len(state), 0, 3), state, context))
        return learner.state.network.critic.see(steered.base_action, steered.residual)


class Critic(nn.Module):
    """One critic of our sizes, of plain layers."""

    def __init__(self, base: TorchBase, config: OfflineConfig) -> None:
        super().__init__()
        self._base = [base.network]
        widths = (observation_size(base.network) + base.layout.action_dim, *config.critic_hidden)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, state: Tensor, context: Tensor, action: Tensor) -> Tensor:
        return self.layers(torch.cat([observe(self._base[0], context, state), action], dim=-1))


def torchrl_update(base: TorchBase, config: OfflineConfig) -> Callable[[OfflineBatch], None]:
    """One update of critic, and every `policy_delay`-th of actor and targets."""
    learner = Td3Bc(base, first_state(base, config), config)
    actor = TensorDictModule(Actor(learner), in_keys=["state", "context"], out_keys=["action"])
    critic = ValueOperator(Critic(base, config), in_keys=["state", "context", "action"])
    wide = torch.full((base.layout.action_dim,), 1e3)
    loss = TD3BCLoss(actor, critic, bounds=(-wide, wide), policy_noise=config.smoothing, loss_function="l2")
    loss.make_value_estimator(gamma=config.discount)
    targets = SoftUpdate(loss, tau=config.target_rate)
    optimizers = [
        torch.optim.Adam(list(params.flatten_keys().values()), config.learning_rate, fused=True)
        for params in (loss.qvalue_network_params, loss.actor_network_params)
    ]
    see, done = learner.state.network.critic.see, 0

    def update(batch: OfflineBatch) -> None:
        nonlocal done
        done += 1
        given = _tensordict(batch, see(batch.base_action, batch.action - batch.base_action))
        steps = [(loss.qvalue_loss, optimizers[0])]
        if done % config.policy_delay == 0:
            steps.append((loss.actor_loss, optimizers[1]))
        for part, optimizer in steps:
            value, _ = part(given)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
        if done % config.policy_delay == 0:
            targets.step()

    return update


def _tensordict(batch: OfflineBatch, action: Tensor) -> TensorDict:
    one = (len(batch), 1)
    then = {
        "state": batch.then.state,
        "context": batch.then.context,
        "reward": batch.reward.view(one),
        "done": batch.done.view(one) > 0,
        "terminated": batch.done.view(one) > 0,
    }
    now = {"state": batch.now.state, "context": batch.now.context, "action": action}
    return TensorDict({**now, "next": then}, [len(batch)])
