"""What a learning curve says."""

from collections.abc import Sequence

import numpy as np

Curve = Sequence[tuple[int, float]]
"""(control steps, success rate), by control steps."""
REACHED = 0.80
"""Success whose control steps are reported."""


def steps_to(curve: Curve, rate: float = REACHED) -> int | None:
    """Control steps at which the curve first reaches `rate`, straight between its points; None: it never
    does."""
    for (before, low), (after, high) in zip([curve[0], *curve], curve, strict=False):
        if high >= rate:
            share = 0.0 if high == low else (rate - low) / (high - low)
            return round(before + max(share, 0.0) * (after - before))
    return None


def area(curve: Curve) -> float:
    """Mean success while training: the area under the curve over its length, 0 to 1."""
    steps, rates = np.transpose(np.asarray(curve, float))
    return float(np.trapezoid(rates, steps) / (steps[-1] - steps[0]))
