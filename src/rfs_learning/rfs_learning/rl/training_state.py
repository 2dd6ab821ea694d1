"""Everything a PPO run needs to go on exactly where it stopped, as safetensors."""

from pathlib import Path

import torch
from rfs_policy.checkpoint import write_atomically
from rsl_rl.algorithms import PPO
from safetensors import SafetensorError
from safetensors.torch import load, save

from rfs_learning.flow_state import STATE_FILE, optimizer_tensors, require_state, restore_optimizer, under


def save_state(folder: Path, ppo: PPO, iteration: int, control_steps: int) -> None:
    """Write `training.safetensors`, by renaming. Randomness follows from the iteration, so it is not kept."""
    tensors = {f"actor.{name}": value for name, value in ppo.actor.state_dict().items()}
    tensors |= {f"critic.{name}": value for name, value in ppo.critic.state_dict().items()}
    tensors |= optimizer_tensors(ppo.optimizer)
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
        ppo.actor.load_state_dict(under("actor.", tensors))
        ppo.critic.load_state_dict(under("critic.", tensors))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"'{file}' does not fit this configuration or is truncated: {error}") from error
    restore_optimizer(ppo.optimizer, tensors)
    ppo.learning_rate = float(tensors["run.learning_rate"])
    for group in ppo.optimizer.param_groups:
        group["lr"] = ppo.learning_rate
    return int(tensors["run.iteration"]), int(tensors["run.control_steps"])
