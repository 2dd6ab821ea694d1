"""A trained SAM2 as a folder in Hugging Face's format, stored in half precision."""

import copy
from pathlib import Path

import torch
from rfs_policy.checkpoint import write_atomically
from safetensors.torch import save
from transformers import Sam2VideoModel

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"


def save_model(model: Sam2VideoModel, folder: Path) -> None:
    """Write what `from_pretrained` reads, by renaming; the config asks it to compute in single precision.

    Does what `save_pretrained` does, which would write into the files in place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    config = copy.deepcopy(model.config)
    config.dtype, config.architectures = torch.float32, [type(model).__name__]
    write_atomically(folder / WEIGHTS_FILE, save(weights, {"format": "pt"}))
    write_atomically(folder / CONFIG_FILE, config.to_json_string().encode())


def load_model(folder: Path) -> Sam2VideoModel:
    """The model, in single precision and evaluation mode. OSError when there is none."""
    return Sam2VideoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
