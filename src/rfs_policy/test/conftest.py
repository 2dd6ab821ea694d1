"""A small random policy, so that tests need no trained one."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import settings
from rfs_policy.checkpoint import Checkpoint
from rfs_policy.layout import DELTA_POSE, STATE_PALM_ROTATION
from rfs_policy.network import FlowNetwork, NetworkConfig
from rfs_policy.torch_base import checkpoint_of

settings.register_profile("shared machine", deadline=None)  # a loaded machine is no failure
settings.load_profile("shared machine")

SMALL = NetworkConfig(point_widths=(8, 16), keypoints=4, context_dim=16, velocity_width=24, velocity_depth=3)


@pytest.fixture
def network() -> FlowNetwork:
    """Untrained network with a normalization that is not the identity."""
    torch.manual_seed(0)
    network = FlowNetwork(DELTA_POSE, SMALL)
    for mean, std in ((network.state_mean, network.state_std), (network.action_mean, network.action_std)):
        mean.normal_()
        std.uniform_(0.5, 2.0)
    return network


@pytest.fixture
def checkpoint(network: FlowNetwork) -> Checkpoint:
    """The same network as a checkpoint, not saved."""
    return checkpoint_of(network, DELTA_POSE, steps=10, config={"note": "random weights"})


@pytest.fixture
def observe() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Function that draws an observation: observe(batch, points, seed)."""
    return _random_observation


def _random_observation(batch: int, points: int = 64, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Cloud (B, N, 3), state (B, 48) with a proper palm rotation, noise (B, H, D); float32."""
    rng = np.random.default_rng(seed)
    cloud = (rng.normal(size=(batch, points, 3)) * 0.2 + [0.5, 0.0, 0.2]).astype(np.float32)
    state = rng.normal(size=(batch, 48)).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(batch, 3, 3)))[0]
    state[:, STATE_PALM_ROTATION] = rotation[:, :, :2].transpose(0, 2, 1).reshape(batch, 6)
    return cloud, state, rng.normal(size=(batch, 2, 22)).astype(np.float32)
