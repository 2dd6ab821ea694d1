"""Small settings and data for tests of offline learning: an untrained base, episodes in which it acted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.transitions import EpisodeTransitions, TransitionDataset, columns_of
from rfs_policy.checkpoint import load_checkpoint, save_checkpoint
from rfs_policy.flow import push
from rfs_policy.layout import DELTA_POSE
from rfs_policy.network import FlowNetwork, NetworkConfig
from rfs_policy.torch_base import TorchBase, checkpoint_of

LAYOUT = replace(DELTA_POSE, cloud_points=16)
SMALL = NetworkConfig(point_widths=(8, 16), keypoints=2, context_dim=12, velocity_width=24, velocity_depth=2)


def tiny_config(**changes: object) -> OfflineConfig:
    """Settings for seconds instead of minutes."""
    values = {"hidden": [16], "critic_hidden": [16, 16], "steps": 12, "warmup": 4, "batch": 16, "threads": 1}
    return OfflineConfig.load(**(values | {"log_every": 4, "save_every": 6, "validation": 0.2} | changes))


def tiny_base(folder: Path) -> TorchBase:
    """A base with random weights, saved in a folder and read back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FlowNetwork(LAYOUT, SMALL)
        network.action_std.uniform_(0.02, 0.3)
        network.action_mean.normal_(std=0.1)
    save_checkpoint(folder, checkpoint_of(network, LAYOUT, steps=4, config={}))
    return TorchBase.from_checkpoint(load_checkpoint(folder))


def tiny_episode(
    base: TorchBase, seed: int, steps: int = 7, success: bool = False, corrected: bool = True, **meta: str
) -> EpisodeTransitions:
    """An episode in which the base acted with noise that was logged, and was nudged in its first half."""
    rng = np.random.default_rng(seed)
    columns = {name: np.zeros((steps, *c.shape), c.dtype) for name, c in columns_of(LAYOUT).items()}
    columns["point_cloud"][:] = rng.normal(size=(steps, 16, 3)) * 0.05 + [0.5, 0.0, 0.1]
    columns["state"][:] = 0.3 * rng.normal(size=(steps, 48))
    columns["state"][:, 26:32] = [1, 0, 0, 0, 1, 0]
    noise = rng.normal(size=(steps, LAYOUT.horizon, LAYOUT.action_dim)).astype(np.float32)
    context = base.encode(columns["point_cloud"], columns["state"])
    chunk = push(base.network.velocity(torch.from_numpy(context)), torch.from_numpy(noise), base.steps)
    columns["base_chunk"][:] = base.network.denormalize_action(chunk).numpy()
    columns["noise"][:], columns["transition"][:-1] = noise, True
    columns["base_action"][:] = columns["base_chunk"][:, 0]
    if corrected:
        columns["human_residual"][: steps // 2, :3] = 0.005
    columns["intervened"][:] = columns["human_residual"].any(1)
    columns["action"][:] = columns["base_action"] + columns["human_residual"]
    columns["reward"][:] = np.linspace(0.1, 1.0, steps) + 0.1 * rng.random(steps)
    columns["done"][-2] = success
    for name, column in columns.items():  # the last row begins no transition
        if name not in ("point_cloud", "state"):
            column[-1] = 0
    contract = {"object": "mug", "outcome": "success" if success else "failure", "checkpoint": base.id}
    return EpisodeTransitions(columns, contract | meta, f"bag{seed}", seed, {}, "simulator")


def tiny_dataset(path: Path, base: TorchBase, episodes: int = 10, **changes: object) -> TransitionDataset:
    """Every other episode succeeds."""
    dataset = TransitionDataset.create(path, LAYOUT)
    made = [tiny_episode(base, seed, **({"success": bool(seed % 2)} | changes)) for seed in range(episodes)]
    dataset.append(made)
    return dataset
