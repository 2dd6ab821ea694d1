"""Flow-matching training (paper, equation 3) of the frozen policy of reinforcement learning."""

import math
from collections.abc import Callable

import torch
from rfs_policy.flow import flow_matching_loss
from torch import Tensor

from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.flow_base import FlowBase, Kind, empty_base
from rfs_learning.rl.rl_config import BaseConfig
from rfs_learning.rl.torch_threads import one_torch_thread

_WARMUP = 0.05  # share of the steps
_WEIGHT_DECAY = 1e-4
# Smallest deviations, m and rad: less is noise, not information.
_STATE_FLOOR, _TRANSLATION_FLOOR, _ACTION_FLOOR = 0.02, 0.002, 0.01

Progress = Callable[[int, float], None]
"""Called after every optimizer step with the number of steps done and the loss."""


def train_base(
    kind: Kind, demonstrations: Demonstrations, config: BaseConfig, progress: Progress | None = None
) -> FlowBase:
    """A base of that kind that imitates the demonstrations, frozen. Equal arguments give equal weights."""
    with one_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        base = empty_base(kind, config, demonstrations.rate)
        states = demonstrations.observations[:, base.index]
        chunks = demonstrations.chunks(config.horizon)[..., -base.action_dim :]
        fit_normalization(base, states, chunks[:, 0])
        _optimize(base, base.normalize_state(states), base.normalize_action(chunks), config, progress)
    return base.requires_grad_(False).eval()


def fit_normalization(base: FlowBase, states: Tensor, actions: Tensor) -> None:
    """Set mean and deviation from states (T, S) and actions (T, D), SI units."""
    floor = torch.tensor(
        [
            _TRANSLATION_FLOOR if name.startswith("palm_translation") else _ACTION_FLOOR
            for name in base.layout.action_names
        ]
    )
    base.state_mean.copy_(states.mean(dim=0))
    base.state_std.copy_(states.std(dim=0).clamp(min=_STATE_FLOOR))
    base.action_mean.copy_(actions.mean(dim=0))
    base.action_std.copy_(torch.maximum(actions.std(dim=0), floor))


def _optimize(
    base: FlowBase, states: Tensor, chunks: Tensor, config: BaseConfig, progress: Progress | None
) -> None:
    """Minimize equation 3 over normalized states (T, S) and chunks (T, H, D)."""
    optimizer = torch.optim.AdamW(
        base.parameters(), config.learning_rate, weight_decay=_WEIGHT_DECAY, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, config.steps))
    for step in range(config.steps):
        choice = torch.randint(len(states), (config.batch,))
        a1 = chunks[choice]
        noisy = states[choice] + config.observation_noise * torch.randn(config.batch, states.shape[1])
        loss = flow_matching_loss(base.field_of(noisy), a1, torch.randn_like(a1), torch.rand(config.batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress:
            progress(step + 1, loss.item())


def _rate(step: int, steps: int) -> float:
    """Factor of the learning rate: linear warm-up, then half a cosine down to zero."""
    return min(1.0, (step + 1) / (_WARMUP * steps)) * 0.5 * (1 + math.cos(math.pi * step / steps))
