"""A trained modulation behind the interface `modulation.Modulation`, on either runtime. Imports no torch."""

import os
from typing import Literal, Protocol

import numpy as np

from rfs_policy.modulation import Array, Observation
from rfs_policy.modulation_checkpoint import Base, load_modulation

Runtime = Literal["onnx", "torch"]


class ModulationRuntime(Protocol):
    """What computes the modulation's choice."""

    def choose(self, observation: Observation, noise: Array) -> tuple[Array, Array]:
        """a0 (B, H, D) and a_r (B, D); noise (B, H, D) is a0 where the modulation does not choose it."""
        ...


class LearnedModulation:
    """Chooses a0, and one a_r for all actions of a chunk.

    Attributes:
        id: SHA-256 of its checkpoint; empty for one that is in no file yet.
    """

    def __init__(self, runtime: ModulationRuntime, checkpoint_id: str = "") -> None:
        self.runtime, self.id = runtime, checkpoint_id

    @classmethod
    def load(cls, path: str | os.PathLike[str], base: Base, runtime: Runtime) -> "LearnedModulation":
        """Read a modulation of this base policy; errors as `modulation_checkpoint.load_modulation`."""
        checkpoint = load_modulation(path, base)
        if runtime == "onnx":
            from rfs_policy.onnx_modulation import OnnxModulation

            return cls(OnnxModulation(checkpoint), checkpoint.id)
        from rfs_policy.modulation_network import ModulationNetwork
        from rfs_policy.torch_modulation import TorchModulation

        return cls(TorchModulation(ModulationNetwork.from_checkpoint(checkpoint)), checkpoint.id)

    def __call__(self, observation: Observation, noise: Array) -> tuple[Array, Array]:
        """a0 and a_r for noise drawn from N(0, I); all (B, H, D)."""
        a0, residual = self.runtime.choose(observation, noise)
        return a0, np.repeat(residual[:, None], noise.shape[1], axis=1)
