"""A learned modulation on both runtimes, alone and in the policy."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_policies import configs, random_base, random_network, random_observation
from rfs_policy.checkpoint import load_checkpoint, save_checkpoint
from rfs_policy.layout import DELTA_POSE
from rfs_policy.learned_modulation import LearnedModulation
from rfs_policy.modulation import Observation
from rfs_policy.modulation_checkpoint import load_modulation, save_modulation
from rfs_policy.modulation_config import ModulationConfig
from rfs_policy.modulation_network import ModulationNetwork
from rfs_policy.onnx_modulation import OnnxModulation
from rfs_policy.policy import FlowPolicy
from rfs_policy.torch_base import TorchBase
from rfs_policy.torch_modulation import TorchModulation

RUNTIMES = ["torch", "onnx"]


@pytest.fixture
def folder(tmp_path, checkpoint):
    """A folder with a base policy and, once `save` was called, a modulation."""
    save_checkpoint(tmp_path, checkpoint)
    return tmp_path


@pytest.fixture
def save(folder):
    def save(config: ModulationConfig, zero_heads: bool = False) -> str:
        base = TorchBase.from_checkpoint(load_checkpoint(folder))
        network = ModulationNetwork.beside(base, config) if zero_heads else random_network(base, config)
        return save_modulation(folder, network.checkpoint(base.id, {}))

    return save


@settings(max_examples=60)
@given(
    config=configs,
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([0.1, 1.0, 30.0]),
    shape=st.sampled_from([(1, 64), (3, 20), (2, 1)]),
)
def test_onnx_computes_what_torch_does(config, seed, size, shape):
    """To float32's rounding of what the heads add up: about a hundred products, each as large as `size`
    times a feature of up to five deviations."""
    base = TorchBase(random_base(), DELTA_POSE, 4)
    cloud, state, noise = random_observation(*shape, seed=seed)
    observation = Observation(cloud, state, base.encode(cloud, state))
    network = random_network(base, config, seed % 1000, size)
    a0, residual = TorchModulation(network).choose(observation, noise)
    other_a0, other_residual = OnnxModulation(network.checkpoint("abc", {})).choose(observation, noise)
    bound = np.array(config.residual_bound)
    rounding = 3e-5 * (1 + size)
    np.testing.assert_allclose(other_a0, a0, rtol=0, atol=rounding * config.noise_bound)
    assert (np.abs(other_residual - residual) <= rounding * bound).all()
    for chosen in (residual.astype(np.float64), other_residual.astype(np.float64)):
        assert (np.linalg.norm(chosen[:, :3], axis=1) <= bound[0]).all()
        assert (np.abs(chosen) <= bound).all()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_bound_of_a0_may_be_a_whole_number(folder, save, observe, runtime):
    chosen = []
    for bound in (2, 2.0):
        save(ModulationConfig(hidden=(16,), noise_bound=bound))
        chosen.append(FlowPolicy.load(folder, runtime=runtime, modulation=folder).act(*observe(3)).noise)
    np.testing.assert_array_equal(*chosen)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("encoder", ["base", "own"])
def test_with_zero_heads_the_policy_is_the_base_at_zero_noise(folder, save, observe, runtime, encoder):
    save(ModulationConfig(encoder=encoder, hidden=(16, 8)), zero_heads=True)
    modulated = FlowPolicy.load(folder, runtime=runtime, modulation=folder)
    base = FlowPolicy.load(folder, runtime=runtime)
    for batch in (1, 5):
        cloud, state, noise = observe(batch)
        output, expected = modulated.act(cloud, state, noise), base.act(cloud, state, np.zeros_like(noise))
        for name in ("noise", "base_action", "residual", "action"):
            np.testing.assert_array_equal(getattr(output, name), getattr(expected, name))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_base_action_is_the_base_s_for_the_chosen_noise(folder, save, observe, runtime):
    save(ModulationConfig(hidden=(16,)))
    cloud, state, noise = observe(3)
    output = FlowPolicy.load(folder, runtime=runtime, modulation=folder).act(cloud, state, noise)
    expected = FlowPolicy.load(folder, runtime=runtime).act(cloud, state, output.noise)
    np.testing.assert_array_equal(output.base_action, expected.base_action)
    np.testing.assert_array_equal(output.action, output.base_action + output.residual)
    np.testing.assert_array_equal(output.residual[:, 0], output.residual[:, 1])
    assert output.noise.dtype == output.residual.dtype == np.float32
    assert output.residual.any()
    assert (output.noise != noise).all()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_not_chosen(folder, save, observe, runtime):
    cloud, state, noise = observe(3)
    save(ModulationConfig(latent=False, hidden=(16,)))
    residual = FlowPolicy.load(folder, runtime=runtime, modulation=folder).act(cloud, state, noise)
    np.testing.assert_array_equal(residual.noise, noise)
    assert residual.residual.any()
    save(ModulationConfig(residual=False, hidden=(16,)))
    latent = FlowPolicy.load(folder, runtime=runtime, modulation=folder).act(cloud, state, noise)
    assert not latent.residual.any()
    assert (latent.noise != noise).all()


def test_the_policy_knows_both_ids(folder, save):
    identity = save(ModulationConfig(hidden=(4,)))
    policy = FlowPolicy.load(folder, runtime="onnx", modulation=str(folder))
    assert policy.modulation_id == identity == load_modulation(folder).id
    assert policy.id == load_checkpoint(folder).id
    assert FlowPolicy.load(folder, runtime="onnx").modulation_id == ""


def test_a_modulation_in_training_acts_as_it_is_now(network, observe):
    base = TorchBase(network, DELTA_POSE, 4)
    steering = random_network(base, ModulationConfig(hidden=(8,)))
    policy = FlowPolicy(base, LearnedModulation(TorchModulation(steering)))
    before = policy.act(*observe(2))
    steering.residual_head.bias.data += 1.0
    after = policy.act(*observe(2))
    assert (after.residual[..., 6:] > before.residual[..., 6:]).all()
    np.testing.assert_array_equal(after.base_action, before.base_action)


def test_the_base_s_file_is_as_it_was(folder, save, observe):
    before = (folder / "policy.safetensors").read_bytes()
    save(ModulationConfig(hidden=(4,)))
    FlowPolicy.load(folder, modulation=folder).act(*observe(2))
    assert (folder / "policy.safetensors").read_bytes() == before


def test_another_base_is_refused_when_loaded(folder, save, checkpoint):
    save(ModulationConfig(hidden=(4,)))
    changed = {**checkpoint.tensors, "action_mean": checkpoint.tensors["action_mean"] + 1}
    save_checkpoint(folder / "other", type(checkpoint)(changed, checkpoint.layout, checkpoint.config))
    for runtime in RUNTIMES:
        with pytest.raises(ValueError, match="was trained for base policy"):
            FlowPolicy.load(folder / "other", runtime=runtime, modulation=folder)


def test_a_robot_s_policy_needs_no_torch(folder, save):
    save(ModulationConfig(encoder="own", hidden=(4,)))
    program = (
        "import sys; from rfs_policy.policy import FlowPolicy; "
        f"FlowPolicy.load({str(folder)!r}, None, 'onnx', {str(folder)!r}); "
        "print('torch' in sys.modules)"
    )
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=there, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
