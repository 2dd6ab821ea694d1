"""Tabula-rasa action spaces: bounds, what 0 and 1 mean, and that nothing the robot can do is out of reach."""

import numpy as np
import pytest
import torch
from finger_motions import LOWER, RATE, UPPER, assert_within_limits, choices, hands, observations
from hypothesis import given
from rfs_control.command import Command, compose
from rfs_control.limits import Limit, Limits
from rfs_learning.rl.features import COMMAND_FINGERS
from rfs_learning.rl.joint_spaces import AbsoluteJoints, RelativeJoints, spread
from rfs_learning.rl.rl_config import RlConfig

STEERING = RlConfig.load().steering
ABSOLUTE, RELATIVE = AbsoluteJoints(STEERING, RATE), RelativeJoints(STEERING, RATE)
BOTH = pytest.mark.parametrize("space", [ABSOLUTE, RELATIVE], ids=["absolute", "relative"])


@BOTH
def test_sizes_of_table_2(space):
    assert space.dim == len(space.initial_std) == 6 + 16
    assert space.execute == 1
    assert space.noise_shape is None
    assert (space.initial_std > 0).all()
    assert space.decide(observations(torch.zeros(3, 16)), torch.zeros(3, 22), None).shape == (3, 1, 22)


@given(hands, choices(22))
def test_no_choice_leaves_the_limits(hand, u):
    assert_within_limits(ABSOLUTE.decide(hand, u, None))
    assert_within_limits(RELATIVE.decide(hand, u, None))


@BOTH
def test_palm_deltas_come_from_the_first_six_numbers(space):
    u = torch.zeros(6, 22)
    u[:, :6] = 0.5 * torch.eye(6)
    arm = space.decide(observations(torch.zeros(6, 16)), u, None)[:, 0, :6]
    torch.testing.assert_close(arm, torch.diag(torch.tensor([0.015] * 3 + [0.05] * 3)))


def test_absolute_targets_span_the_ranges_around_the_open_hand():
    u = torch.zeros(3, 22)
    u[0, 6:], u[2, 6:] = -1.0, 1.0
    low, middle, high = ABSOLUTE.decide(observations(torch.ones(3, 16)), u, None)[:, 0, 6:]
    assert torch.equal(low, LOWER)
    assert torch.equal(middle, torch.zeros(16))
    assert torch.equal(high, UPPER)


@given(hands)
def test_absolute_targets_reach_every_pose_in_the_ranges(hand):
    wanted = hand[:, COMMAND_FINGERS]
    u = torch.cat([torch.zeros(1, 6), torch.where(wanted < 0, -wanted / LOWER, wanted / UPPER)], dim=1)
    torch.testing.assert_close(ABSOLUTE.decide(observations(torch.zeros(1, 16)), u, None)[:, 0, 6:], wanted)


@given(hands)
def test_relative_zero_keeps_the_command(hand):
    assert torch.equal(RELATIVE.decide(hand, torch.zeros(1, 22), None)[:, 0, 6:], hand[:, COMMAND_FINGERS])


def test_relative_one_is_the_largest_step_that_the_task_allows():
    fingers = torch.full((1, 16), 0.1)
    u = torch.cat([torch.zeros(1, 6), torch.ones(1, 16)], dim=1)
    action = RELATIVE.decide(observations(fingers), u, None)[:, 0].double().numpy()
    np.testing.assert_allclose(action[0, 6:], 0.5, atol=1e-6)
    command = Command(np.array([[0.5, 0.0, 0.3]]), np.eye(3)[None], fingers.double().numpy())
    _, executed, flags = compose(command, action, Limits.load(period=1.0 / RATE))
    assert flags == Limit.NONE
    np.testing.assert_allclose(executed, action)


def test_relative_steps_scale_with_the_rate():
    u = torch.cat([torch.zeros(1, 6), torch.ones(1, 16)], dim=1)
    hand = observations(torch.zeros(1, 16))
    slow, fast = (RelativeJoints(STEERING, rate).decide(hand, u, None) for rate in (10.0, 40.0))
    torch.testing.assert_close(slow[..., 6:], 4 * fast[..., 6:])


@given(choices(16))
def test_spread_stays_between_its_ends(u):
    spread_out = spread(u, LOWER, torch.zeros(16), UPPER)
    assert ((spread_out >= LOWER) & (spread_out <= UPPER)).all()


@BOTH
def test_weights_make_an_equal_space(space):
    other = type(space)(STEERING, RATE)
    other.load_state_dict({name: tensor.clone() for name, tensor in space.state_dict().items()})
    hand, u = observations(0.2 * torch.rand(4, 16)), torch.randn(4, 22)
    assert torch.equal(space.decide(hand, u, None), other.decide(hand, u, None))
