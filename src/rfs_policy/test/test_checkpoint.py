"""Checkpoints come back as they were saved; everything else is refused in a sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rfs_policy.checkpoint import FILE_NAME, FORMAT, SHIPPED, file_id, load_checkpoint, save_checkpoint
from rfs_policy.layout import ARM_JOINTS_23, DELTA_POSE
from rfs_policy.onnx_base import OnnxBase
from rfs_policy.torch_base import checkpoint_of, network_of
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def test_round_trip(tmp_path, checkpoint):
    identity = save_checkpoint(tmp_path / "run", checkpoint)
    loaded = load_checkpoint(tmp_path / "run", DELTA_POSE)
    assert loaded.layout == DELTA_POSE
    assert loaded.config["note"] == "random weights"
    assert loaded.id == identity == file_id(tmp_path / "run" / FILE_NAME)
    assert loaded.tensors.keys() == checkpoint.tensors.keys()
    for name, tensor in checkpoint.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], tensor)


def test_those_that_ship_have_names_and_drive_the_stacks_robot():
    shipped = {name: load_checkpoint(name, DELTA_POSE) for name in SHIPPED}
    assert len({checkpoint.id for checkpoint in shipped.values()}) == len(shipped) == 2


def test_the_file_itself_can_be_named(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "mine.safetensors", checkpoint)
    assert load_checkpoint(tmp_path / "mine.safetensors").layout == DELTA_POSE


def test_saving_leaves_one_file_and_replaces_the_old(tmp_path, checkpoint):
    first = save_checkpoint(tmp_path, checkpoint)
    second = save_checkpoint(tmp_path, replace(checkpoint, config={**checkpoint.config, "note": "other"}))
    assert first != second
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]


def test_network_survives_in_float32(tmp_path, network):
    save_checkpoint(tmp_path, checkpoint_of(network, DELTA_POSE, steps=3, config={}, half=False))
    loaded = network_of(load_checkpoint(tmp_path))
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name], tensor)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.99])
def test_truncated(tmp_path, checkpoint, kept):
    save_checkpoint(tmp_path, checkpoint)
    data = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ValueError, match="truncated"):
        load_checkpoint(tmp_path)


def test_not_a_checkpoint(tmp_path):
    (tmp_path / "notes.txt").write_text("hello, this is no checkpoint")
    with pytest.raises(ValueError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "notes.txt")


def test_safetensors_of_something_else(tmp_path):
    save_file({"x": np.zeros(3)}, tmp_path / FILE_NAME)
    with pytest.raises(ValueError, match="not a flow-policy checkpoint"):
        load_checkpoint(tmp_path)


OTHERS = [ARM_JOINTS_23, replace(DELTA_POSE, horizon=8), replace(DELTA_POSE, rate_hz=20.0)]


@pytest.mark.parametrize("layout", OTHERS)
def test_other_layout(tmp_path, checkpoint, layout):
    save_checkpoint(tmp_path, checkpoint)
    with pytest.raises(ValueError, match="does not match layout"):
        load_checkpoint(tmp_path, layout)


def test_tensors_of_another_size(checkpoint):
    other = {**checkpoint.config, "network": {**checkpoint.config["network"], "context_dim": 17}}
    with pytest.raises(ValueError, match="do not fit"):
        network_of(replace(checkpoint, config=other))


def header_of(file) -> dict:
    with safe_open(file, framework="numpy") as stream:
        return json.loads(stream.metadata()[FORMAT])


@pytest.mark.parametrize("entry", ["version", "layout", "config"])
def test_an_entry_that_the_header_lacks_is_named(tmp_path, checkpoint, entry):
    save_checkpoint(tmp_path, checkpoint)
    file = tmp_path / FILE_NAME
    header = {name: value for name, value in header_of(file).items() if name != entry}
    save_file(load_file(file), file, {FORMAT: json.dumps(header)})
    with pytest.raises(ValueError, match=f"its header has no '{entry}'"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, "10", None])
def test_a_number_of_euler_steps_that_makes_no_sense(tmp_path, checkpoint, steps):
    save_checkpoint(tmp_path, replace(checkpoint, config={**checkpoint.config, "push_steps": steps}))
    with pytest.raises(ValueError, match="push_steps must be a whole number above 0"):
        load_checkpoint(tmp_path)


def test_no_number_of_euler_steps(tmp_path, checkpoint):
    config = {name: value for name, value in checkpoint.config.items() if name != "push_steps"}
    save_checkpoint(tmp_path, replace(checkpoint, config=config))
    with pytest.raises(ValueError, match="its header has no 'push_steps'"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, checkpoint, value):
    tensors = {**checkpoint.tensors, "field_output.bias": checkpoint.tensors["field_output.bias"] * value}
    save_checkpoint(tmp_path, replace(checkpoint, tensors=tensors))
    with pytest.raises(ValueError, match=r"'field_output.bias' has a number that is not finite"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"velocity_depth": 2}, "tensor 'field_hidden.1.bias' is .24,., its settings ask for none"),
        ({"velocity_depth": 4}, "tensor 'field_hidden.2.bias' is missing"),
        ({"point_widths": [8]}, "its settings ask for"),
        ({"context_dim": None}, "network sizes are damaged"),
    ],
)
def test_sizes_that_are_not_those_of_the_tensors_are_not_run(checkpoint, sizes, words):
    config = {**checkpoint.config, "network": {**checkpoint.config["network"], **sizes}}
    with pytest.raises(ValueError, match=words):
        OnnxBase(replace(checkpoint, config=config))
