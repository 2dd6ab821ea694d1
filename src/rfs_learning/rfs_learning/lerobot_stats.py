"""Statistics as LeRobot keeps them: of each feature min, max, mean, std, count and five quantiles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
Stats = dict[str, NDArray]


def episode_stats(values: NDArray) -> Stats:
    """Statistics of one feature (n, ...) of an episode with n frames: of each of its numbers, in one list.

    Points of a cloud (n, points, 3) have no order, so all of them have those of their axis.
    """
    count, samples = len(values), np.asarray(values, np.float64)
    points = values.shape[1] if values.ndim == 3 and values.shape[2] == 3 else 1
    samples = samples.reshape(count * points, -1)
    parts = {"min": samples.min(0), "max": samples.max(0), "mean": samples.mean(0), "std": samples.std(0)}
    parts.update(zip(QUANTILES, np.quantile(samples, list(QUANTILES.values()), axis=0), strict=True))
    return {**{name: np.tile(part, points) for name, part in parts.items()}, "count": np.array([count])}


def combined(parts: Sequence[Stats]) -> Stats:
    """Statistics of all episodes; quantiles are the frames' weighted means, as LeRobot combines them."""
    counts = np.array([part["count"][0] for part in parts], np.float64)

    def mean(values: Sequence[NDArray]) -> NDArray:
        return np.tensordot(counts / counts.sum(), np.stack(values), axes=1)

    average = mean([part["mean"] for part in parts])
    variance = mean([part["std"] ** 2 + (part["mean"] - average) ** 2 for part in parts])
    return {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": average,
        "std": np.sqrt(variance),
        **{name: mean([part[name] for part in parts]) for name in QUANTILES},
        "count": np.array([int(counts.sum())]),
    }


def as_lists(stats: Mapping[str, Stats]) -> dict[str, Any]:
    """For JSON."""
    return {key: {name: value.tolist() for name, value in part.items()} for key, part in stats.items()}
