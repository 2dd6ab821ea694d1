"""The frozen policy of reinforcement learning: a small flow that sees simulated state instead of a cloud."""

import os
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from rfs_policy.checkpoint import Checkpoint, checkpoint_file, load_checkpoint, save_checkpoint
from rfs_policy.flow import Velocity, push
from rfs_policy.layout import DELTA_POSE, Layout
from rfs_policy.scales import STATE_CLIP, time_frequencies
from torch import Tensor, nn

from rfs_learning.rl.action_space import ARM_DIM
from rfs_learning.rl.features import HAND_ARM_BASE_NAMES, HAND_BASE_NAMES, columns
from rfs_learning.rl.rl_config import BaseConfig

Kind = Literal["hand", "hand_arm"]
CHUNK_CLIP = 4.0
"""Standard deviations: what Push gives beyond them is cut, so that odd noise cannot make wild actions."""


def base_layout(kind: Kind, horizon: int, rate: float) -> Layout:
    """What a base reads and writes: "hand" finger joints and 16 finger targets, "hand_arm" proprioception
    with the object's pose and all 22 numbers of `delta_pose_22`."""
    layout = replace(DELTA_POSE, horizon=horizon, rate_hz=rate, cloud_points=0)
    if kind == "hand_arm":
        return replace(layout, state_names=HAND_ARM_BASE_NAMES)
    names = DELTA_POSE.action_names[ARM_DIM:]
    return replace(layout, name="hand_16", action_names=names, state_names=HAND_BASE_NAMES)


@dataclass(frozen=True)
class BaseNetwork:
    """Sizes of the velocity field: an MLP of `depth` hidden layers of `width` units."""

    width: int
    depth: int
    time_features: int


class FlowBase(nn.Module):
    """Velocity field v(a, t, o) over normalized chunks (H, D), with the data's normalization.

    Attributes:
        layout: names, horizon and rate of what it reads and writes.
        push_steps: Euler steps K of `push`.
        id: SHA-256 of the file that it was loaded from or saved to; empty before.
    """

    state_mean: Tensor
    state_std: Tensor
    action_mean: Tensor
    action_std: Tensor
    frequencies: Tensor
    index: Tensor

    def __init__(self, layout: Layout, sizes: BaseNetwork, push_steps: int) -> None:
        super().__init__()
        self.layout, self.sizes, self.push_steps, self.id = layout, sizes, push_steps, ""
        chunk = layout.horizon * layout.action_dim
        self.context = nn.Linear(layout.state_dim, sizes.width)
        self.input = nn.Linear(chunk + sizes.time_features, sizes.width, bias=False)
        self.hidden = nn.ModuleList(nn.Linear(sizes.width, sizes.width) for _ in range(sizes.depth - 1))
        self.output = nn.Linear(sizes.width, chunk)
        for name, size in (("state", layout.state_dim), ("action", layout.action_dim)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))
        frequencies = torch.from_numpy(time_frequencies(sizes.time_features))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.register_buffer("index", columns(layout.state_names), persistent=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the privileged observation that it sees."""
        return self.layout.state_names

    @property
    def horizon(self) -> int:
        """H, actions in a chunk."""
        return self.layout.horizon

    @property
    def action_dim(self) -> int:
        """D: 16 (finger targets) or 22 (palm deltas and finger targets)."""
        return self.layout.action_dim

    def push(self, observation: Tensor, a0: Tensor) -> Tensor:
        """Push(o, a0) (equation 2), the normalized result clamped to +-`CHUNK_CLIP`.

        Args:
            observation: (n, P) columns `observations.PRIVILEGED_NAMES`, SI units.
            a0: (n, H, D) noise.

        Returns:
            (n, H, D) action chunk in m and rad.
        """
        chunk = push(self.velocity(observation), a0, self.push_steps)
        return self.denormalize_action(chunk.clamp(-CHUNK_CLIP, CHUNK_CLIP))

    def velocity(self, observation: Tensor) -> Velocity:
        """The field of these observations (n, P), for `push`, `reverse` and the loss."""
        return self.field_of(self.normalize_state(observation[:, self.index]))

    def field_of(self, state: Tensor) -> Velocity:
        """The field of normalized states (n, S); what depends on them alone is evaluated once."""
        context = self.context(state)
        return lambda a, t: self._field(a, t, context)

    def _field(self, a: Tensor, t: Tensor, context: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies
        x = torch.cat([a.flatten(1), angles.sin(), angles.cos()], dim=-1)
        x = nn.functional.silu(self.input(x) + context)
        for layer in self.hidden:
            x = nn.functional.silu(layer(x))
        return self.output(x).unflatten(1, (self.horizon, self.action_dim))

    def normalize_state(self, state: Tensor) -> Tensor:
        """(..., S) in SI units -> (..., S) of zero mean and unit deviation over the data, clipped."""
        return ((state - self.state_mean) / self.state_std).clamp(-STATE_CLIP, STATE_CLIP)

    def normalize_action(self, action: Tensor) -> Tensor:
        """(..., D) in m and rad -> (..., D) of zero mean and unit deviation over the data."""
        return (action - self.action_mean) / self.action_std

    def denormalize_action(self, action: Tensor) -> Tensor:
        """Inverse of `normalize_action`."""
        return action * self.action_std + self.action_mean

    def save(self, path: str | os.PathLike[str], config: dict[str, Any]) -> str:
        """Write a checkpoint with `config` (how it was trained) in its header; returns its SHA-256."""
        tensors = {name: tensor.detach().numpy() for name, tensor in self.state_dict().items()}
        header = {**config, "network": asdict(self.sizes), "push_steps": self.push_steps}
        self.id = save_checkpoint(path, Checkpoint(tensors, self.layout, header))
        return self.id

    @classmethod
    def load(cls, path: str | os.PathLike[str], layout: Layout) -> "FlowBase":
        """A frozen base from its checkpoint.

        Args:
            layout: what the caller needs (`base_layout`): names, horizon and rate must all agree.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: truncated, not a checkpoint, or of another layout, horizon or rate.
        """
        if not checkpoint_file(path).is_file():
            raise FileNotFoundError(f"no base at '{path}': give another path or train one (./rfs train rl)")
        checkpoint = load_checkpoint(path, layout)
        base = cls(
            checkpoint.layout, BaseNetwork(**checkpoint.config["network"]), checkpoint.config["push_steps"]
        )
        tensors = {name: torch.from_numpy(np.array(t)) for name, t in checkpoint.tensors.items()}
        try:
            base.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(
                f"'{path}': its tensors do not fit its sizes, train it again: {error}"
            ) from error
        base.id = checkpoint.id
        return base.requires_grad_(False).eval()


def empty_base(kind: Kind, config: BaseConfig, rate: float) -> FlowBase:
    """An untrained base of the configured sizes, at `rate` Hz."""
    sizes = BaseNetwork(config.width, config.depth, config.time_features)
    return FlowBase(base_layout(kind, config.horizon, rate), sizes, config.push_steps)
