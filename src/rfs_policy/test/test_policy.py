"""The policy's output on both runtimes, and what modulation may and may not change."""

import numpy as np
import pytest
from rfs_policy.checkpoint import save_checkpoint
from rfs_policy.onnx_base import OnnxBase
from rfs_policy.policy import FlowPolicy
from rfs_policy.torch_base import TorchBase


@pytest.fixture(params=["torch", "onnx"])
def policy(request, tmp_path, checkpoint):
    save_checkpoint(tmp_path, checkpoint)
    return FlowPolicy.load(tmp_path, checkpoint.layout, runtime=request.param)


@pytest.mark.parametrize(("batch", "points"), [(1, 64), (5, 64), (3, 1024), (2, 1)])
def test_both_runtimes_agree(observe, checkpoint, batch, points):
    observation = observe(batch, points, seed=points)
    bases = TorchBase.from_checkpoint(checkpoint), OnnxBase(checkpoint)
    torch_action, onnx_action = (FlowPolicy(base).act(*observation).action for base in bases)
    np.testing.assert_allclose(torch_action, onnx_action, rtol=1e-4, atol=1e-5)


def test_sum_and_shapes(observe, policy):
    output = policy.act(*observe(4))
    assert output.action.shape == (4, 2, 22)
    assert output.action.dtype == np.float32
    np.testing.assert_array_equal(output.residual, 0)
    np.testing.assert_array_equal(output.action, output.base_action + output.residual)


def test_same_input_same_output(observe, policy):
    observation = observe(2)
    np.testing.assert_array_equal(policy.act(*observation).action, policy.act(*observation).action)


def test_noise_matters_and_none_means_zeros(observe, policy):
    cloud, state, noise = observe(2)
    zeros = policy.act(cloud, state)
    np.testing.assert_array_equal(zeros.action, policy.act(cloud, state, np.zeros_like(noise)).action)
    assert np.abs(policy.act(cloud, state, noise).action - zeros.action).max() > 1e-3


def test_modulation_steers_noise_and_adds_a_residual(observe, policy, checkpoint):
    cloud, state, noise = observe(2)
    seen = []

    def halve_and_nudge(observation, drawn):
        seen.append(observation)
        return 0.5 * drawn, np.full_like(drawn, 0.01)

    output = FlowPolicy(policy.base, halve_and_nudge).act(cloud, state, noise)
    expected = policy.act(cloud, state, 0.5 * noise)
    np.testing.assert_array_equal(output.base_action, expected.base_action)
    np.testing.assert_allclose(output.action - output.base_action, 0.01, rtol=1e-3)
    assert seen[0].context.shape == (2, checkpoint.config["network"]["context_dim"])


def test_drawn_noise_depends_on_the_generator_only(policy):
    first, second = (policy.draw_noise(np.random.default_rng([1, 7])) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (2, 22)
    assert first.dtype == np.float32
