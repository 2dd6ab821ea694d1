"""Observation-action chunks for flow matching, held in memory, drawn at random and augmented."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import zarr
from rfs_policy.layout import STATE_COMMAND_FINGERS, STATE_JOINTS, Layout
from torch import Tensor

from rfs_learning.dataset import DemoDataset
from rfs_learning.flow_config import FlowConfig

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Clouds (T, N, 3), states (T, S), actions (T, D) and episode ends (E,) of one dataset."""


@dataclass(frozen=True)
class ChunkData:
    """T steps of demonstrations.

    clouds (T, N, 3) float16 in m; states (T, S); actions (T, D); `last` (T,) index of each step's last step
    in its episode, beyond which a chunk repeats the final action; `episodes` (T,) number of each step's
    episode.
    """

    clouds: Tensor
    states: Tensor
    actions: Tensor
    last: Tensor
    episodes: Tensor

    @classmethod
    def load(cls, paths: Sequence[str | os.PathLike[str]], layout: Layout) -> "ChunkData":
        """Read and join Zarr datasets (3D-Diffusion-Policy's layout) of one action layout.

        Raises:
            FileNotFoundError, ValueError: not there, not such a dataset, of another layout, or empty.
        """
        return cls.from_arrays([_read(path, layout) for path in paths])

    @classmethod
    def from_arrays(cls, parts: Sequence[Arrays]) -> "ChunkData":
        """Join (clouds, states, actions, episode_ends) of several datasets."""
        ends = np.concatenate([part[3] for part in parts])
        starts = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
        offsets = np.repeat(starts, [len(part[3]) for part in parts])
        ends = ends + offsets
        lengths = np.diff(ends, prepend=0)
        return cls(
            torch.from_numpy(np.concatenate([part[0].astype(np.float16, copy=False) for part in parts])),
            torch.from_numpy(np.concatenate([part[1] for part in parts]).astype(np.float32)),
            torch.from_numpy(np.concatenate([part[2] for part in parts]).astype(np.float32)),
            torch.from_numpy(np.repeat(ends - 1, lengths)),
            torch.from_numpy(np.repeat(np.arange(len(ends)), lengths)),
        )

    def __len__(self) -> int:
        return len(self.states)

    def chunks(self, index: Tensor, horizon: int) -> Tensor:
        """Action chunks (B, horizon, D) that begin at steps index (B,); the last action is repeated at the
        end.
        """
        steps = torch.minimum(index[:, None] + torch.arange(horizon), self.last[index][:, None])
        return self.actions[steps]

    def split(self, share: float, seed: int) -> tuple[Tensor, Tensor]:
        """Step indices for training and for validation; whole episodes go to one side."""
        count = int(self.episodes[-1]) + 1
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        held = torch.zeros(count, dtype=torch.bool)
        held[order[: round(share * count)]] = True
        mask = held[self.episodes]
        return (~mask).nonzero()[:, 0], mask.nonzero()[:, 0]


def augment(
    cloud: Tensor, state: Tensor, config: FlowConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Noise as a miscalibrated camera and real encoders give it; cloud (B, N, 3), state (B, S)."""
    batch = len(cloud)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    turn = config.cloud_rotation * normal(batch, 1, 3)
    shift = config.cloud_translation * normal(batch, 1, 3)
    # Small angles: R p = p + w x p. The pivot does not matter, the shift is random anyway.
    cloud = cloud + torch.linalg.cross(turn.expand_as(cloud), cloud) + shift
    cloud = cloud + config.point_noise * normal(*cloud.shape)
    state = state.clone()
    state[:, STATE_JOINTS] += config.joint_noise * normal(batch, 23)
    state[:, STATE_COMMAND_FINGERS] += config.command_noise * normal(batch, 16)
    return cloud, state


def subset(clouds: Tensor, index: Tensor, points: int, generator: torch.Generator) -> Tensor:
    """Random points (B, points, 3) float32 of the clouds at steps index (B,)."""
    total = clouds.shape[1]
    if points >= total:
        return clouds[index].float()
    chosen = torch.randint(total, (len(index), points), generator=generator)
    return clouds[index[:, None], chosen].float()


def _read(path: str | os.PathLike[str], layout: Layout) -> Arrays:
    dataset = DemoDataset.open(os.fspath(path))
    layout.require_same(dataset.layout, what=f"dataset '{path}'")
    steps = dataset.steps  # an interrupted append may have left more rows, of some arrays
    if not steps:
        raise ValueError(f"dataset '{path}' has no episode yet: collect some with {dataset.MADE_BY}")
    state, action = (dataset.array(name)[:steps] for name in ("state", "action"))
    return _as_half(dataset.array("point_cloud"), steps), state, action, dataset.episode_ends


def _as_half(array: zarr.Array, steps: int) -> np.ndarray:
    """Clouds are read in pieces: float16 keeps 0.1 mm within the workspace at half the memory."""
    result = np.empty((steps, *array.shape[1:]), np.float16)
    for start in range(0, steps, 4096):
        result[start : start + 4096] = array[start : min(start + 4096, steps)]
    return result
