"""Networks of the flow policy: point-cloud encoder (PointNet style), observation encoder, velocity field."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from rfs_policy.flow import Velocity
from rfs_policy.layout import STATE_PALM_POSITION, STATE_PALM_ROTATION, Layout
from rfs_policy.scales import PALM_SCALE, STATE_CLIP, WORKSPACE_CENTER, WORKSPACE_SCALE, time_frequencies


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    `point_widths` are the layers applied to each point; `keypoints` points are found by attention over the
    cloud (their palm-frame positions localize the object more exactly than max-pooled features alone).
    """

    point_widths: tuple[int, ...] = (64, 128, 256)
    keypoints: int = 16
    context_dim: int = 256
    velocity_width: int = 512
    velocity_depth: int = 3
    time_features: int = 16


class PointEncoder(nn.Module):
    """Point cloud and palm pose -> feature vector, whatever the points' order and however often one is
    repeated.

    Repetition does not change the max-pooled part and hardly the attention part.
    """

    center: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = (6, *config.point_widths)
        layers = [nn.Linear(i, o) for i, o in pairwise(widths)]
        self.layers = nn.ModuleList(layers)
        self.attention = nn.Linear(widths[-1], config.keypoints)
        self.output_dim = widths[-1] + 3 * config.keypoints
        self.register_buffer("center", torch.tensor(WORKSPACE_CENTER), persistent=False)

    def forward(self, cloud: Tensor, state: Tensor) -> Tensor:
        """cloud (B, N, 3) in m, base frame; state (B, 48) -> (B, output_dim)."""
        local = palm_frame(cloud, state) / PALM_SCALE
        x = torch.cat([(cloud - self.center) / WORKSPACE_SCALE, local], dim=-1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        keypoints = _weighted_means(torch.softmax(self.attention(x), dim=1), local)
        return torch.cat([x.max(dim=1).values, keypoints.flatten(1)], dim=-1)


@torch.autocast("cpu", enabled=False)  # positions stay exact where training runs in bfloat16
def _weighted_means(weights: Tensor, points: Tensor) -> Tensor:
    """weights (B, N, M), points (B, N, 3) -> (B, M, 3)."""
    return weights.float().transpose(1, 2) @ points


@torch.autocast("cpu", enabled=False)
def palm_frame(cloud: Tensor, state: Tensor) -> Tensor:
    """Points (B, N, 3) expressed in the commanded palm pose that `state` (B, 48) holds; m."""
    x, y = state[:, STATE_PALM_ROTATION].reshape(-1, 2, 3).unbind(1)
    z = torch.stack(
        [
            x[:, 1] * y[:, 2] - x[:, 2] * y[:, 1],
            x[:, 2] * y[:, 0] - x[:, 0] * y[:, 2],
            x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0],
        ],
        dim=-1,
    )
    rotation = torch.stack([x, y, z], dim=-1)
    return (cloud - state[:, None, STATE_PALM_POSITION]) @ rotation


class FlowNetwork(nn.Module):
    """Velocity field v(a, t, o) over normalized action chunks, with the data's normalization.

    `encode` is evaluated once per observation, `field` K times, so the context enters `field` ready
    projected.
    """

    state_mean: Tensor
    state_std: Tensor
    action_mean: Tensor
    action_std: Tensor
    frequencies: Tensor

    def __init__(self, layout: Layout, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        self.horizon, self.action_dim = layout.horizon, layout.action_dim
        c = self.config
        self.points = PointEncoder(c)
        self.observation = nn.Sequential(
            nn.Linear(self.points.output_dim + layout.state_dim, c.context_dim),
            nn.SiLU(),
            nn.Linear(c.context_dim, c.context_dim),
            nn.SiLU(),
        )
        chunk = layout.horizon * layout.action_dim
        self.field_context = nn.Linear(c.context_dim, c.velocity_width)
        self.field_input = nn.Linear(chunk + c.time_features, c.velocity_width, bias=False)
        self.field_hidden = nn.ModuleList(
            nn.Linear(c.velocity_width, c.velocity_width) for _ in range(c.velocity_depth - 1)
        )
        self.field_output = nn.Linear(c.velocity_width, chunk)
        self._register_normalization(layout)

    def _register_normalization(self, layout: Layout) -> None:
        self.register_buffer("state_mean", torch.zeros(layout.state_dim))
        self.register_buffer("state_std", torch.ones(layout.state_dim))
        self.register_buffer("action_mean", torch.zeros(layout.action_dim))
        self.register_buffer("action_std", torch.ones(layout.action_dim))
        frequencies = torch.from_numpy(time_frequencies(self.config.time_features))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def encode(self, cloud: Tensor, state: Tensor) -> Tensor:
        """Observation o: cloud (B, N, 3), state (B, 48), both in SI units -> context (B, C)."""
        normalized = ((state - self.state_mean) / self.state_std).clamp(-STATE_CLIP, STATE_CLIP)
        return self.observation(torch.cat([self.points(cloud, state), normalized], dim=-1))

    def field(self, a: Tensor, t: Tensor, projected: Tensor) -> Tensor:
        """Velocity at chunk a (B, H, D) and time t (B,) under a context projected by `field_context` (B,
        W).
        """
        angles = t[:, None] * self.frequencies
        x = torch.cat([a.flatten(1), angles.sin(), angles.cos()], dim=-1)
        x = nn.functional.silu(self.field_input(x) + projected)
        for layer in self.field_hidden:
            x = x + nn.functional.silu(layer(x))
        return self.field_output(x).unflatten(1, (self.horizon, self.action_dim))

    def velocity(self, context: Tensor) -> Velocity:
        """The velocity field of these observations, context (B, C), for `push`, `reverse` and the loss."""
        projected = self.field_context(context)
        return lambda a, t: self.field(a, t, projected)

    def normalize_action(self, action: Tensor) -> Tensor:
        """(..., D) in m and rad -> (..., D) of zero mean and unit deviation over the data."""
        return (action - self.action_mean) / self.action_std

    def denormalize_action(self, action: Tensor) -> Tensor:
        """Inverse of `normalize_action`."""
        return action * self.action_std + self.action_mean
