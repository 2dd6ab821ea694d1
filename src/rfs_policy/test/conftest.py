"""A small random policy, so that tests need no trained one."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings
from random_policies import random_base, random_observation
from rfs_policy.checkpoint import Checkpoint
from rfs_policy.layout import DELTA_POSE
from rfs_policy.network import FlowNetwork
from rfs_policy.torch_base import checkpoint_of

settings.register_profile("shared machine", deadline=None)  # a loaded machine is no failure
settings.load_profile("shared machine")


@pytest.fixture
def network() -> FlowNetwork:
    """Untrained network with a normalization that is not the identity."""
    return random_base()


@pytest.fixture
def checkpoint(network: FlowNetwork) -> Checkpoint:
    """The same network as a checkpoint, not saved."""
    return checkpoint_of(network, DELTA_POSE, steps=10, config={"note": "random weights"})


@pytest.fixture
def observe() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Function that draws an observation: observe(batch, points, seed)."""
    return random_observation
