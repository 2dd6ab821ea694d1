"""Checkpoints of modulations: one safetensors file with a JSON header, which names the base it belongs to.

The header holds format, version, configuration with the bounds, layout (with horizon and rate), the sizes of
the base's network, the SHA-256 of the base's checkpoint, and how the modulation was trained. No torch.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from rfs_policy.checkpoint import file_id, read_tensors, write_atomically
from rfs_policy.layout import Layout
from rfs_policy.modulation_config import ModulationConfig
from rfs_policy.tensor_checks import require_finite, require_shapes

FORMAT = "rfs-modulation"
VERSION = 1
FILE_NAME = "modulation.safetensors"
SHIPPED = "adapted"
"""Stands for the one that ships, for the policy 'default' on the simulated target robot."""


class Base(Protocol):
    """What a modulation must know of its base policy; a `Checkpoint` is one, and so is a `BasePolicy`."""

    @property
    def layout(self) -> Layout: ...

    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class ModulationCheckpoint:
    """Contents of a modulation's file.

    `tensors` by name, as in `ModulationNetwork.state_dict`; `network`: sizes of the base's network, as
    under "network" in its checkpoint; `base_id`: SHA-256 (hex) of that checkpoint; `training`: JSON data, how
    it was trained. `id` is the file's SHA-256 in hex, empty before it is saved.
    """

    tensors: dict[str, NDArray[Any]]
    config: ModulationConfig
    layout: Layout
    network: Mapping[str, Any]
    base_id: str
    training: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""

    def require_base(self, base: Base, what: str = "the modulation") -> None:
        """Check that it was trained for this base policy.

        Raises:
            ValueError: another layout, horizon, rate, or checkpoint.
        """
        base.layout.require_same(self.layout, what=what)
        if base.id != self.base_id:
            raise ValueError(
                f"{what} was trained for base policy {self.base_id[:12]}, not for {base.id[:12]}: "
                "run it with that policy, or train one for this policy"
            )


def save_modulation(path: str | os.PathLike[str], checkpoint: ModulationCheckpoint) -> str:
    """Write to a temporary name, flush to disk, rename. Returns the SHA-256 in hex.

    A path without the suffix .safetensors is a folder, made when missing, in which `modulation.safetensors`
    is written.

    Raises:
        ValueError: a weight is not finite, or the tensors do not fit the configuration; nothing is written.
    """
    _require_sound(checkpoint, "the modulation")
    header = {
        "version": VERSION,
        "config": checkpoint.config.to_dict(),
        "layout": checkpoint.layout.to_json(),
        "network": dict(checkpoint.network),
        "base_id": checkpoint.base_id,
        "training": dict(checkpoint.training),
    }
    metadata = {FORMAT: json.dumps(header, sort_keys=True)}
    data = save({name: np.ascontiguousarray(t) for name, t in checkpoint.tensors.items()}, metadata)
    write_atomically(modulation_file(path), data)
    return hashlib.sha256(data).hexdigest()


def load_modulation(path: str | os.PathLike[str], base: Base | None = None) -> ModulationCheckpoint:
    """Read and check a modulation.

    Args:
        path: the file, or the folder that holds `modulation.safetensors`, or 'adapted'.
        base: the policy that it is to steer; checked when given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: truncated, not a modulation, of another version, with settings that are unknown or weights
            that do not fit or are not finite, or for another base, layout, rate or horizon.
    """
    file = modulation_file(path)
    if not file.is_file():
        raise FileNotFoundError(f"no modulation at '{file}': give another path or run `./rfs train offline`")
    tensors, metadata = read_tensors(file, "a modulation")
    if FORMAT not in metadata:
        raise ValueError(f"'{file}' is a safetensors file, but not a modulation of this project")
    checkpoint = _parsed(metadata[FORMAT], tensors, file)
    _require_sound(checkpoint, f"'{file}'")
    if base is not None:
        checkpoint.require_base(base, what=f"modulation '{file}'")
    return checkpoint


def modulation_file(path: str | os.PathLike[str]) -> Path:
    """The modulation's file, given it or its folder; 'adapted' is the one that ships with this package."""
    if os.fspath(path) == SHIPPED:
        return Path(str(files("rfs_policy").joinpath("data", SHIPPED, FILE_NAME)))
    path = Path(path).expanduser()
    return path if path.suffix == ".safetensors" or path.is_file() else path / FILE_NAME


def _parsed(text: str, tensors: dict[str, NDArray[Any]], file: Path) -> ModulationCheckpoint:
    try:
        header = json.loads(text)
        if header["version"] != VERSION:
            raise ValueError(f"modulation version {header['version']}, but {VERSION} is read here")
        config, layout = ModulationConfig.from_dict(header["config"]), Layout.from_json(header["layout"])
        parts = dict(header["network"]), str(header["base_id"]), dict(header["training"])
    except KeyError as error:
        raise ValueError(f"'{file}': its header has no {error}: train it again") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"'{file}': {error}") from error
    return ModulationCheckpoint(tensors, config, layout, *parts, id=file_id(file))


def _require_sound(checkpoint: ModulationCheckpoint, what: str) -> None:
    """Every tensor that the configuration asks for, of its shape, in finite numbers, and no other."""
    try:
        wanted = tensor_shapes(checkpoint.config, checkpoint.layout, checkpoint.network)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{what}: its settings are damaged or do not fit ({error})") from error
    require_shapes(checkpoint.tensors, wanted, what)
    require_finite(checkpoint.tensors, what)


def tensor_shapes(
    config: ModulationConfig, layout: Layout, network: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of a `ModulationNetwork`, by name."""
    config.residual_parts(layout)  # whether the bounds fit the layout
    shapes: dict[str, tuple[int, ...]] = {name: (layout.state_dim,) for name in ("state_mean", "state_std")}

    def add(name: str, inputs: int, outputs: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs), (outputs,)

    features = int(network["context_dim"])
    if config.encoder == "own":
        widths = (6, *map(int, network["point_widths"]))
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            add(f"points.layers.{i}", inputs, outputs)
        add("points.attention", widths[-1], int(network["keypoints"]))
        features = widths[-1] + 3 * int(network["keypoints"])
    widths = (features + layout.state_dim, *config.hidden)
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        add(f"hidden.{i}", inputs, outputs)
    if config.latent:
        add("noise_head", widths[-1], layout.horizon * layout.action_dim)
    if config.residual:
        add("residual_head", widths[-1], layout.action_dim)
    return shapes
