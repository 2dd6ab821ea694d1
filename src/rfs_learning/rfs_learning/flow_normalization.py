"""Mean and deviation of states and actions, stored in the network."""

import torch
from rfs_policy.layout import DELTA_POSE
from rfs_policy.network import FlowNetwork
from torch import Tensor

from rfs_learning.flow_data import ChunkData

# Smallest deviations, m and rad: less is noise, not information.
_STD_FLOOR = {"state": 0.02, "translation": 0.002, "action": 0.01}


def fit_normalization(network: FlowNetwork, data: ChunkData, index: Tensor) -> None:
    """Set mean and deviation of state and action from the steps index."""
    floor = torch.full((data.actions.shape[1],), _STD_FLOOR["action"])
    if data.actions.shape[1] == DELTA_POSE.action_dim:
        floor[:3] = _STD_FLOOR["translation"]
    states, actions = data.states[index], data.actions[index]
    network.state_mean.copy_(states.mean(dim=0))
    network.state_std.copy_(states.std(dim=0).clamp(min=_STD_FLOOR["state"]))
    network.action_mean.copy_(actions.mean(dim=0))
    network.action_std.copy_(torch.maximum(actions.std(dim=0), floor))
