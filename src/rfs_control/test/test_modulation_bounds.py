"""A learned modulation may do what an operator may: the same bounds, met in the same float32 numbers."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from rfs_control.residual_bounds import ResidualBounds
from rfs_policy.layout import DELTA_POSE
from rfs_policy.modulation_config import OPERATOR_BOUND, ModulationConfig
from rfs_policy.modulation_network import ModulationNetwork
from rfs_policy.network import NetworkConfig

anything = st.one_of(st.floats(-3, 3), st.floats(-1e30, 1e30))


def test_the_usual_bounds_are_the_operator_s():
    bounds = ResidualBounds.load()
    assert (*(bounds.translation,) * 3, *(0.0,) * 3, *(bounds.finger,) * 16) == OPERATOR_BOUND


@given(st.lists(anything, min_size=22, max_size=22))
def test_no_residual_of_a_modulation_would_be_shortened(u):
    network = ModulationNetwork(ModulationConfig(hidden=()), DELTA_POSE, NetworkConfig())
    residual = network.bounded(torch.tensor(u, dtype=torch.float32)).numpy()
    np.testing.assert_array_equal(ResidualBounds.load().bounded(residual), residual)
