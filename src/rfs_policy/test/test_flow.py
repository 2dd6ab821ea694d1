"""Push and reverse against closed forms, each other and finite differences; the loss against its
definition.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rfs_policy.flow import flow_matching_loss, push, reverse

STEPS = st.integers(1, 40)
RATES = st.floats(-2.0, 2.0)
SEEDS = st.integers(0, 2**31 - 1)


def noise(seed: int, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 2, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def curved(a: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A smooth field, neither linear nor constant in time."""
    return torch.sin(2 * a) + torch.cos(3 * t)[:, None, None] * a.roll(1, dims=-1)


@given(RATES, STEPS, SEEDS)
def test_linear_field_has_its_closed_form(rate, steps, seed):
    a0 = noise(seed)
    expected = a0 * (1 + rate / steps) ** steps
    torch.testing.assert_close(push(lambda a, t: rate * a, a0, steps), expected)


@given(STEPS, SEEDS)
def test_time_field_is_summed_at_left_ends(steps, seed):
    a0 = noise(seed)
    pushed = push(lambda a, t: t[:, None, None].expand_as(a), a0, steps)
    torch.testing.assert_close(pushed, a0 + (steps - 1) / (2 * steps))


@given(STEPS, SEEDS)
def test_straight_path_arrives_in_any_number_of_steps(steps, seed):
    a0, goal = noise(seed), noise(seed + 1)
    torch.testing.assert_close(push(lambda a, t: goal - a0, a0, steps), goal)
    torch.testing.assert_close(reverse(lambda a, t: goal - a0, goal, steps), a0)


@given(SEEDS)
def test_reverse_undoes_push_within_the_step_error(seed):
    a0 = noise(seed)
    errors = [(reverse(curved, push(curved, a0, k), k) - a0).abs().max().item() for k in (10, 40, 160)]
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.12  # first order: 16 times more steps, about 16 times less error
    assert errors[2] < errors[0] / 6


@given(SEEDS, st.integers(0, 4))
def test_batch_entries_do_not_touch_each_other(seed, index):
    a0 = noise(seed, batch=5)
    torch.testing.assert_close(push(curved, a0, 7)[index : index + 1], push(curved, a0[index : index + 1], 7))


@pytest.mark.parametrize("integrate", [push, reverse])
def test_gradients_agree_with_finite_differences(integrate):
    a0 = noise(0).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: integrate(curved, a, 5), (a0,))


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(steps):
    with pytest.raises(ValueError, match="at least 1"):
        push(curved, noise(0), steps)


@given(SEEDS)
def test_loss_is_zero_for_the_true_velocity_and_positive_else(seed):
    a0, a1, t = noise(seed), noise(seed + 1), torch.rand(3, dtype=torch.float64)
    assert flow_matching_loss(lambda a, t: a1 - a0, a1, a0, t) == 0
    offset = flow_matching_loss(lambda a, t: a1 - a0 + 0.5, a1, a0, t)
    torch.testing.assert_close(offset, torch.tensor(0.25, dtype=torch.float64))


def test_loss_evaluates_the_field_between_noise_and_action():
    a0, a1 = noise(1), noise(2)
    t = torch.tensor([0.0, 1.0, 0.25], dtype=torch.float64)
    seen = {}

    def field(a, time):
        seen["a"] = a
        return torch.zeros_like(a)

    flow_matching_loss(field, a1, a0, t)
    torch.testing.assert_close(seen["a"], torch.stack([a0[0], a1[1], 0.75 * a0[2] + 0.25 * a1[2]]))
