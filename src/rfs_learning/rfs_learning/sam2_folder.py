"""A trained SAM2 as a folder in Hugging Face's format, stored in half precision."""

import copy
from pathlib import Path

import torch
from rfs_policy.checkpoint import write_atomically
from rfs_reward.weights import CONFIG, TENSORS
from safetensors.torch import save
from transformers import Sam2VideoModel


def save_model(model: Sam2VideoModel, folder: Path) -> None:
    """Write what `from_pretrained` reads, by renaming; the config asks it to compute in single precision.

    Does what `save_pretrained` does, which would write into the files in place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    config = copy.deepcopy(model.config)
    config.dtype, config.architectures = torch.float32, [type(model).__name__]
    write_atomically(folder / TENSORS, save(weights, {"format": "pt"}))
    write_atomically(folder / CONFIG, config.to_json_string().encode())
