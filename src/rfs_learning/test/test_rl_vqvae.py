"""VQ-VAE space: what it learns, how PPO's numbers pick codes, the residual, and its files."""

from dataclasses import replace

import pytest
import torch
from finger_motions import RATE, assert_within_limits, choices, hands, made_up, observations
from hypothesis import given, settings
from rfs_learning.rl.features import COMMAND_FINGERS
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.vqvae import VqVaeConfig, train_vqvae
from rfs_learning.rl.vqvae_space import VqVaeSpace
from safetensors.torch import load, save
from torch import Tensor

STEERING = RlConfig.load().steering
DEMONSTRATIONS = made_up()
BRIEF = VqVaeConfig(width=32, steps=300, batch=128)
TOUCHED = VqVaeConfig(width=8, steps=3, batch=64)
ARM, SCORES, RESIDUAL = slice(0, 6), slice(6, 22), slice(22, 38)


@pytest.fixture(scope="module")
def space() -> VqVaeSpace:
    return VqVaeSpace.fit(DEMONSTRATIONS, STEERING, RATE, BRIEF, seed=0)


@pytest.fixture(scope="module")
def untrained() -> VqVaeSpace:
    return VqVaeSpace(STEERING, RATE, BRIEF)


def picks(first: int, second: int) -> Tensor:
    """A choice (1, 38) of one code for each step, with arm and residual at rest."""
    u = torch.zeros(1, 38)
    u[0, 6 + first] = u[0, 14 + second] = 20.0
    return u


def previous_and_next() -> tuple[Tensor, Tensor]:
    return DEMONSTRATIONS.observations[:, COMMAND_FINGERS], DEMONSTRATIONS.chunks(2)[..., 6:]


def test_sizes_of_table_2_and_the_residual_of_the_text(space):
    assert space.dim == len(space.initial_std) == 6 + 8 * 2 + 16
    assert space.execute == 2
    assert space.noise_shape is None
    assert space.residual == RESIDUAL
    hand = observations(torch.zeros(3, 16))
    assert space.decide(hand, torch.zeros(3, 38), None).shape == (3, 2, 22)


@settings(max_examples=50)
@given(hands, choices(38))
def test_no_choice_leaves_the_limits(space, hand, u):
    assert_within_limits(space.decide(hand, u, None))


def test_reconstructs_demonstrations_better_than_without_codes(space):
    previous, fingers = previous_and_next()
    alone = train_vqvae(DEMONSTRATIONS, replace(BRIEF, codes=1), seed=0)
    standing_still = (fingers - previous[:, None]).square().mean().sqrt()
    assert space.vqvae.error < 0.8 * alone.error < 0.8 * standing_still


def test_reports_the_error_and_the_use_of_codes_of_its_demonstrations(space):
    previous, fingers = previous_and_next()
    codes = space.vqvae.codes(previous, fingers)
    error = (space.vqvae.decode_codes(previous, codes) - fingers).square().mean().sqrt()
    torch.testing.assert_close(space.vqvae.error, error)
    for step in (0, 1):
        share = torch.tensor([(codes[:, step] == code).float().mean() for code in range(8)])
        torch.testing.assert_close(space.vqvae.use[step], share)


def test_equal_seeds_give_equal_weights_and_leave_other_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = train_vqvae(DEMONSTRATIONS, TOUCHED, seed=1)
    assert torch.equal(torch.rand(3), expected)
    same, other = (train_vqvae(DEMONSTRATIONS, TOUCHED, seed=seed) for seed in (1, 2))
    weights, repeated = one.state_dict(), same.state_dict()
    assert all(torch.equal(weights[name], repeated[name]) for name in weights)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_every_code_is_another_motion(space):
    hand = observations(DEMONSTRATIONS.actions[20:21, 6:])
    poses = torch.cat([space.decide(hand, picks(code, code), None)[:, 0, 6:] for code in range(8)])
    apart = torch.cdist(poses, poses) + torch.eye(8)
    assert apart.min() > 1e-3


def test_a_code_acts_from_its_own_step_on(space):
    hand = observations(torch.full((1, 16), 0.3))
    one, other = (space.decide(hand, picks(0, code), None) for code in (1, 2))
    assert torch.equal(one[:, 0], other[:, 0])
    assert not torch.equal(one[:, 1], other[:, 1])


def test_the_decoder_goes_on_from_the_commanded_fingers(space):
    u = picks(0, 0)
    open_hand = space.decide(observations(torch.full((1, 16), 0.05)), u, None)
    bent = space.decide(observations(torch.full((1, 16), 0.25)), u, None)
    assert (bent - open_hand)[..., 6:].mean() > 0.05


def test_the_highest_score_picks_the_code(space):
    for first, second in ((0, 7), (3, 3), (6, 1)):
        assert space.choose_codes(picks(first, second)).tolist() == [[first, second]]


def test_zero_picks_the_commonest_codes(space):
    assert torch.equal(space.choose_codes(torch.zeros(1, 38))[0], space.vqvae.use.argmax(dim=1))


def test_early_exploration_picks_codes_about_as_often_as_demonstrations(space):
    generator = torch.Generator().manual_seed(0)
    codes = space.choose_codes(torch.randn(4000, 38, generator=generator) * space.initial_std)
    for step in (0, 1):
        drawn = torch.bincount(codes[:, step], minlength=8) / len(codes)
        assert 0.5 * (drawn - space.vqvae.use[step]).abs().sum() < 0.15


def test_a_code_that_nothing_uses_can_still_be_picked(untrained):
    untrained.vqvae.use[:] = torch.tensor([1.0] + [0.0] * 7)
    assert untrained.choose_codes(picks(5, 5)).tolist() == [[5, 5]]


def test_both_steps_get_the_same_bounded_residual(space):
    hand = observations(torch.full((1, 16), 0.3))
    plain, pushed, harder = picks(1, 2), picks(1, 2), picks(1, 2)
    pushed[:, RESIDUAL] = torch.linspace(-1.0, 1.0, 16)
    harder[:, RESIDUAL] = 5.0 * pushed[:, RESIDUAL]
    base = space.decide(hand, plain, None)
    added = space.decide(hand, pushed, None) - base
    bound = STEERING.residual.fingers
    expected = torch.cat([torch.zeros(6), bound * pushed[0, RESIDUAL]])
    torch.testing.assert_close(added, expected.expand(1, 2, -1), atol=1e-6, rtol=0)
    assert (space.decide(hand, harder, None) - base).abs().max() <= bound + 1e-6


def test_the_palm_moves_alike_in_both_steps(space):
    u = picks(0, 0)
    u[:, ARM] = torch.linspace(-1.0, 1.0, 6)
    chunk = space.decide(observations(torch.zeros(1, 16)), u, None)
    assert torch.equal(chunk[:, 0, :6], chunk[:, 1, :6])
    assert chunk[:, 0, :6].abs().max() > 0.01


def test_weights_fill_an_untrained_space(space, untrained):
    untrained.load_state_dict(load(save(space.state_dict())))
    hand = observations(torch.rand(6, 16))
    u = torch.randn(6, 38, generator=torch.Generator().manual_seed(1))
    assert torch.equal(space.decide(hand, u, None), untrained.decide(hand, u, None))


def test_nothing_in_it_learns_or_changes_while_it_is_used(space):
    before = {name: tensor.clone() for name, tensor in space.state_dict().items()}
    chunk = space.decide(observations(torch.zeros(2, 16)), torch.randn(2, 38), None)
    assert not chunk.requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in space.state_dict().items())


def test_refuses_too_few_steps():
    with pytest.raises(ValueError, match=r"8 codes needs at least 128 steps .*, there are 80: collect more"):
        VqVaeSpace.fit(made_up(episodes=2), STEERING, RATE, TOUCHED)


def test_refuses_a_hand_that_never_moves():
    still = replace(DEMONSTRATIONS, actions=torch.zeros_like(DEMONSTRATIONS.actions))
    with pytest.raises(ValueError, match="fingers never move in these demonstrations"):
        VqVaeSpace.fit(still, STEERING, RATE, TOUCHED)


def test_refuses_demonstrations_of_another_rate():
    with pytest.raises(ValueError, match="at 20 Hz cannot teach finger motions at 10 Hz"):
        VqVaeSpace.fit(DEMONSTRATIONS, STEERING, 10.0, TOUCHED)
