"""Network of the modulation policy pi(a0, a_r | o_pc, s_pro) of offline RFS (paper, section 5.2).

Its heads begin at zero, so that at first a0 = 0 and a_r = 0 exactly: the base policy's most typical action.
"""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rfs_policy.layout import Layout
from rfs_policy.modulation_checkpoint import ModulationCheckpoint
from rfs_policy.modulation_config import ModulationConfig
from rfs_policy.network import NetworkConfig, PointEncoder
from rfs_policy.scales import HEAD_CLIP, STATE_CLIP
from rfs_policy.torch_base import TorchBase, network_config


class ModulationNetwork(nn.Module):
    """Chooses a0 and a_r for an observation; both are within the configuration's bounds by construction.

    a_r is the same for all H actions of a chunk. `state_mean` and `state_std` are the base's; see `beside`.
    Random weights come from torch's generator.
    """

    state_mean: Tensor
    state_std: Tensor
    largest_residual: Tensor
    residual_parts: Tensor

    def __init__(self, config: ModulationConfig, layout: Layout, base_network_config: NetworkConfig) -> None:
        super().__init__()
        self.config, self.layout, self.base_network_config = config, layout, base_network_config
        self.points = PointEncoder(base_network_config) if config.encoder == "own" else None
        features = self.points.output_dim if self.points else base_network_config.context_dim
        widths = (features + layout.state_dim, *config.hidden)
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        chunk = layout.horizon * layout.action_dim
        self.noise_head = _zero_linear(widths[-1], chunk) if config.latent else None
        self.residual_head = _zero_linear(widths[-1], layout.action_dim) if config.residual else None
        self.register_buffer("state_mean", torch.zeros(layout.state_dim))
        self.register_buffer("state_std", torch.ones(layout.state_dim))
        parts = torch.from_numpy(config.residual_parts(layout))
        self.register_buffer("residual_parts", parts, persistent=False)
        largest = torch.from_numpy(config.largest_residual())
        self.register_buffer("largest_residual", largest, persistent=False)

    @classmethod
    def beside(cls, base: TorchBase, config: ModulationConfig) -> "ModulationNetwork":
        """A new one for a frozen base, with its layout and its normalization of the state."""
        network = cls(config, base.layout, base.network.config)
        network.state_mean.copy_(base.network.state_mean)
        network.state_std.copy_(base.network.state_std)
        return network

    @classmethod
    def from_checkpoint(cls, checkpoint: ModulationCheckpoint) -> "ModulationNetwork":
        """The network that `load_modulation` read, in float32."""
        network = cls(checkpoint.config, checkpoint.layout, network_config(checkpoint.network))
        tensors = checkpoint.tensors.items()
        network.load_state_dict({name: torch.from_numpy(t.astype(np.float32)) for name, t in tensors})
        return network

    def checkpoint(self, base_id: str, training: Mapping[str, Any]) -> ModulationCheckpoint:
        """What `save_modulation` writes.

        base_id: SHA-256 of the base's checkpoint; training: JSON data, how it was trained.
        """
        tensors = {name: t.detach().cpu().numpy().copy() for name, t in self.state_dict().items()}
        sizes = asdict(self.base_network_config)
        return ModulationCheckpoint(tensors, self.config, self.layout, sizes, base_id, training)

    def forward(
        self, cloud: Tensor, state: Tensor, context: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Choose for B observations.

        Args:
            cloud: (B, N, 3) m, base frame; not looked at by a modulation on the base's encoder.
            state: (B, S), SI units.
            context: (B, C) of the frozen base; not looked at by a modulation with an encoder of its own.
            noise: (B, H, D) drawn from N(0, I): a0, where the modulation does not choose it; None: zeros.

        Returns:
            a0 (B, H, D) in the flow's normalized space, and a_r (B, D) in m and rad.
        """
        x = self.features(cloud, state, context)
        for layer in self.hidden:
            x = nn.functional.silu(layer(x))
        shape = (len(state), self.layout.horizon, self.layout.action_dim)
        if self.noise_head is not None:
            a0 = self.config.noise_bound * torch.tanh(self.noise_head(x)).view(shape)
        else:
            a0 = state.new_zeros(shape) if noise is None else noise
        if self.residual_head is None:
            return a0, state.new_zeros(shape[0], shape[2])
        return a0, self.bounded(self.residual_head(x))

    def features(self, cloud: Tensor, state: Tensor, context: Tensor) -> Tensor:
        """What the layers get, (B, F): features of the observation, and the normalized state."""
        normalized = ((state - self.state_mean) / self.state_std).clamp(-STATE_CLIP, STATE_CLIP)
        seen = context if self.points is None else self.points(cloud, state)
        return torch.cat([seen, normalized], dim=-1)

    def bounded(self, u: Tensor) -> Tensor:
        """Any numbers u (..., D) to a_r (..., D) = bound * u / sqrt(1 + |u|^2).

        |u| is the length of that part of a_r which is bounded together. Smooth, zero at zero, with slope
        `bound` there.
        """
        u = u.clamp(-HEAD_CLIP, HEAD_CLIP)
        return self.largest_residual * (u / (1.0 + u.square() @ self.residual_parts).sqrt())


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
