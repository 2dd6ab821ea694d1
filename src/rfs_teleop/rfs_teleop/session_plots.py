"""Drawings of a session's page, as SVG text. No ROS."""

from collections.abc import Sequence
from html import escape

from rfs_teleop.episode_figures import AXES, HEIGHT_BIN, EpisodeFigures
from rfs_teleop.statistics import wilson_interval

_INK, _GRAY, _LINE, _PALE = "#1d2733", "#5f6b7a", "#e3e7ec", "#c9d6e6"
_BLUE = "#33658a"
COLORS = {"success": "#2a7f4f", "failure": "#b5453c"}
_TITLES = {"x": "palm x", "y": "palm y", "z": "palm z", "closing": "fingers closing"}
_TOP = 0.16  # m; higher the policy is alone


def interval_bar(successes: int, trials: int) -> str:
    """A success rate as a dot on its 95 % interval, from 0 to 1."""
    low, high = wilson_interval(successes, trials)
    rate = successes / trials if trials else 0.0
    x = [4 + 152 * part for part in (low, high, rate)]
    return _svg(
        160,
        14,
        _segment(4, 7, 156, 7, _LINE, 2),
        _segment(x[0], 7, x[1], 7, _BLUE, 3),
        f'<circle cx="{x[2]:.1f}" cy="7" r="4" fill="{_BLUE}"/>' if trials else "",
    )


def use_plot(rows: Sequence[EpisodeFigures], limit: float) -> str:
    """Residual use of each axis over the palm's height: mean part of the bound, and how often corrected.

    limit: height above which corrections do not count, m.
    """
    totals = _by_height(rows)
    bins = range(max((b for b in totals if b * HEIGHT_BIN < _TOP), default=0) + 1)
    step, left, width, gap, top = 20, 78, 180, 26, 24
    height = top + step * len(bins)
    parts = [_text(0, 11, "palm height", _GRAY)]
    for b in bins:
        y = height - step * b
        parts.append(_text(left - 10, y + 4, f"{100 * b * HEIGHT_BIN:.0f} cm", _GRAY, "end"))
    for axis, name in enumerate(AXES):
        x = left + axis * (width + gap)
        parts.append(_text(x, 11, _TITLES[name], _INK))
        parts += [_segment(x + width * p, top, x + width * p, height, _LINE) for p in (0, 0.5, 1)]
        parts += [
            _text(x + width * p, height + 15, f"{100 * p:.0f} %", _GRAY, a)
            for p, a in ((0, "start"), (0.5, "middle"), (1, "end"))
        ]
        if not any(row.axes[axis] for row in rows):
            parts.append(_text(x + width / 2, (top + height) / 2, "not used", _GRAY, "middle"))
        for b in bins:
            ticks, corrected, used = totals.get(b, [(0, 0, 0.0)] * len(AXES))[axis]
            parts += _bars(x, height - step * (b + 1), width, step, ticks, corrected, used)
    border = height - step * limit / HEIGHT_BIN
    if border > top:
        end = left + len(AXES) * (width + gap) - gap
        parts.append(_segment(left, border, end, border, COLORS["failure"], 1, "4 3"))
    return _svg(left + len(AXES) * (width + gap), height + 22, *parts)


def _bars(
    x: float, y: float, width: float, step: float, ticks: int, corrected: int, used: float
) -> list[str]:
    """Wide and pale: how often corrected. Narrow and dark: mean use of the bound."""
    if not ticks:
        return []
    tip = f"{ticks} ticks, corrected in {100 * corrected / ticks:.0f} %, mean use {100 * used / ticks:.0f} %"
    return [
        f'<g><title>{tip}</title><rect x="{x}" y="{y + 2}" width="{width * corrected / ticks:.1f}" '
        f'height="{step - 4}" fill="{_PALE}"/><rect x="{x}" y="{y + 5}" width="{width * used / ticks:.1f}" '
        f'height="{step - 10}" fill="{_BLUE}"/></g>'
    ]


def _by_height(rows: Sequence[EpisodeFigures]) -> dict[int, list[tuple[int, int, float]]]:
    totals: dict[int, list[tuple[int, int, float]]] = {}
    for row in rows:
        for text, entries in row.use.items():
            before = totals.get(max(0, int(text)), [(0, 0, 0.0)] * len(AXES))
            totals[max(0, int(text))] = [
                (int(a + t), int(b + c), u + v) for (a, b, u), (t, c, v) in zip(before, entries, strict=True)
            ]
    return totals


def reward_tile(row: EpisodeFigures, seconds: float, low: float, high: float) -> str:
    """One episode's reward over `seconds` s, on a scale from `low` to `high`."""
    width, height = 150.0, 46.0
    scale = (high - low) or 1.0
    points = " ".join(
        f"{width * t / seconds:.1f},{height - 2 - (height - 4) * (r - low) / scale:.1f}"
        for t, r in row.reward
    )
    color = COLORS.get(row.outcome, _GRAY)
    line = f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>'
    return _svg(width, height, _segment(0, height - 1, width, height - 1, _LINE), line)


def _svg(width: float, height: float, *parts: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" font-size="11" role="img">'
        f"{''.join(parts)}</svg>"
    )


def _segment(x1: float, y1: float, x2: float, y2: float, color: str, width: int = 1, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{color}" stroke-width="{width}"{dashes}/>'


def _text(x: float, y: float, text: str, color: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}">{escape(text)}</text>'
