"""The base policy on ONNX Runtime: the fastest on a CPU (see bench/policy.py), and it starts without
torch.
"""

import numpy as np
import onnxruntime

from rfs_policy.checkpoint import Checkpoint
from rfs_policy.modulation import Array
from rfs_policy.onnx_graph import encoder_graph, push_graph
from rfs_policy.tensor_checks import network_shapes, require_shapes


class OnnxBase:
    """A frozen flow policy as two ONNX sessions, encoder and push.

    Args:
        threads: CPU threads of one inference; with one the result is the same on every run and machine load.

    Raises:
        ValueError: the tensors do not fit the sizes in the checkpoint's own configuration.
    """

    def __init__(self, checkpoint: Checkpoint, threads: int = 1) -> None:
        _require_network(checkpoint)
        self.layout, self.id = checkpoint.layout, checkpoint.id
        self.steps = int(checkpoint.config["push_steps"])
        self._encoder = session(encoder_graph(checkpoint), threads)
        self._push = session(push_graph(checkpoint), threads)

    def encode(self, cloud: Array, state: Array) -> Array:
        """cloud (B, N, 3), state (B, S) -> context (B, C)."""
        return np.asarray(self._encoder.run(None, {"cloud": cloud, "state": state})[0])

    def push(self, context: Array, noise: Array) -> Array:
        """context (B, C), a0 (B, H, D) -> action chunk (B, H, D) in m and rad."""
        return np.asarray(self._push.run(None, {"context": context, "noise": noise})[0])


def _require_network(checkpoint: Checkpoint) -> None:
    """A graph that is built from too small sizes would run, without the layers beyond them."""
    try:
        wanted = network_shapes(checkpoint.layout, checkpoint.config["network"])
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"the checkpoint's network sizes are damaged ({error}): train it again") from error
    require_shapes(checkpoint.tensors, wanted, "the checkpoint")


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A model on the CPU, with so many threads for one inference."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
