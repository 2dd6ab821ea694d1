"""Differences between policies that faced the same episodes: paired, which needs far fewer of them.

A policy may have been trained several times, from different training seeds; each training is a run with its
own outcomes of the same episodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from rfs_learning.estimates import Estimate, mean_difference

Outcomes = NDArray[np.float64]
"""(runs, episodes): 1 for a success, 0 for a failure."""
_DRAWS, _PERCENT = 10_000, (2.5, 97.5)


@dataclass(frozen=True)
class McNemar:
    """Episodes in which only the first or only the second policy succeeded; p: exact, two-sided, of equal
    chances for both."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Sequence[bool] | NDArray, second: Sequence[bool] | NDArray) -> McNemar:
    """McNemar's exact test on outcomes of the same episodes, (episodes,) each."""
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} and {len(b)} episodes are not the same episodes")
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    discordant = only_first + only_second
    p = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemar(only_first, only_second, p)


def paired_difference(first: Outcomes, second: Outcomes, seed: int = 0) -> Estimate:
    """First minus second success rate with a 95 % interval: at each end the wider of a bootstrap over
    episodes and, within each policy, over its runs, and of Welch's over the runs, since two or three of them
    drawn again and again look more alike than they are. The two may have different numbers of runs; with
    one run each it knows nothing of other runs.

    Raises:
        ValueError: they have not the same number of episodes, or none.
    """
    if first.shape[1] != second.shape[1] or not first.size or not second.size:
        raise ValueError(f"{first.shape[1]} and {second.shape[1]} episodes are not the same episodes")
    rng = np.random.default_rng(seed)
    episodes = _weights(rng, first.shape[1])
    drawn = _resampled(rng, first, episodes) - _resampled(rng, second, episodes)
    mean = float(first.mean() - second.mean())
    ends = [*np.percentile(drawn, _PERCENT), mean]
    welch = mean_difference(first.mean(axis=1).tolist(), second.mean(axis=1).tolist())
    if welch.count > 1:
        ends += [welch.low, welch.high]
    return replace(welch, mean=mean, std=float(np.std(drawn)), low=float(min(ends)), high=float(max(ends)))


def _resampled(rng: np.random.Generator, outcomes: Outcomes, episodes: NDArray) -> NDArray:
    """(draws,) mean success over runs and episodes that are drawn with replacement."""
    return np.einsum("dr,re,de->d", _weights(rng, len(outcomes)), outcomes, episodes, optimize=True)


def _weights(rng: np.random.Generator, size: int) -> NDArray:
    """(draws, size): how often each is drawn, as a share."""
    return rng.multinomial(size, np.full(size, 1 / size), _DRAWS) / size
