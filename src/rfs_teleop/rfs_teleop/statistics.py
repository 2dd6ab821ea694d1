"""Confidence intervals for success rates."""

import math


def wilson_interval(successes: float, trials: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson score interval of a success rate; by default with 95 % confidence.

    Stays inside [0, 1] and is honest for few trials and for rates near 0 or 1, unlike the normal
    approximation. Counts may be means over repetitions of the same trials.

    Raises:
        ValueError: fewer than 0 or more than `trials` successes.
    """
    if not 0 <= successes <= trials:
        raise ValueError(
            f"{successes} successes in {trials} trials: counts must satisfy 0 <= successes <= trials"
        )
    if trials == 0:
        return 0.0, 1.0
    rate, z2 = successes / trials, z * z
    center = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = z / (1 + z2 / trials) * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    return max(0.0, center - spread), min(1.0, center + spread)


def describe_rate(successes: int, trials: int) -> str:
    """For tables: '17/20  85 % [64, 95]'."""
    low, high = wilson_interval(successes, trials)
    percent = 100 * successes / trials if trials else 0.0
    return f"{successes}/{trials}  {percent:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
