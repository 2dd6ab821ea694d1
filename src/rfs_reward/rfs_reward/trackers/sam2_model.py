"""SAM2.1 from a folder with `config.json` and `model.safetensors`, as `transformers` saves it."""

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import Sam2VideoConfig, Sam2VideoModel
from transformers.initialization import no_init_weights

from rfs_reward.weights import CONFIG, TENSORS

STRIDE = 32
"""Image sizes are multiples of this: a quarter is halved three times, and tiled by windows of eight."""


def load_model(folder: Path, image_size: int, device: torch.device, dtype: torch.dtype) -> Sam2VideoModel:
    """The model for square pictures of `image_size` pixels; 0 is the size that the folder's config names.

    The weights do not depend on the size: position embeddings are interpolated or computed.

    Raises:
        FileNotFoundError: no such folder, or a file of it is missing.
        ValueError: not SAM2's weights, or damaged; an image size that the model cannot take.
    """
    config = read_config(folder)
    set_image_size(config, image_size or side(config))
    model = _empty(config, folder)
    _fill(model, folder / TENSORS)
    model.eval().requires_grad_(False)
    return model.to(device, dtype)  # pyright: ignore


def read_config(folder: Path) -> Sam2VideoConfig:
    """The folder's configuration; errors as in `load_model`."""
    for name in (CONFIG, TENSORS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} holds no whole SAM2 model: {name} is missing; './rfs weights NAME' fetches one"
            )
    try:
        fields = json.loads((folder / CONFIG).read_text("utf-8"))
        _check_kind(fields)
        return Sam2VideoConfig.from_dict(fields)
    except (ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        raise ValueError(
            f"{folder / CONFIG} does not describe a SAM2.1 video model: {_line(error)}"
        ) from error


def side(config: Sam2VideoConfig) -> int:
    """Side of the square that the model takes, pixels."""
    if not isinstance(config.image_size, int):
        raise ValueError(
            f"the model's image size {config.image_size} is not one number: its pictures are squares"
        )
    return config.image_size


def set_image_size(config: Sam2VideoConfig, size: int) -> None:
    """Write `size` (pixels, a multiple of 32) into every field that depends on it."""
    if size < STRIDE or size % STRIDE:
        raise ValueError(
            f"the image size {size} is not a multiple of {STRIDE}, as SAM2 needs: 256, 512 or 1024"
        )
    vision: Any = config.vision_config
    vision.backbone_config.image_size = [size, size]
    vision.backbone_feature_sizes = [[size // stride] * 2 for stride in (4, 8, 16)]
    prompts: Any = config.prompt_encoder_config
    prompts.image_size = config.image_size = size
    config.memory_attention_rope_feat_sizes = [size // 16] * 2


def _check_kind(fields: Any) -> None:
    """Only SAM2's own modules are built, whatever else the file names."""
    vision = fields["vision_config"]
    kinds = fields["model_type"], vision["model_type"], vision["backbone_config"]["model_type"]
    if kinds != ("sam2_video", "sam2_vision_model", "sam2_hiera_det_model"):
        raise ValueError(f"its model_type is {kinds[0]!r} with {kinds[1]!r}, not 'sam2_video'")


def _empty(config: Sam2VideoConfig, folder: Path) -> Sam2VideoModel:
    """The model without its weights, which are drawn at random otherwise."""
    try:
        with no_init_weights():
            return Sam2VideoModel(config)
    except (ValueError, TypeError, ArithmeticError, LookupError, AssertionError, RuntimeError) as error:
        raise ValueError(f"{folder / CONFIG} describes no model that can be built: {_line(error)}") from error


def _fill(model: Sam2VideoModel, path: Path) -> None:
    """Copy the file's tensors into the model; each of the model's must be there and fit."""
    try:
        tensors = load_file(path)
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged or no safetensors file ({_line(error)}); fetch it again"
        ) from error
    problem = _mismatch(model.state_dict(), tensors)
    if problem:
        raise ValueError(f"{path} holds the weights of another model than its {CONFIG}: {problem}")
    model.load_state_dict(tensors)


def _mismatch(wanted: dict[str, Tensor], given: dict[str, Tensor]) -> str:
    for name, tensor in wanted.items():
        if name not in given:
            return f"{name} is missing"
        if given[name].shape != tensor.shape:
            return f"{name} has shape {tuple(given[name].shape)}, not {tuple(tensor.shape)}"
        if not given[name].is_floating_point():
            return f"{name} is {given[name].dtype}, not a floating-point number"
    extra = sorted(given.keys() - wanted.keys())
    return f"{extra[0]} does not belong to it" if extra else ""


def _line(error: Exception) -> str:
    """An error's text on one line."""
    text = " ".join(str(error).split())
    return f"{text} is missing" if isinstance(error, KeyError) else text
