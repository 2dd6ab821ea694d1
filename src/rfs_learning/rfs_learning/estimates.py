"""Means over training seeds with intervals, and differences of methods."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rfs_teleop.statistics import wilson_interval
from scipy.stats import t as student

Count = tuple[int, int]
"""Successes and episodes of one seed."""
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval. std: over the values themselves (divided by n), as in the paper's table;
    count: how many values, usually seeds."""

    mean: float
    std: float
    low: float
    high: float
    count: int


def rate_estimate(counts: Sequence[Count]) -> Estimate:
    """Success over seeds: mean and standard deviation of the seeds' rates.

    The interval holds both Student's over seeds and Wilson's over the episodes of one seed: all seeds face
    the same episodes, which do not become more by that, and seeds that happen to agree say less than their
    agreement. With one seed there is only Wilson's, which knows nothing of other seeds.
    """
    rates = [successes / episodes for successes, episodes in counts]
    seeds, (low, high) = mean_estimate(rates), wilson_interval(*_of_one(counts))
    if len(counts) > 1:
        low, high = min(low, max(seeds.low, 0.0)), max(high, min(seeds.high, 1.0))
    return replace(seeds, low=min(low, seeds.mean), high=max(high, seeds.mean))


def over_tasks(tasks: Sequence[Sequence[Count]]) -> Estimate:
    """Mean over tasks of the tasks' means; std over the rates of all tasks and seeds, as in the paper."""
    rates = [successes / episodes for counts in tasks for successes, episodes in counts]
    return replace(combined([rate_estimate(counts) for counts in tasks]), std=float(np.std(rates)))


def combined(parts: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates, such as of several tasks: half widths add up like independent errors.

    The interval is of the mean over these tasks, not over others that nobody looked at.
    """
    mean, number = float(np.mean([part.mean for part in parts])), len(parts)
    below = math.hypot(*(part.mean - part.low for part in parts)) / number
    above = math.hypot(*(part.high - part.mean for part in parts)) / number
    std = math.hypot(*(part.std for part in parts)) / number
    return Estimate(mean, std, mean - below, mean + above, min(part.count for part in parts))


def mean_estimate(values: Sequence[float]) -> Estimate:
    """Mean and Student's interval; the interval of a single value is not known (nan)."""
    mean, count = float(np.mean(values)), len(values)
    half = math.nan
    if count > 1:
        half = _quantile(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, float(np.std(values)), mean - half, mean + half, count)


def rate_difference(first: Sequence[Count], second: Sequence[Count]) -> Estimate:
    """First minus second success; the interval holds Welch's over seeds and Newcombe's over the episodes of
    one seed."""
    a, b = rate_estimate(first), rate_estimate(second)
    low, high = newcombe_interval(_of_one(first), _of_one(second))
    if len(first) > 1 and len(second) > 1:
        rates = [[successes / episodes for successes, episodes in counts] for counts in (first, second)]
        welch = mean_difference(*rates)
        low, high = min(low, welch.low), max(high, welch.high)
    return Estimate(a.mean - b.mean, math.hypot(a.std, b.std), low, high, min(a.count, b.count))


def mean_difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """First minus second mean with Welch's interval: the two may differ in spread and number. Not known (nan)
    where one has a single value."""
    mean = float(np.mean(first) - np.mean(second))
    std, count = math.hypot(float(np.std(first)), float(np.std(second))), min(len(first), len(second))
    if count < 2:
        return Estimate(mean, std, math.nan, math.nan, count)
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    total = sum(parts)
    if total == 0.0:
        return Estimate(mean, std, mean, mean, count)
    shares = [part / total for part in parts]  # whose squares, unlike those of tiny parts, are not 0
    freedom = 1.0 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)
    )
    half = _quantile(freedom) * math.sqrt(total)
    return Estimate(mean, std, mean - half, mean + half, count)


def newcombe_interval(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """95 % interval of the difference of two success rates (successes, episodes), from their Wilson
    intervals (Newcombe 1998, method 10)."""
    (a, b), ((a_low, a_high), (b_low, b_high)) = (
        (successes / episodes for successes, episodes in (first, second)),
        (wilson_interval(*first), wilson_interval(*second)),
    )
    return a - b - math.hypot(a - a_low, b_high - b), a - b + math.hypot(a_high - a, b - b_low)


def _of_one(counts: Sequence[Count]) -> tuple[float, float]:
    """Successes and episodes of a seed, on average."""
    return sum(s for s, _ in counts) / len(counts), sum(n for _, n in counts) / len(counts)


def _quantile(freedom: float) -> float:
    return float(student.ppf(0.5 + _CONFIDENCE / 2, freedom))
