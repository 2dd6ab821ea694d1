"""Bounds, beginning and gradients of the modulation's network."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_policies import random_network
from rfs_policy.flow import push
from rfs_policy.layout import ARM_JOINTS_23, DELTA_POSE
from rfs_policy.modulation_config import OPERATOR_BOUND, ModulationConfig
from rfs_policy.modulation_network import ModulationNetwork
from rfs_policy.network import NetworkConfig
from rfs_policy.torch_base import TorchBase

BOUND = np.array(OPERATOR_BOUND)
SMALL = ModulationConfig(hidden=(12, 8))
anything = st.one_of(
    st.floats(-4, 4, width=32), st.floats(width=32, allow_nan=False, allow_infinity=False), st.just(0.0)
)


@pytest.fixture
def base(network) -> TorchBase:
    return TorchBase(network, DELTA_POSE, steps=4, checkpoint_id="abc")


@pytest.fixture
def inputs(observe, base):
    cloud, state, noise = (torch.from_numpy(x) for x in observe(5))
    return cloud, state, base.network.encode(cloud, state), noise


@given(st.lists(anything, min_size=22, max_size=22))
def test_residual_is_inside_the_bounds_whatever_the_head_says(u):
    residual = ModulationNetwork(SMALL, DELTA_POSE, NetworkConfig()).bounded(torch.tensor([u]))[0]
    exact = residual.numpy().astype(np.float64)
    assert np.isfinite(exact).all()
    assert np.linalg.norm(exact[:3]) < 0.015
    assert (exact[3:6] == 0).all()
    assert (np.abs(exact[6:]) < 0.05).all()


@given(st.lists(st.floats(-1e-3, 1e-3), min_size=22, max_size=22))
def test_small_residuals_are_the_bound_times_what_the_head_says(u):
    residual = ModulationNetwork(SMALL, DELTA_POSE, NetworkConfig()).bounded(torch.tensor(u))
    np.testing.assert_allclose(residual.numpy(), BOUND * np.array(u), rtol=1e-5, atol=1e-9)


def test_a_translation_keeps_its_direction():
    u = torch.zeros(22)
    u[:3] = torch.tensor([30.0, -40.0, 0.0])
    residual = ModulationNetwork(SMALL, DELTA_POSE, NetworkConfig()).bounded(u)
    np.testing.assert_allclose(residual[:3].numpy(), [0.009, -0.012, 0.0], rtol=1e-3)


def test_slope_never_vanishes_within_the_bounds():
    u = torch.tensor([[2.0, 1.0, -3.0, 0.0, 0.0, 0.0, *[4.0] * 16], [0.0] * 22], requires_grad=True)
    ModulationNetwork(SMALL, DELTA_POSE, NetworkConfig()).bounded(u).sum().backward()
    touched = BOUND > 0
    assert torch.isfinite(u.grad).all()
    assert (u.grad[:, touched] != 0).all()
    assert (u.grad[:, ~touched] == 0).all()


@pytest.mark.parametrize("encoder", ["base", "own"])
def test_begins_as_the_base_at_zero_noise(base, inputs, encoder):
    cloud, state, context, noise = inputs
    network = ModulationNetwork.beside(base, ModulationConfig(encoder=encoder, hidden=(12, 8)))
    a0, residual = network(cloud, state, context, noise)
    assert a0.shape == (5, 2, 22)
    assert residual.shape == (5, 22)
    assert not a0.any()
    assert not residual.any()


@pytest.mark.parametrize("encoder", ["base", "own"])
def test_choices_are_bounded_and_depend_on_the_observation(base, inputs, encoder):
    cloud, state, context, _ = inputs
    config = ModulationConfig(encoder=encoder, hidden=(), noise_bound=1.25)
    a0, residual = random_network(base, config, size=3.0)(cloud, state, context)
    assert a0.abs().max() <= 1.25
    assert (residual.abs() <= torch.tensor(OPERATOR_BOUND)).all()
    assert (a0[0] != a0[1]).any()
    assert (residual[0] != residual[1]).any()


def test_what_it_does_not_choose_stays(base, inputs):
    cloud, state, context, noise = inputs
    residual_only = random_network(base, ModulationConfig(latent=False, hidden=(8,)))
    latent_only = random_network(base, ModulationConfig(residual=False, hidden=(8,)))
    assert torch.equal(residual_only(cloud, state, context, noise)[0], noise)
    assert not residual_only(cloud, state, context)[0].any()
    assert not latent_only(cloud, state, context, noise)[1].any()
    assert residual_only(cloud, state, context)[1].any()
    assert latent_only(cloud, state, context)[0].any()


def test_absolute_joints_are_bounded_one_by_one():
    config = ModulationConfig(residual_bound=(0.02,) * 7 + (0.05,) * 16, hidden=(8,))
    network = ModulationNetwork(config, ARM_JOINTS_23, NetworkConfig())
    np.testing.assert_allclose(
        network.bounded(torch.full((23,), 1e6)).numpy(), [0.02] * 7 + [0.05] * 16, rtol=1e-5
    )


def test_training_reaches_the_bounds_and_leaves_the_base_bitwise_as_it_was(base, inputs):
    """The actor's gradient goes through Push into a0 and into a_r, and never into the base."""
    cloud, state, context, _ = inputs
    before = {name: value.clone() for name, value in base.network.state_dict().items()}
    torch.manual_seed(0)
    network = ModulationNetwork.beside(base, ModulationConfig(hidden=(16,)))
    optimizer = torch.optim.Adam([*network.parameters(), *base.network.parameters()], lr=0.02)
    direction = torch.tensor([0.6, 0.0, 0.8])
    losses = []
    for _ in range(150):
        a0, residual = network(cloud, state, context)
        chunk = push(base.network.velocity(context), a0, base.steps)
        loss = chunk.square().mean() - 100 * (residual[:, :3] @ direction).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 1.0
    assert (residual[:, :3] @ direction > 0.014).all()
    assert a0.abs().max() > 0.1
    assert all(torch.equal(before[name], value) for name, value in base.network.state_dict().items())
