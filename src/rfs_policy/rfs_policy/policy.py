"""The policy as everything else uses it: observation in, action chunk out, with a modulation in between."""

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rfs_policy.checkpoint import load_checkpoint
from rfs_policy.layout import Layout
from rfs_policy.learned_modulation import LearnedModulation, Runtime
from rfs_policy.modulation import Array, Modulation, NoModulation, Observation


class BasePolicy(Protocol):
    """A frozen flow policy on some runtime; arrays are float32."""

    layout: Layout
    id: str
    steps: int

    def encode(self, cloud: Array, state: Array) -> Array:
        """cloud (B, N, 3), state (B, S) -> context (B, C)."""
        ...

    def push(self, context: Array, noise: Array) -> Array:
        """context (B, C), a0 (B, H, D) -> action chunk (B, H, D) in m and rad."""
        ...


@dataclass(frozen=True)
class PolicyOutput:
    """One decision for B robots; every array is (B, H, D).

    `noise` a0 (normalized space), `base_action` a_b = Push(o, a0), `residual` a_r and `action` a = a_b + a_r
    (m, rad).
    """

    noise: Array
    base_action: Array
    residual: Array
    action: Array


class FlowPolicy:
    """A frozen base policy and the modulation that adapts it.

    Attributes:
        layout: of its actions and state.
        id: SHA-256 of the base policy's checkpoint.
        modulation_id: SHA-256 of the modulation's checkpoint; empty without one.
    """

    def __init__(self, base: BasePolicy, modulation: Modulation | None = None) -> None:
        self.base = base
        self.modulation = modulation or NoModulation()
        self.layout, self.id = base.layout, base.id
        self.modulation_id = modulation.id if isinstance(modulation, LearnedModulation) else ""

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        layout: Layout | None = None,
        runtime: Runtime = "torch",
        modulation: Modulation | str | os.PathLike[str] | None = None,
    ) -> "FlowPolicy":
        """Load checkpoints; errors as of `load_checkpoint` and `load_modulation`.

        Args:
            layout: what the caller works with; checked when given.
            runtime: "onnx" for one robot (and without torch), "torch" for batches.
            modulation: one, or the path of one that was trained for this base; None: the base as it is.
        """
        base = _load_base(path, layout, runtime)
        if isinstance(modulation, str | os.PathLike):
            modulation = LearnedModulation.load(modulation, base, runtime)
        return cls(base, modulation)

    def describe(self) -> str:
        """Which checkpoints these are, for people."""
        name = f"checkpoint {self.id[:12]}"
        return f"{name}, modulation {self.modulation_id[:12]}" if self.modulation_id else name

    def act(self, cloud: Array, state: Array, noise: Array | None = None) -> PolicyOutput:
        """Decide for B robots.

        Args:
            cloud: (B, N, 3) m, base frame. N may differ from the layout's number of points.
            state: (B, S), see `layout.STATE_NAMES`.
            noise: (B, H, D) drawn from N(0, I); None takes zeros, the flow's most typical action.
        """
        batch = len(cloud)
        if noise is None:
            noise = np.zeros((batch, self.layout.horizon, self.layout.action_dim), np.float32)
        context = self.base.encode(cloud, state)
        a0, residual = self.modulation(Observation(cloud, state, context), noise)
        base_action = self.base.push(context, a0)
        return PolicyOutput(a0, base_action, residual, base_action + residual)

    def draw_noise(self, rng: np.random.Generator) -> Array:
        """One tick's noise (H, D), float32; the node and the evaluation both draw it so, once per acted
        tick.
        """
        return rng.standard_normal((self.layout.horizon, self.layout.action_dim), dtype=np.float32)


def _load_base(path: str | os.PathLike[str], layout: Layout | None, runtime: Runtime) -> BasePolicy:
    checkpoint = load_checkpoint(path, layout)
    if runtime == "onnx":
        from rfs_policy.onnx_base import OnnxBase

        return OnnxBase(checkpoint)
    from rfs_policy.torch_base import TorchBase  # a robot's policy node never loads torch

    return TorchBase.from_checkpoint(checkpoint)
