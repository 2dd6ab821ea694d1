"""The noise behind recorded base actions: a0 = argmin |a_b - Push(o, a0)| (paper, section 5.2).

Three ways, from the same start, the reversed flow:

- "reversal": that start, which is off by O(1 / K);
- "descent": Adam on |a_b - Push(o, a0)|^2, through all K Euler steps, as the paper does it;
- "stepwise": each Euler step inverted exactly (`step_inversion`): more exact in less time.

Errors are in units of the action scale (the base's `action_std`): RMS over the entries of the chunk that are
known. Where only the executed action was kept, the rest of the chunk is what fits it.
"""

import time
from dataclasses import dataclass
from typing import Literal

import torch
from rfs_policy.flow import push, reverse
from rfs_policy.torch_base import TorchBase
from torch import Tensor

from rfs_learning.offline.step_inversion import Field, StepSolver

Method = Literal["stepwise", "descent", "reversal"]

LARGEST_ERROR, LARGEST_NOISE = 0.02, 6.0
"""Units of the action scale, and standard deviations: beyond, noise does not count as recovered."""

_BATCH = 256
_DESCENT_STEPS, _DESCENT_RATE = 60, 0.05


@dataclass(frozen=True)
class RecoveredNoise:
    """Noise of N chunks.

    Attributes:
        noise: (N, H, D), normalized space.
        error: (N,) RMS of a_b - Push(o, a0) over the known entries, in units of the action scale.
        evaluations: of the velocity field, on average; one Push takes K.
        seconds: it took.
    """

    noise: Tensor
    error: Tensor
    evaluations: float
    seconds: float

    def plausible(self) -> Tensor:
        """(N,) bool, see `plausible`."""
        return plausible(self.noise, self.error)


def recover_noise(
    base: TorchBase, context: Tensor, chunk: Tensor, method: Method = "stepwise"
) -> RecoveredNoise:
    """Recover the noise of base actions.

    Args:
        context: (N, C) of the frozen base's encoder.
        chunk: (N, H, D) base actions in m and rad, NaN where they are not known.
    """
    began = time.perf_counter()
    normalized = base.network.normalize_action(chunk)
    parts = []
    for first in range(0, len(chunk), _BATCH):
        part = slice(first, first + _BATCH)
        parts.append(_Recovery(base, context[part], normalized[part]).solve(method))
    noise = torch.cat([part[0] for part in parts]) if parts else torch.empty_like(chunk)
    weights = [len(part[0]) for part in parts]
    evaluations = sum(part[1] * n for part, n in zip(parts, weights, strict=True)) / max(1, sum(weights))
    error = push_error(base, context, noise, chunk)
    return RecoveredNoise(noise, error, evaluations, time.perf_counter() - began)


def plausible(noise: Tensor, error: Tensor) -> Tensor:
    """(N,) whether noise (N, H, D) explains a chunk: Push meets it, and N(0, I) might have drawn it.

    A flow can be led nearly anywhere by noise far outside; that is how actions of another policy show.
    """
    return (error <= LARGEST_ERROR) & (noise.abs().amax((1, 2)) <= LARGEST_NOISE)


@torch.no_grad()
def push_error(base: TorchBase, context: Tensor, noise: Tensor, chunk: Tensor) -> Tensor:
    """(N,) RMS of a_b - Push(o, a0) over the known entries of chunk (N, H, D), in units of the action scale;
    infinite where nothing is known or the noise is not finite."""
    errors = [
        _push_error(base, *part)
        for part in zip(context.split(_BATCH), noise.split(_BATCH), chunk.split(_BATCH), strict=True)
    ]
    return torch.cat(errors) if errors else torch.empty(0)


def _push_error(base: TorchBase, context: Tensor, noise: Tensor, chunk: Tensor) -> Tensor:
    pushed = push(base.network.velocity(context), noise, base.steps)
    difference = base.network.normalize_action(chunk) - pushed
    known = chunk.isfinite()
    mean = difference.nan_to_num(nan=0.0).where(known, 0.0).square().sum((1, 2)) / known.sum((1, 2))
    return mean.sqrt().where(known.any(2).any(1) & noise.isfinite().all(2).all(1), torch.inf)


class _Recovery:
    """One batch: context (B, C), normalized chunk (B, H, D) with NaN where it is not known."""

    def __init__(self, base: TorchBase, context: Tensor, chunk: Tensor) -> None:
        self._base, self._context, self._known = base, context, chunk.isfinite()
        self._velocity = base.network.velocity(context)
        self._chunk = chunk.where(self._known, self._typical(chunk))

    def solve(self, method: Method) -> tuple[Tensor, float]:
        """Noise (B, H, D) and evaluations of the field."""
        if method == "stepwise":
            field: Field = lambda index: self._base.network.velocity(self._context[index])  # noqa: E731
            return StepSolver().invert(field, self._chunk, self._known, self._base.steps)
        with torch.no_grad():
            noise = reverse(self._velocity, self._chunk, self._base.steps)
        if method == "reversal":
            return noise, self._base.steps
        return self._descend(noise)

    @torch.no_grad()
    def _typical(self, chunk: Tensor) -> Tensor:
        """What the base does from a0 = 0."""
        return push(self._velocity, torch.zeros_like(chunk), self._base.steps)

    def _descend(self, noise: Tensor) -> tuple[Tensor, float]:
        a0 = noise.clone().requires_grad_()
        optimizer = torch.optim.Adam([a0], _DESCENT_RATE)
        for _ in range(_DESCENT_STEPS):
            error = (push(self._velocity, a0, self._base.steps) - self._chunk) * self._known
            (a0.grad,) = torch.autograd.grad(error.square().sum(), a0)
            optimizer.step()
        return a0.detach(), (1 + 3 * _DESCENT_STEPS) * self._base.steps  # a gradient takes two evaluations
