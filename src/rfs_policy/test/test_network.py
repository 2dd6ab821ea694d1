"""Invariances of the encoder, freezing of the base, and gradients through it."""

import numpy as np
import pytest
import torch
from rfs_policy.flow import push
from rfs_policy.layout import DELTA_POSE, STATE_PALM_POSITION
from rfs_policy.network import palm_frame
from rfs_policy.torch_base import TorchBase


@pytest.fixture
def tensors(observe):
    return lambda batch: [torch.from_numpy(x) for x in observe(batch)]


def test_order_of_points_does_not_matter(network, tensors):
    cloud, state, _ = tensors(3)
    shuffled = cloud[:, torch.randperm(cloud.shape[1])]
    torch.testing.assert_close(network.encode(cloud, state), network.encode(shuffled, state))


def test_repeating_the_whole_cloud_does_not_matter(network, tensors):
    cloud, state, _ = tensors(3)
    torch.testing.assert_close(network.encode(cloud, state), network.encode(cloud.repeat(1, 2, 1), state))


def test_batch_entries_do_not_touch_each_other(network, tensors):
    cloud, state, noise = tensors(4)
    context = network.encode(cloud, state)
    alone = network.encode(cloud[2:3], state[2:3])
    torch.testing.assert_close(context[2:3], alone)
    torch.testing.assert_close(
        push(network.velocity(context), noise, 10)[2:3], push(network.velocity(alone), noise[2:3], 10)
    )


def test_palm_frame_keeps_distances_to_the_palm(tensors):
    cloud, state, _ = tensors(4)
    distance = (cloud - state[:, None, STATE_PALM_POSITION]).norm(dim=-1)
    torch.testing.assert_close(palm_frame(cloud, state).norm(dim=-1), distance)


def test_normalization_round_trip(network):
    action = torch.randn(5, 2, 22)
    torch.testing.assert_close(network.denormalize_action(network.normalize_action(action)), action)


def test_frozen_base_stays_bitwise_frozen_while_noise_is_optimized(network, tensors):
    """What steering does: gradients of Push go to a0, never into the weights."""
    base = TorchBase(network, DELTA_POSE, steps=5)
    before = {name: value.clone() for name, value in base.network.state_dict().items()}
    cloud, state, noise = tensors(2)
    noise.requires_grad_()
    optimizer = torch.optim.Adam([noise, *base.network.parameters()], lr=0.1)
    first = last = np.inf
    for step in range(20):
        optimizer.zero_grad()
        velocity = base.network.velocity(base.network.encode(cloud, state))
        loss = push(velocity, noise, base.steps).square().mean()
        loss.backward()
        optimizer.step()
        first, last = (loss.item(), last) if step == 0 else (first, loss.item())
    assert last < first
    assert all(torch.equal(before[name], value) for name, value in base.network.state_dict().items())
