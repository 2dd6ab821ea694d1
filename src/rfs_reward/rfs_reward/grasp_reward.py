"""Terms of the reward from vision as plain functions (paper, appendix A.4.2), and their weighted sum."""

import numpy as np

from rfs_reward.reward_config import TermConfig


def closeness(distance: float, scale: float) -> float:
    """0 to 1: 1 where palm and object center meet, a quarter at `scale`; distance and scale in m."""
    return float(1.0 - np.tanh(distance / scale))


def lifting(lift: float, target: float) -> float:
    """0 to 1: height above the start relative to the target, both m."""
    return float(np.clip(lift / target, 0.0, 1.0))


def terms(distance: float, lift: float, config: TermConfig) -> dict[str, float]:
    """Unweighted terms by name, each 0 to 1, NaN where distance or lift (m) is."""
    return {
        "closeness": closeness(distance, config.closeness_scale),
        "lift": lifting(lift, config.target_lift),
    }


def weights(config: TermConfig) -> dict[str, float]:
    """Weights by name, for the same names as `terms`."""
    return {"closeness": config.closeness, "lift": config.lift}


def total(terms: dict[str, float], weights: dict[str, float]) -> float:
    """Weighted sum; NaN where a term is."""
    return float(sum(weights[name] * value for name, value in terms.items()))
