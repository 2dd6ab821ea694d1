"""The base policy on PyTorch: for training, batches and gradients. Robots use `onnx_base`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from rfs_policy.checkpoint import Checkpoint
from rfs_policy.flow import push
from rfs_policy.layout import Layout
from rfs_policy.modulation import Array
from rfs_policy.network import FlowNetwork, NetworkConfig


class TorchBase:
    """A frozen flow network with its layout and number of Euler steps."""

    def __init__(self, network: FlowNetwork, layout: Layout, steps: int, checkpoint_id: str = "") -> None:
        self.network = network.requires_grad_(False).eval()
        self.layout, self.steps, self.id = layout, steps, checkpoint_id

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> "TorchBase":
        """The network that a checkpoint describes, in float32."""
        network = network_of(checkpoint)
        return cls(network, checkpoint.layout, int(checkpoint.config["push_steps"]), checkpoint.id)

    @torch.no_grad()
    def encode(self, cloud: Array, state: Array) -> Array:
        """cloud (B, N, 3), state (B, S) -> context (B, C)."""
        return self.network.encode(torch.from_numpy(cloud), torch.from_numpy(state)).numpy()

    @torch.no_grad()
    def push(self, context: Array, noise: Array) -> Array:
        """context (B, C), a0 (B, H, D) -> action chunk (B, H, D) in m and rad."""
        chunk = push(self.network.velocity(torch.from_numpy(context)), torch.from_numpy(noise), self.steps)
        return self.network.denormalize_action(chunk).numpy()


def network_config(sizes: Mapping[str, Any]) -> NetworkConfig:
    """The network's sizes as a checkpoint holds them."""
    return NetworkConfig(**{**sizes, "point_widths": tuple(sizes["point_widths"])})


def network_of(checkpoint: Checkpoint) -> FlowNetwork:
    """Build the network of a checkpoint and fill in its weights.

    Raises:
        ValueError: the tensors do not fit the sizes in the checkpoint's own configuration.
    """
    network = FlowNetwork(checkpoint.layout, network_config(checkpoint.config["network"]))
    weights = {name: torch.from_numpy(t.astype(np.float32)) for name, t in checkpoint.tensors.items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint's tensors do not fit its configuration: {error}") from error
    return network


def checkpoint_of(
    network: FlowNetwork, layout: Layout, steps: int, config: dict[str, Any], half: bool = True
) -> Checkpoint:
    """Make a checkpoint of a network, its weights as float16 (`half`) and its normalization as float32."""
    weights = {name for name, _ in network.named_parameters()}
    tensors = {
        name: tensor.detach().numpy().astype(np.float16 if half and name in weights else np.float32)
        for name, tensor in network.state_dict().items()
    }
    return Checkpoint(tensors, layout, {**config, "network": asdict(network.config), "push_steps": steps})
