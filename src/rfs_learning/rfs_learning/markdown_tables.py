"""Tables of reports, in Markdown, and what stands in their cells."""

import math
from collections.abc import Iterable, Sequence

from rfs_learning.estimates import Estimate

NOTHING = "-"


def with_interval(estimate: Estimate | None) -> str:
    """`0.937 ± 0.028 [0.85, 0.98]`; of one seed without a deviation."""
    if estimate is None:
        return NOTHING
    text = f"{estimate.mean:.3f}" + (f" ± {estimate.std:.3f}" if estimate.count > 1 else "")
    return text if math.isnan(estimate.low) else f"{text} [{estimate.low:.2f}, {estimate.high:.2f}]"


def signed(estimate: Estimate | None, seeds: int) -> str:
    """`+0.031 [-0.02, 0.08]`, bold where 0 is outside and both have at least two seeds: an interval from one
    knows its episodes only, and training's chance is larger."""
    if estimate is None:
        return NOTHING
    if math.isnan(estimate.low):
        return f"{estimate.mean:+.3f}"
    text = f"{estimate.mean:+.3f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"
    return f"**{text}**" if seeds > 1 and (estimate.low > 0 or estimate.high < 0) else text


def in_percent(estimate: Estimate | None) -> str:
    """`4.1 % [2, 7]`."""
    if estimate is None:
        return NOTHING
    return f"{100 * estimate.mean:.1f} % [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
