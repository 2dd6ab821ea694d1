"""Noise behind actions: exact where a closed form says so, told where it cannot be, and as good as logged."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_learning.offline.noise_recovery import push_error, recover_noise
from rfs_learning.offline.step_inversion import StepSolver
from rfs_policy.checkpoint import load_checkpoint
from rfs_policy.flow import Velocity, push
from rfs_policy.torch_base import TorchBase
from torch import Tensor

STEPS = 10


def linear_field(matrix: Tensor, offset: Tensor) -> Velocity:
    """v(a, t) = A a + t b over flattened chunks."""

    def velocity(a: Tensor, t: Tensor) -> Tensor:
        return (a.flatten(1) @ matrix.T + t[:, None] * offset).view_as(a)

    return velocity


def exact_noise(matrix: Tensor, offset: Tensor, chunk: Tensor) -> Tensor:
    """The closed form: (I + A / K) a_k = a_{k+1} - b t_k / K, from k = K - 1 to 0."""
    a, step = chunk.flatten(1).double(), torch.eye(len(matrix)).double() + matrix.double() / STEPS
    for k in range(STEPS - 1, -1, -1):
        a = torch.linalg.solve(step, (a - offset.double() * k / STEPS**2).T).T
    return a.float().view_as(chunk)


def solve(velocity: Velocity, chunk: Tensor, known: Tensor | None = None) -> Tensor:
    known = torch.ones_like(chunk, dtype=torch.bool) if known is None else known
    return StepSolver(tolerance=1e-6).invert(lambda index: velocity, chunk, known, STEPS)[0]


@given(st.integers(0, 10_000), st.floats(0.0, 3.0))
@settings(max_examples=25, deadline=None)
def test_linear_fields_are_inverted_exactly(seed, strength):
    generator = torch.Generator().manual_seed(seed)
    matrix = strength * torch.randn(6, 6, generator=generator) / 6**0.5
    offset = torch.randn(6, generator=generator)
    chunk = torch.randn(5, 2, 3, generator=generator)
    noise = solve(linear_field(matrix, offset), chunk)
    expected = exact_noise(matrix, offset, chunk)
    torch.testing.assert_close(noise, expected, atol=1e-3, rtol=1e-3)


def test_a_step_that_is_no_contraction_is_inverted_too():
    """v = -9.5 a in the last step: fixed points would oscillate, and 95 % of the noise are lost in it."""

    def velocity(a: Tensor, t: Tensor) -> Tensor:
        return torch.where(t[:, None, None] > 0.85, -9.5 * a, 2.0 * a.tanh())

    noise = torch.randn(8, 2, 3, generator=torch.Generator().manual_seed(0))
    chunk = push(velocity, noise, STEPS)
    torch.testing.assert_close(solve(velocity, chunk), noise, atol=1e-3, rtol=1e-3)


def test_what_the_flow_forgets_does_not_blow_up_the_noise():
    """v = (m - a) / (1 - t) sends every noise to m: any noise will do, and a small one is found."""
    middle = torch.tensor([[[0.3, -0.2, 1.0]] * 2])

    def velocity(a: Tensor, t: Tensor) -> Tensor:
        return (middle - a) / (1.0 - t)[:, None, None].clamp(min=1 / STEPS)

    noise = solve(velocity, middle.expand(4, -1, -1).clone())
    assert noise.abs().max() < 3.0
    torch.testing.assert_close(push(velocity, noise, STEPS), middle.expand(4, -1, -1), atol=1e-4, rtol=0)


def test_only_known_entries_are_met():
    matrix, offset = 0.5 * torch.eye(6), torch.ones(6)
    velocity = linear_field(matrix, offset)
    chunk = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    known = torch.zeros_like(chunk, dtype=torch.bool)
    known[:, 0] = True
    pushed = push(velocity, solve(velocity, chunk.where(known, 0.7), known), STEPS)
    torch.testing.assert_close(pushed[:, 0], chunk[:, 0], atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def shipped():
    """The shipped base, observations near what it knows, noise, and the chunks it leads to."""
    base = TorchBase.from_checkpoint(load_checkpoint("default"))
    generator = torch.Generator().manual_seed(0)
    cloud = torch.rand(24, 128, 3, generator=generator) * 0.1 + torch.tensor([0.5, 0.0, 0.0])
    state = base.network.state_mean + 0.3 * base.network.state_std * torch.randn(24, 48, generator=generator)
    context = base.network.encode(cloud, state)
    noise = torch.randn(24, 2, 22, generator=generator)
    chunk = base.network.denormalize_action(push(base.network.velocity(context), noise, base.steps))
    return base, context, noise, chunk


def test_recovered_noise_leads_to_the_recorded_chunk(shipped):
    base, context, noise, chunk = shipped
    errors = {
        method: recover_noise(base, context, chunk, method).error.median().item()
        for method in ("reversal", "descent", "stepwise")
    }
    assert errors["stepwise"] < 2e-4
    assert errors["stepwise"] < errors["descent"] < errors["reversal"]
    recovered = recover_noise(base, context, chunk)
    assert (recovered.noise - noise).abs().median() < 0.1
    torch.testing.assert_close(recovered.error, push_error(base, context, recovered.noise, chunk))


def test_an_action_of_another_policy_is_told_by_its_noise(shipped):
    """A flow can be led nearly anywhere, but not by noise that anybody would draw."""
    base, context, _, chunk = shipped
    foreign = recover_noise(base, context, chunk + 5.0 * base.network.action_std)
    assert recover_noise(base, context, chunk).plausible().all()
    assert not foreign.plausible().any()


def test_error_counts_known_entries_alone(shipped):
    base, context, noise, chunk = shipped
    partly, nothing = chunk.clone(), torch.full_like(chunk, torch.nan)
    partly[:, 1] = torch.nan
    assert push_error(base, context, noise, partly).max() < 1e-4
    assert push_error(base, context, noise, nothing).isinf().all()
    assert push_error(base, context, torch.full_like(noise, torch.nan), chunk).isinf().all()
    assert len(recover_noise(base, context[:0], chunk[:0]).noise) == 0
