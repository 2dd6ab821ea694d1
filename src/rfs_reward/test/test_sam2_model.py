"""Folders with SAM2's weights: what is read, at which sizes, and what is refused in one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rfs_reward.trackers.sam2_model import load_model, set_image_size
from safetensors.torch import load_file, save_file
from sam2_rig import SIZE, save_tiny_model, tiny_config
from transformers import Sam2VideoModel

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    save_tiny_model(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "weights"))


def load(folder: Path, size: int = 0) -> Sam2VideoModel:
    return load_model(folder, size, CPU, torch.float32)


@pytest.mark.parametrize("size", [0, 32, 96, 160, 256])
def test_weights_are_the_same_at_every_size(folder: Path, size: int) -> None:
    model = load(folder, size)
    stored = load_file(folder / "model.safetensors")
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())
    side: Any = size or SIZE
    features = model.get_image_features(torch.zeros(1, 3, side, side), return_dict=True).fpn_hidden_states
    assert [len(feature) for feature in features] == [(side // stride) ** 2 for stride in (4, 8, 16)]


def test_setting_the_own_size_changes_nothing() -> None:
    config = tiny_config()
    before = config.to_dict()
    set_image_size(config, SIZE)
    assert config.to_dict() == before


@pytest.mark.parametrize("size", [-32, 16, 100, 1000])
def test_sizes_that_the_windows_do_not_tile_are_refused(folder: Path, size: int) -> None:
    with pytest.raises(ValueError, match=f"image size {size} is not a multiple of 32"):
        load(folder, size)


def test_half_precision_files_are_read(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in tensors.items()}, folder / "model.safetensors")
    assert all(parameter.dtype == torch.float32 for parameter in load(folder).parameters())


def test_configurations_of_older_releases_are_read(folder: Path) -> None:
    """The published files are of transformers 4.56, which had the rotation's base in a field of its own."""
    change_config(folder, lambda fields: fields.pop("rope_parameters"))
    change_config(folder, lambda fields: fields.update(memory_attention_rope_theta=10000))
    load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_an_incomplete_folder_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing; './rfs weights"):
        load(folder)


def change_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "config.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda fields: fields.update(model_type="sam2"), "model_type is 'sam2'"),
        (lambda fields: fields.update(model_type="bert"), "model_type is 'bert'"),
        (lambda fields: fields.pop("model_type"), "'model_type' is missing"),
        (lambda fields: fields.pop("vision_config"), "'vision_config' is missing"),
        (lambda fields: fields["vision_config"].update(model_type="vit"), "with 'vit'"),
        (lambda fields: fields.update(num_maskmem="seven"), "num_maskmem"),
    ],
)
def test_another_models_configuration_is_refused(folder: Path, change: Any, problem: str) -> None:
    change_config(folder, change)
    with pytest.raises(ValueError, match=problem):
        load(folder)


@pytest.mark.parametrize(("name", "value"), [("num_attention_heads", 0), ("mlp_dim", 10**15)])
def test_a_configuration_that_no_model_can_have_is_refused(folder: Path, name: str, value: int) -> None:
    change_config(folder, lambda fields: fields["mask_decoder_config"].update({name: value}))
    with pytest.raises(ValueError, match="describes no model that can be built"):
        load(folder)


def test_what_is_no_weight_is_as_the_model_makes_it(folder: Path) -> None:
    """Positions and their like are computed, not stored."""
    expected = dict(Sam2VideoModel.from_pretrained(folder).named_buffers())
    found = dict(load(folder).named_buffers())
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "\xff"])
def test_a_damaged_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.json does not describe a SAM2\.1 video model"):
        load(folder)


def test_weights_of_another_size_of_model_are_refused(folder: Path) -> None:
    change_config(folder, lambda fields: fields["mask_decoder_config"].update(mlp_dim=64))
    with pytest.raises(ValueError, match=r"another model than its config\.json: .* has shape"):
        load(folder)


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    save_file({"embeddings.weight": torch.zeros(2, 3)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"another model than its config\.json: .* is missing"):
        load(folder)


def test_tensors_that_do_not_belong_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "head.weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"head\.weight does not belong to it"):
        load(folder)


def test_whole_numbers_are_no_weights(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.to(torch.int8) for name, tensor in tensors.items()}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="not a floating-point number"):
        load(folder)


@pytest.mark.parametrize("keep", [0, 4, 1000, -1])
def test_a_file_that_was_cut_off_is_refused(folder: Path, keep: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="damaged or no safetensors file"):
        load(folder)


def test_a_pickle_is_never_read(folder: Path) -> None:
    """Neither under its own name nor under that of the tensors."""
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")
    shutil.copy(folder / "pytorch_model.bin", folder / "model.safetensors")
    with pytest.raises(ValueError, match="damaged or no safetensors file"):
        load(folder)
