"""The noise behind the base actions of a dataset: as it was logged, or recovered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from rfs_policy.torch_base import TorchBase
from torch import Tensor

from rfs_learning.offline.noise_recovery import plausible, push_error, recover_noise
from rfs_learning.offline.offline_config import OfflineConfig

_COMPARED = 256


@dataclass(frozen=True)
class FoundNoise:
    """noise (N, H, D); plausible (N,) bool, whether it explains the action; told: figures as JSON data."""

    noise: Tensor
    plausible: Tensor
    told: Mapping[str, Any]


def find_noise(
    base: TorchBase, config: OfflineConfig, context: Tensor, chunk: Tensor, logged: Tensor
) -> FoundNoise:
    """a0 of N base actions.

    Where noise was logged and the configuration takes it, it is taken if it leads to the action; everything
    else is recovered.

    Args:
        context: (N, C); chunk: (N, H, D) base actions, NaN where not known; logged: (N, H, D), NaN likewise.
    """
    error = push_error(base, context, logged, chunk)
    known = plausible(logged, error)
    taken = known if config.noise_source == "logged" else torch.zeros_like(known)
    noise, error = logged.clone(), error.clone()
    left = (~taken).nonzero()[:, 0]
    recovered = recover_noise(base, context[left], chunk[left], config.recovery)
    noise[left], error[left] = recovered.noise, recovered.error
    fine = plausible(noise, error)
    beyond = (noise[fine].abs() > config.noise_bound).float().mean()
    told = {
        "logged": int(taken.sum()),
        "recovered": int((fine & ~taken).sum()),
        "not_recovered": int((~fine).sum()),
        "method": config.recovery,
        "error_median": _quantile(recovered.error, 0.5),
        "error_p95": _quantile(recovered.error, 0.95),
        "evaluations": recovered.evaluations,
        "seconds": recovered.seconds,
        "beyond_bound": float(beyond) if fine.any() else None,
        "against_logged": _compared(base, config, context[known], chunk[known], logged[known]),
    }
    return FoundNoise(noise, fine, told)


def _compared(
    base: TorchBase, config: OfflineConfig, context: Tensor, chunk: Tensor, logged: Tensor
) -> dict[str, Any] | None:
    """How near recovered noise is to what was logged, for some of the actions that it was logged for."""
    if not len(logged):
        return None
    some = torch.linspace(0, len(logged) - 1, min(_COMPARED, len(logged))).long()
    recovered = recover_noise(base, context[some], chunk[some], config.recovery)
    difference = (recovered.noise - logged[some]).abs()
    return {
        "compared": len(some),
        "error_median": _quantile(recovered.error, 0.5),
        "noise_difference_median": float(difference.median()),
        "seconds": recovered.seconds,
    }


def _quantile(error: Tensor, q: float) -> float | None:
    return float(error.quantile(q)) if len(error) and bool(error.isfinite().all()) else None
