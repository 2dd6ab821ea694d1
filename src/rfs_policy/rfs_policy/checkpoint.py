"""One-file checkpoints: safetensors with a JSON header. Nothing is unpickled, and torch is not needed.

The file holds the weights and the normalization; its metadata holds format, version, layout (with horizon
and rate) and configuration. Its SHA-256 identifies the policy in every message and bag.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rfs_policy.layout import Layout
from rfs_policy.tensor_checks import require_finite

FORMAT = "rfs-flow-policy"
VERSION = 1
FILE_NAME = "policy.safetensors"
SHIPPED = {"default": "data", "distilled": "data/distilled"}
"""Names of the checkpoints that ship, and where: cloned from scripted demonstrations, and distilled from
teachers that reinforcement learning made."""


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint.

    `tensors` by name; `config`: JSON data with the network's sizes under "network", the number of Euler
    steps under "push_steps", and how it was trained. `id` is the file's SHA-256 in hex, empty before it is
    saved.
    """

    tensors: dict[str, NDArray[Any]]
    layout: Layout
    config: dict[str, Any]
    id: str = ""


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> str:
    """Write to a temporary name, flush to disk, rename. Returns the SHA-256 in hex.

    A path without the suffix .safetensors is a folder, made when missing, in which `policy.safetensors` is
    written.
    """
    header = {"version": VERSION, "layout": checkpoint.layout.to_json(), "config": checkpoint.config}
    # One metadata entry only: safetensors writes several in random order, and equal contents get one id.
    metadata = {FORMAT: json.dumps(header, sort_keys=True)}
    data = save({name: np.ascontiguousarray(t) for name, t in checkpoint.tensors.items()}, metadata)
    write_atomically(checkpoint_file(path), data)
    return hashlib.sha256(data).hexdigest()


def load_checkpoint(path: str | os.PathLike[str], layout: Layout | None = None) -> Checkpoint:
    """Read and check a checkpoint.

    Args:
        path: the file, or the folder that holds `policy.safetensors`, or a name in `SHIPPED`.
        layout: what the caller works with; names, horizon, rate and cloud size must all agree.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: truncated, not a checkpoint, of a newer version or another layout, with a header that
            lacks something, or weights that are not finite.
    """
    file = checkpoint_file(path)
    if not file.is_file():
        raise FileNotFoundError(f"no checkpoint at '{file}': give another path or run `./rfs train flow`")
    tensors, metadata = read_tensors(file, "a checkpoint")
    if FORMAT not in metadata:
        raise ValueError(f"'{file}' is a safetensors file, but not a flow-policy checkpoint of this project")
    checkpoint = _parsed(metadata[FORMAT], tensors, file)
    require_finite(tensors, f"checkpoint '{file}'")
    if layout is not None:
        layout.require_same(checkpoint.layout, what=f"checkpoint '{file}'")
    return checkpoint


def _parsed(text: str, tensors: dict[str, NDArray[Any]], file: Path) -> Checkpoint:
    try:
        header = json.loads(text)
        if header["version"] != VERSION:
            raise ValueError(f"checkpoint version {header['version']}, but {VERSION} is read here")
        layout, config = Layout.from_json(header["layout"]), dict(header["config"])
        steps = config["push_steps"]
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ValueError(f"push_steps must be a whole number above 0, got {steps!r}: train it again")
    except KeyError as error:
        raise ValueError(f"checkpoint '{file}': its header has no {error}: train it again") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"checkpoint '{file}': {error}") from error
    return Checkpoint(tensors, layout, config, file_id(file))


def file_id(file: Path) -> str:
    """SHA-256 of a file in hex: what identifies a checkpoint."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def checkpoint_file(path: str | os.PathLike[str]) -> Path:
    """The checkpoint's file, given it, its folder, or the name of one that ships with this package."""
    folder = SHIPPED.get(os.fspath(path))
    if folder is not None:
        return Path(str(files("rfs_policy").joinpath(folder, FILE_NAME)))
    path = Path(path).expanduser()
    return path if path.suffix == ".safetensors" or path.is_file() else path / FILE_NAME


def write_atomically(file: Path, data: bytes) -> None:
    """Write beside `file` and rename, so that a reader sees the old content or the new one, never half of
    it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_tensors(file: Path, what: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        ValueError: it is truncated, or no such file at all; the text says that it is not `what`.
    """
    try:
        with safe_open(file, framework="numpy") as stream:
            return {name: stream.get_tensor(name) for name in stream.keys()}, stream.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"'{file}' is not {what} or is truncated ({error}): copy or train it again"
        ) from error
