"""A learned modulation on ONNX Runtime: what a robot's policy node uses, without torch."""

import numpy as np

from rfs_policy.modulation import Array, Observation
from rfs_policy.modulation_checkpoint import ModulationCheckpoint
from rfs_policy.modulation_graph import modulation_graph
from rfs_policy.onnx_base import session


class OnnxModulation:
    """One ONNX session beside the base's two.

    Args:
        threads: CPU threads of one inference; with one the result is the same on every run and machine load.
    """

    def __init__(self, checkpoint: ModulationCheckpoint, threads: int = 1) -> None:
        self.config = checkpoint.config
        self._session = session(modulation_graph(checkpoint), threads)
        self._inputs = [node.name for node in self._session.get_inputs()]

    def choose(self, observation: Observation, noise: Array) -> tuple[Array, Array]:
        """a0 (B, H, D) and a_r (B, D); noise (B, H, D) is a0 where the modulation does not choose it."""
        chosen = self._session.run(None, {name: getattr(observation, name) for name in self._inputs})
        arrays = [np.asarray(array) for array in chosen]
        a0 = arrays.pop(0) if self.config.latent else noise
        return a0, arrays.pop(0) if self.config.residual else np.zeros_like(noise[:, 0])
