"""Modulations come back as they were saved, for the base they were trained for; all else is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from random_policies import configs, random_network
from rfs_policy.checkpoint import load_checkpoint, save_checkpoint
from rfs_policy.layout import ARM_JOINTS_23, DELTA_POSE
from rfs_policy.modulation_checkpoint import (
    FILE_NAME,
    FORMAT,
    ModulationCheckpoint,
    load_modulation,
    save_modulation,
    tensor_shapes,
)
from rfs_policy.modulation_config import ModulationConfig
from rfs_policy.modulation_network import ModulationNetwork
from rfs_policy.network import NetworkConfig
from rfs_policy.torch_base import TorchBase
from safetensors.numpy import load_file, save_file


@pytest.fixture
def base(network) -> TorchBase:
    return TorchBase(network, DELTA_POSE, steps=4, checkpoint_id="b" * 64)


@pytest.fixture
def modulation(base) -> ModulationCheckpoint:
    """A randomly initialized modulation, not saved."""
    network = random_network(base, ModulationConfig(hidden=(8,)))
    return network.checkpoint(base.id, {"method": "rfs", "steps": 3})


def rewrite(file, **changes) -> None:
    """Change entries of the header, leaving the tensors."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as stream:
        header = json.loads(stream.metadata()[FORMAT])
    save_file(load_file(file), file, {FORMAT: json.dumps({**header, **changes})})


def test_the_one_that_ships_belongs_to_the_policy_that_ships():
    shipped = load_modulation("adapted", load_checkpoint("default"))
    assert (shipped.config.latent, shipped.config.residual) == (True, True)


def test_round_trip(tmp_path, modulation, base):
    identity = save_modulation(tmp_path / "run", modulation)
    loaded = load_modulation(tmp_path / "run", base)
    assert loaded.id == identity
    assert (loaded.config, loaded.layout, loaded.base_id) == (modulation.config, DELTA_POSE, base.id)
    assert loaded.training == {"method": "rfs", "steps": 3}
    state = ModulationNetwork.from_checkpoint(loaded).state_dict()
    assert state.keys() == modulation.tensors.keys()
    for name, tensor in modulation.tensors.items():
        np.testing.assert_array_equal(state[name], tensor)
    assert [file.name for file in (tmp_path / "run").iterdir()] == [FILE_NAME]


def test_equal_contents_have_one_id(tmp_path, modulation):
    assert len({save_modulation(tmp_path / name, modulation) for name in "abc"}) == 1


@given(configs)
def test_settings_survive_json(config):
    assert ModulationConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@given(configs)
def test_shapes_are_those_of_the_network(config):
    sizes = {"point_widths": (4, 6), "keypoints": 3, "context_dim": 7}
    state = ModulationNetwork(config, DELTA_POSE, NetworkConfig(**sizes)).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert tensor_shapes(config, DELTA_POSE, sizes) == shapes


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"latent": False, "residual": False}, "neither a0 nor a_r"),
        ({"latent": 1}, "latent must be true or false"),
        ({"encoder": "shared"}, "encoder must be one of base, own"),
        ({"hidden": [64, 0]}, "hidden must be whole numbers above 0"),
        ({"hidden": 64}, "hidden must be whole numbers above 0"),
        ({"noise_bound": 0.0}, "noise_bound must be a positive number"),
        ({"noise_bound": float("nan")}, "noise_bound must be a positive number"),
        ({"residual_bound": [0.015, -1.0]}, "residual_bound must be numbers from 0 on"),
        ({"dropout": 0.1}, "unknown entry 'dropout'"),
        ([], "must be a mapping"),
    ],
)
def test_settings_that_are_not_allowed(entries, words):
    with pytest.raises(ValueError, match=words):
        ModulationConfig.from_dict(entries)


@pytest.mark.parametrize(
    ("bound", "words"),
    [((0.05,) * 16, "16 numbers"), ((0.01, 0.02, 0.03, *(0.0,) * 19), "one number three times")],
)
def test_bounds_that_do_not_fit_the_layout(bound, words):
    with pytest.raises(ValueError, match=words):
        ModulationNetwork(ModulationConfig(residual_bound=bound), DELTA_POSE, NetworkConfig())


def test_another_base_is_refused(tmp_path, modulation, checkpoint):
    save_modulation(tmp_path, modulation)
    other = replace(checkpoint, id=save_checkpoint(tmp_path / "base", checkpoint))
    with pytest.raises(ValueError, match=f"was trained for base policy {'b' * 12}, not for {other.id[:12]}"):
        load_modulation(tmp_path, other)


OTHERS = [ARM_JOINTS_23, replace(DELTA_POSE, horizon=8), replace(DELTA_POSE, rate_hz=20.0)]


@pytest.mark.parametrize("layout", OTHERS)
def test_another_layout_horizon_or_rate_is_refused(tmp_path, modulation, base, layout):
    save_modulation(tmp_path, modulation)
    base.layout = layout
    with pytest.raises(ValueError, match="does not match layout"):
        load_modulation(tmp_path, base)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no modulation at"):
        load_modulation(tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.99])
def test_truncated(tmp_path, modulation, kept):
    save_modulation(tmp_path, modulation)
    data = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ValueError, match="not a modulation or is truncated"):
        load_modulation(tmp_path)


def test_a_base_policy_is_no_modulation(tmp_path, checkpoint):
    save_checkpoint(tmp_path, checkpoint)
    with pytest.raises(ValueError, match="but not a modulation"):
        load_modulation(tmp_path / "policy.safetensors")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 7}, "version 7, but 1 is read"),
        ({"config": {"layers": 3}}, "unknown entry 'layers'"),
        ({"layout": "{}"}, "not a layout"),
        ({"base_id": None, "network": {}}, "settings are damaged or do not fit .'context_dim'"),
        ({"config": {"hidden": [9]}}, "tensor 'hidden.0.bias' is .8,., its settings ask for .9,."),
        ({"config": {"hidden": [8], "residual": False}}, "settings ask for none"),
        ({"config": {"hidden": [8, 8]}}, "is missing"),
    ],
)
def test_headers_that_do_not_fit(tmp_path, modulation, changes, words):
    save_modulation(tmp_path, modulation)
    rewrite(tmp_path / FILE_NAME, **changes)
    with pytest.raises(ValueError, match=words):
        load_modulation(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(tmp_path, modulation, value):
    save_modulation(tmp_path, modulation)
    tensors = load_file(tmp_path / FILE_NAME)
    tensors["hidden.0.weight"][1, 2] = value
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(ValueError, match=r"'hidden.0.weight' has a number that is not finite"):
        save_modulation(tmp_path, replace(modulation, tensors=tensors))
    assert (tmp_path / FILE_NAME).read_bytes() == before
    from safetensors import safe_open

    with safe_open(tmp_path / FILE_NAME, framework="numpy") as stream:
        metadata = stream.metadata()
    save_file(tensors, tmp_path / FILE_NAME, metadata)
    with pytest.raises(ValueError, match=r"'hidden.0.weight' has a number that is not finite"):
        load_modulation(tmp_path)
