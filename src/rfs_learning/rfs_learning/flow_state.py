"""Everything a training run needs to go on exactly where it stopped, as safetensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from rfs_policy.checkpoint import write_atomically
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

STATE_FILE = "training.safetensors"
Network = TypeVar("Network", bound=torch.nn.Module)


@dataclass
class TrainingState(Generic[Network]):
    """Network, its exponential moving average, optimizer, generator of all randomness, and steps done."""

    network: Network
    average: Network
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Exponential moving average, faster at the start, when the weights still change a lot."""
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for average, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            average.lerp_(value, 1 - decay)

    def save(self, folder: Path) -> None:
        """Write `training.safetensors`, by renaming."""
        write_atomically(folder / STATE_FILE, save(self._tensors(), {"step": str(self.step)}))

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError, ValueError: nothing to resume there, or it does not fit this configuration.
        """
        file = require_state(folder)
        try:
            tensors = load(file.read_bytes())
            for prefix, network in (("network.", self.network), ("average.", self.average)):
                network.load_state_dict(under(prefix, tensors))
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(f"'{file}' does not fit this configuration or is truncated: {error}") from error
        self.generator.set_state(tensors["generator"])
        self.step = int(tensors["step"])
        restore_optimizer(self.optimizer, tensors)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= optimizer_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        tensors["step"] = torch.tensor(self.step)
        return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers of each weight, as `optimizer.INDEX.NAME`."""
    entries = optimizer.state_dict()["state"].items()
    return {f"optimizer.{index}.{k}": v for index, entry in entries for k, v in entry.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Read what `optimizer_tensors` gave, among other tensors."""
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in under("optimizer.", tensors).items():
        index, key = name.split(".", 1)
        entries.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def require_state(folder: Path) -> Path:
    """The file of a run that can go on; FileNotFoundError where there is none."""
    file = folder / STATE_FILE
    if not file.is_file():
        raise FileNotFoundError(f"nothing to resume at '{file}': leave --resume out to begin a run")
    return file


def steps_done(folder: Path) -> int:
    """Optimizer steps of the run saved in a folder; 0 where there is none.

    Raises:
        ValueError: its state is truncated.
    """
    file = folder / STATE_FILE
    if not file.is_file():
        return 0
    try:
        with safe_open(file, framework="pt") as stream:
            return int(stream.metadata()["step"])
    except SafetensorError as error:
        raise ValueError(f"'{file}' is truncated ({error}): remove its folder and train again") from error


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin with prefix, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
