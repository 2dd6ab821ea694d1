"""Random policies, modulations and observations of small sizes."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import strategies as st
from rfs_policy.layout import DELTA_POSE, STATE_PALM_ROTATION
from rfs_policy.modulation_config import ModulationConfig
from rfs_policy.modulation_network import ModulationNetwork
from rfs_policy.network import FlowNetwork, NetworkConfig
from rfs_policy.torch_base import TorchBase

SMALL = NetworkConfig(point_widths=(8, 16), keypoints=4, context_dim=16, velocity_width=24, velocity_depth=3)


def bounds(largest: float) -> st.SearchStrategy[float]:
    """Of a residual: none, or a normal number in float32, since runtimes differ in subnormal ones."""
    return st.just(0.0) | st.floats(1e-6, largest)


configs = st.builds(
    ModulationConfig,
    encoder=st.sampled_from(["base", "own"]),
    hidden=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    noise_bound=st.floats(0.1, 5),
    residual_bound=st.tuples(bounds(0.1), bounds(0.3), bounds(0.3)).map(
        lambda bounds: tuple(np.repeat(bounds, [3, 3, 16]).tolist())
    ),
).flatmap(
    lambda config: st.sampled_from([config, replace(config, latent=False), replace(config, residual=False)])
)


def random_base() -> FlowNetwork:
    """Untrained network with a normalization that is not the identity."""
    torch.manual_seed(0)
    network = FlowNetwork(DELTA_POSE, SMALL)
    for mean, std in ((network.state_mean, network.state_std), (network.action_mean, network.action_std)):
        mean.normal_()
        std.uniform_(0.5, 2.0)
    return network


def random_observation(batch: int, points: int = 64, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Cloud (B, N, 3), state (B, 48) with a proper palm rotation, noise (B, H, D); float32."""
    rng = np.random.default_rng(seed)
    cloud = (rng.normal(size=(batch, points, 3)) * 0.2 + [0.5, 0.0, 0.2]).astype(np.float32)
    state = rng.normal(size=(batch, 48)).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(batch, 3, 3)))[0]
    state[:, STATE_PALM_ROTATION] = rotation[:, :, :2].transpose(0, 2, 1).reshape(batch, 6)
    return cloud, state, rng.normal(size=(batch, 2, 22)).astype(np.float32)


def random_network(
    base: TorchBase, config: ModulationConfig, seed: int = 0, size: float = 1.0
) -> ModulationNetwork:
    """A modulation of this base with random weights everywhere; `size` is the heads' deviation."""
    torch.manual_seed(seed)
    network = ModulationNetwork.beside(base, config)
    for name, parameter in network.named_parameters():
        if "head" in name:
            torch.nn.init.normal_(parameter, std=size)
    return network
