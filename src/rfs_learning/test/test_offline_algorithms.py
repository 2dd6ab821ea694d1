"""Losses as they are written in the papers; learning on a problem with an answer."""

import copy
from dataclasses import replace

import pytest
import torch
from offline_tiny import tiny_base, tiny_config, tiny_dataset
from rfs_learning.offline.algorithm import OfflineAlgorithm, first_state
from rfs_learning.offline.critics import TwinCritic, observe
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.offline.offline_data import OfflineData
from rfs_learning.offline.offline_training import ALGORITHMS
from rfs_learning.offline.td3_bc import Td3Bc
from rfs_policy.flow import push
from rfs_policy.torch_base import TorchBase
from torch import nn

METHODS = ("rfs", "residual", "dsrl")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(base, tmp_path_factory):
    dataset = tiny_dataset(tmp_path_factory.mktemp("data") / "d.zarr", base)
    return OfflineData.load(dataset, base, tiny_config(encoder="own"))


def algorithm_of(base, config: OfflineConfig, stirred: float = 0.3) -> OfflineAlgorithm:
    """With heads that are not zero, and targets that are not the networks."""
    algorithm = ALGORITHMS[config.algorithm](base, first_state(base, config), config)
    torch.manual_seed(1)
    for networks in (algorithm.state.network, algorithm.state.average):
        for name, parameter in networks.modulation.named_parameters():
            if "head" in name:
                nn.init.normal_(parameter, std=stirred)
        for parameter in networks.critic.parameters():
            nn.init.normal_(parameter, std=0.2)
    return algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("method", METHODS)
def test_updates_change_what_is_learned_and_nothing_of_the_base(base, data, algorithm, method):
    config = tiny_config(algorithm=algorithm, method=method, warmup=0)
    learner = ALGORITHMS[algorithm](base, first_state(base, config), config)
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    modulation = {name: tensor.clone() for name, tensor in learner.modulation.named_parameters()}
    for step in range(6):
        figures = learner.update(data.batch(torch.arange(16) + step))
    assert learner.state.step == 6
    assert all(torch.isfinite(torch.tensor(value)) for value in figures.values())
    for name, tensor in base.network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    changed = {
        name for name, tensor in learner.modulation.named_parameters() if (tensor != modulation[name]).any()
    }
    heads = {"rfs": {"noise_head", "residual_head"}, "residual": {"residual_head"}, "dsrl": {"noise_head"}}
    assert {name.split(".")[0] for name in changed if "head" in name} == heads[method]


@pytest.mark.parametrize("method", METHODS)
def test_steering_follows_the_method(base, data, method):
    learner = algorithm_of(base, tiny_config(method=method))
    seen = data.batch(torch.arange(8)).now
    first, second = learner.steer(learner.modulation, seen), learner.steer(learner.modulation, seen)
    drawn = not torch.equal(first.noise, second.noise)
    assert drawn == (method == "residual")
    assert first.residual.any() == (method != "dsrl")
    chunk = push(base.network.velocity(seen.context), first.noise, base.steps)
    torch.testing.assert_close(first.base_action, base.network.denormalize_action(chunk[:, 0]))


def test_critics_see_what_they_are_said_to(base):
    a_b, a_r = torch.randn(4, 22), torch.randn(4, 22)
    std, mean = base.network.action_std, base.network.action_mean
    seen = {
        kind: TwinCritic(kind, base.network, (8,)).see(a_b, a_r) for kind in ("sum", "residual", "separate")
    }
    torch.testing.assert_close(seen["sum"], (a_b + a_r - mean) / std)
    torch.testing.assert_close(seen["residual"], a_r / std)
    torch.testing.assert_close(seen["separate"], torch.cat([a_r / std, (a_b - mean) / std], dim=1))


def test_the_actor_s_gradient_goes_through_push(base, data):
    """The derivative of the actor's loss along a direction, against a finite difference."""
    learner = algorithm_of(base, tiny_config(residual_bc=0.5), stirred=0.05)
    assert isinstance(learner, Td3Bc)
    batch, weight = data.batch(torch.arange(16)), learner.modulation.noise_head.weight
    network = learner.state.network.double()
    base64 = replace_floats(base)
    learner.base, batch = base64, as_double(batch)
    learner._bound = learner._bound.double()

    def value() -> torch.Tensor:
        steered = learner.steer(network.modulation, batch.now)
        seen = observe(base64.network, batch.now.context, batch.now.state)
        return network.critic(seen, network.critic.see(steered.base_action, steered.residual))[0].mean()

    (gradient,) = torch.autograd.grad(value(), weight)
    direction = torch.randn_like(weight)
    with torch.no_grad():
        weight += 1e-5 * direction
        above = value()
        weight -= 2e-5 * direction
        below = value()
    expected = (above - below) / 2e-5
    torch.testing.assert_close((gradient * direction).sum(), expected, atol=1e-6, rtol=1e-4)
    assert gradient.abs().max() > 0


def replace_floats(base: TorchBase) -> TorchBase:
    double = copy.deepcopy(base)
    double.network.double()
    return double


def as_double(value):
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    return replace(value, **{name: as_double(part) for name, part in vars(value).items()})


def test_expectiles_are_those_of_iql(base, data):
    learner = algorithm_of(base, tiny_config(algorithm="iql", expectile=0.8))
    batch = data.batch(torch.arange(16))
    loss, advantage = learner.value_loss(batch)
    weights = torch.where(advantage > 0, 0.8, 0.2)
    torch.testing.assert_close(loss, (weights * advantage**2).mean())


def test_rebrac_holds_the_summed_action_in_actor_and_critic(base, data):
    config = tiny_config(algorithm="rebrac", critic_penalty=2.0, actor_penalty=3.0, smoothing=0.0)
    learner, batch = algorithm_of(base, config), data.batch(torch.arange(12))
    without = algorithm_of(base, replace(config, critic_penalty=0.0))
    steered = learner.steer(learner.state.average.modulation, batch.then)
    off = (steered.base_action + steered.residual - batch.next_action) / base.network.action_std
    penalty = 0.03 * 2.0 * batch.follows * off.square().mean(1)
    expected = without.target(batch) - config.discount * (1 - batch.done) * penalty
    torch.testing.assert_close(learner.target(batch), expected)


@pytest.mark.parametrize("critic", ["sum", "separate"])
def test_it_finds_the_better_action(base, data, critic):
    """Reward for a palm that is moved along x, in a world of one step: a_r goes to its bound there, as far as
    the data show it."""
    config = tiny_config(critic=critic, warmup=0, residual_bc=0.0, learning_rate=3e-3, smoothing=0.0)
    learner = ALGORITHMS["td3_bc"](base, first_state(base, config), config)
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        batch = data.batch(torch.randint(len(data), (64,), generator=generator))
        residual = batch.residual.clone()
        residual[:, 0] = 0.015 * (2 * torch.rand(64, generator=generator) - 1)
        batch = replace(
            batch,
            residual=torch.zeros_like(residual),
            action=batch.base_action + residual,
            reward=100.0 * (batch.base_action + residual)[:, 0],
            done=torch.ones(64),
        )
        learner.update(batch)
    steered = learner.steer(learner.modulation, data.batch(torch.arange(len(data))).now)
    assert steered.residual[:, 0].mean() > 0.004
    assert steered.noise.abs().max() > 0.1
    assert steered.residual[:, :3].norm(dim=1).max() <= 0.015
