"""Twin critics of offline RL, and what they see of an action (paper, sections 5.2 and 6.2)."""

from itertools import pairwise

import torch
from rfs_policy.network import FlowNetwork
from rfs_policy.scales import STATE_CLIP
from torch import Tensor, nn

from rfs_learning.offline.offline_config import CriticInput


class EnsembleLinear(nn.Module):
    """`members` linear layers, side by side: one matrix product for all."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """(M, B, inputs) -> (M, B, outputs)."""
        return torch.baddbmm(self.bias, x, self.weight)


class Ensemble(nn.Module):
    """Small networks with a number each: linear layers, normalized (which keeps values of actions that the
    data do not show from growing without bound) and rectified."""

    def __init__(self, members: int, inputs: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.members = members
        self.layers = nn.ModuleList(EnsembleLinear(members, i, o) for i, o in pairwise((inputs, *hidden)))
        self.head = EnsembleLinear(members, hidden[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) -> (members, B)."""
        x = x.expand(self.members, *x.shape)
        for layer in self.layers:
            x = layer(x)
            x = torch.relu(nn.functional.layer_norm(x, x.shape[-1:]))
        return self.head(x)[..., 0]


class TwinCritic(nn.Module):
    """Q_1 and Q_2 of an observation and an action.

    kind: "sum": Q(o, s, a_b + a_r), what is executed; "residual": Q(o, s, a_r); "separate":
    Q(o, s, [a_r, a_b]). Actions are in units of the base's action scale.
    """

    action_mean: Tensor
    action_std: Tensor

    def __init__(self, kind: CriticInput, network: FlowNetwork, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("action_mean", network.action_mean.clone())
        self.register_buffer("action_std", network.action_std.clone())
        actions = network.action_dim * (2 if kind == "separate" else 1)
        self.values = Ensemble(2, observation_size(network) + actions, hidden)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """observation (B, F) of `observe`, action (B, A) of `see` -> (2, B)."""
        return self.values(torch.cat([observation, action], dim=-1))

    def see(self, base_action: Tensor, residual: Tensor) -> Tensor:
        """a_b and a_r (B, D) in m and rad -> (B, A), what of them the critic looks at."""
        if self.kind == "sum":
            return (base_action + residual - self.action_mean) / self.action_std
        scaled = residual / self.action_std
        if self.kind == "residual":
            return scaled
        return torch.cat([scaled, (base_action - self.action_mean) / self.action_std], dim=-1)


def observation_size(network: FlowNetwork) -> int:
    """F, numbers that critics see of an observation."""
    return network.config.context_dim + len(network.state_mean)


def observe(network: FlowNetwork, context: Tensor, state: Tensor) -> Tensor:
    """(B, F): the frozen encoder's features (B, C) and the normalized state (B, S)."""
    normalized = ((state - network.state_mean) / network.state_std).clamp(-STATE_CLIP, STATE_CLIP)
    return torch.cat([context, normalized], dim=-1)
