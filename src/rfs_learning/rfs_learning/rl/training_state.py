"""Everything a PPO run needs to go on exactly where it stopped, as safetensors."""

from pathlib import Path
from typing import Any

import torch
from rfs_policy.checkpoint import write_atomically
from rsl_rl.algorithms import PPO
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

STATE_FILE = "training.safetensors"


def save_state(folder: Path, ppo: PPO, iteration: int, control_steps: int) -> None:
    """Write `training.safetensors`, by renaming. Randomness follows from the iteration, so it is not kept."""
    tensors = {f"actor.{name}": value for name, value in ppo.actor.state_dict().items()}
    tensors |= {f"critic.{name}": value for name, value in ppo.critic.state_dict().items()}
    for index, entry in ppo.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in entry.items()}
    numbers = {"iteration": iteration, "control_steps": control_steps, "learning_rate": ppo.learning_rate}
    tensors |= {f"run.{name}": torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
    plain = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    write_atomically(folder / STATE_FILE, save(plain))


def restore_state(folder: Path, ppo: PPO) -> tuple[int, int]:
    """Read what `save_state` wrote into `ppo`; the next iteration, and the control steps so far.

    Raises:
        FileNotFoundError, ValueError: nothing to resume there, or it does not fit this configuration.
    """
    file = require_state(folder)
    try:
        tensors = load(file.read_bytes())
        _fill(ppo.actor, "actor.", tensors)
        _fill(ppo.critic, "critic.", tensors)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"'{file}' does not fit this configuration or is truncated: {error}") from error
    _fill_optimizer(ppo, tensors)
    return int(tensors["run.iteration"]), int(tensors["run.control_steps"])


def require_state(folder: Path) -> Path:
    """The file of a run that can go on; FileNotFoundError where there is none."""
    file = folder / STATE_FILE
    if not file.is_file():
        raise FileNotFoundError(f"nothing to resume at '{file}': leave --resume out to begin a run")
    return file


def _fill(network: nn.Module, prefix: str, tensors: dict[str, Tensor]) -> None:
    chosen = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    network.load_state_dict(chosen)


def _fill_optimizer(ppo: PPO, tensors: dict[str, Tensor]) -> None:
    entries: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            entries.setdefault(int(index), {})[key] = value
    ppo.learning_rate = float(tensors["run.learning_rate"])
    groups = ppo.optimizer.state_dict()["param_groups"]
    ppo.optimizer.load_state_dict({"state": entries, "param_groups": groups})
    for group in ppo.optimizer.param_groups:
        group["lr"] = ppo.learning_rate
