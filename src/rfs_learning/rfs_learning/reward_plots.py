"""Figures of relabeled rewards, as PNG bytes: one episode old against new, and many episodes together."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray
from PIL import Image
from rfs_reward.judge import Tracking

from rfs_learning.reward_courses import RewardCourse, labeled
from rfs_learning.reward_labels import RewardLabels
from rfs_learning.reward_strip import Shot, draw_shot, state_color, state_words, window

Array = NDArray[np.float64]
_BLUE, _ORANGE, _GRAY, _INK, _LINE = "#33658a", "#d17a22", "#5f6b7a", "#1d2733", "#e3e7ec"
_SERIES = ((_GRAY, "-"), (_ORANGE, "--"), (_BLUE, "-."), ("#2a7f4f", ":"))
_DPI = 110


def episode_plot(labels: RewardLabels, before: Sequence[RewardCourse], shots: Sequence[Shot]) -> bytes:
    """Mask overlays, and below them reward, lift and palm distance over time: recorded and computed."""
    start, new = int(labels.stamp[0]), labeled(labels)
    figure = Figure(figsize=(9.6, 3.9 if shots else 2.7), layout="constrained")
    figure.suptitle(_verdict(labels), fontsize=9, x=0.01, ha="left", color=_INK)
    lower: Figure | SubFigure = figure
    if shots:
        upper, lower = figure.subfigures(2, 1, height_ratios=[1.2, 2.6], squeeze=False).ravel()
        for axes, shot in zip(np.ravel(upper.subplots(1, len(shots))), shots, strict=True):
            draw_shot(axes, shot, start, window(shots))
    panels = lower.subplots(1, 3, sharex=True)
    styles = ((_ORANGE, "--"), (_GRAY, ":"))  # of what was acted on, and of a simulator's truth beside it
    drawn = [(course, *style) for course, style in zip(before, styles, strict=False)]
    for course, color, style in (*drawn, (new, _BLUE, "-")):
        seconds = (course.stamp - start) * 1e-9
        for axes, values in zip(panels, _values(course), strict=True):
            axes.plot(seconds, values, style, color=color, linewidth=1.4, label=course.name)
    for axes, title in zip(panels, ("reward", "lift / cm", "palm to object / cm"), strict=True):
        _label(axes, title)
        _mark_states(axes, labels)
    wanted = 100 * labels.run["config"]["success"]["lift"]
    panels[1].axhline(wanted, color=_GRAY, linewidth=0.8, linestyle=":")
    panels[0].legend(fontsize=7, frameon=False)
    return _png(figure)


def strip_plot(shots: Sequence[Shot], start: int, columns: int = 4) -> bytes:
    """Mask overlays alone; start: stamp of the episode's first frame, ns."""
    rows = -(-len(shots) // columns)
    height, width = shots[0].mask.shape
    figure = Figure(figsize=(9.6, rows * (9.6 / columns * height / width + 0.22)), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places[len(shots) :]:
        axes.set_visible(False)
    for axes, shot in zip(places, shots, strict=False):
        draw_shot(axes, shot, start, window(shots))
    return _png(figure)


def progress_plot(groups: Mapping[str, Sequence[RewardLabels]]) -> bytes:
    """Reward and each of its weighted terms over time: mean and range of the middle 80 % over episodes.

    groups: episodes by the label that they are called in the legend. An episode keeps its last value after
    its end, so that the mean is always over the same episodes.

    Raises:
        ValueError: more labels than can be told apart.
    """
    if len(groups) > len(_SERIES):
        raise ValueError(f"{len(groups)} labels are too many for one plot: at most {len(_SERIES)}")
    episodes = [episode for group in groups.values() for episode in group]
    names = [name for name in episodes[0].terms if all(name in episode.terms for episode in episodes)]
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    panels = figure.subplots(1, 1 + len(names), sharex=True, squeeze=False)[0]
    for style, (label, group) in zip(_SERIES, groups.items(), strict=False):
        _band(panels[0], [(e.seconds, e.reward) for e in group], style, label)
        for axes, name in zip(panels[1:], names, strict=True):
            _band(axes, [(e.seconds, e.weights[name] * e.terms[name]) for e in group], style, label)
    count = len(next(iter(groups.values())))
    titles = (f"reward, {count} episodes", *(f"{name}, weighted" for name in names))
    for axes, title in zip(panels, titles, strict=True):
        _label(axes, title)
    panels[0].legend(fontsize=8, frameon=False, loc="upper left")
    return _png(figure)


def _band(axes: Axes, courses: Sequence[tuple[Array, Array]], style: tuple[str, str], label: str) -> None:
    """Mean over courses (seconds (n,), values (n,)), and the middle 80 %; unknown values do not count."""
    time = np.linspace(0.0, max(seconds[-1] for seconds, _ in courses), 200)
    known = [(s[np.isfinite(v)], v[np.isfinite(v)]) for s, v in courses if np.isfinite(v).any()]
    if not known:
        return
    values = np.array([np.interp(time, seconds, course) for seconds, course in known])
    color, line = style
    axes.plot(time, values.mean(0), line, color=color, linewidth=1.8, label=label)
    low, high = np.percentile(values, [10, 90], axis=0)
    axes.fill_between(time, low, high, color=color, alpha=0.15, linewidth=0)


def _values(course: RewardCourse) -> tuple[Array, Array, Array]:
    return course.reward, 100 * course.lift, 100 * course.palm_distance


def _mark_states(axes: Axes, labels: RewardLabels) -> None:
    """Color the time in which the object was not seen."""
    edges = np.append(labels.seconds, labels.seconds[-1])
    index = 0
    for state, run in groupby(labels.tracking.tolist()):
        end = index + len(list(run))
        if state != Tracking.SEEN:
            color = state_color(Tracking(state))
            axes.axvspan(edges[index], edges[end], color=color, alpha=0.15, linewidth=0)
        index = end


def _verdict(labels: RewardLabels) -> str:
    shares = [
        f"{state_words(state)} {100 * share:.0f} %"
        for state in Tracking
        if (share := float((labels.tracking == state).mean()))
    ]
    judged = "success" if labels.success.any() else "no success"
    return f"{labels.bag.name}: recorded {labels.outcome}, judged {judged}; {', '.join(shares)}"


def _label(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left", color=_INK)
    axes.set_xlabel("time / s", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=_LINE, linewidth=0.8)


def _png(figure: Figure) -> bytes:
    """In 256 colors, rare ones too: noise of a camera makes large files, and masks are small."""
    figure.set_dpi(_DPI)
    canvas, small = FigureCanvasAgg(figure), BytesIO()
    canvas.draw()  # once: `savefig` draws twice, and packs a picture that is unpacked here at once
    full = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    full.quantize(256, Image.Quantize.MAXCOVERAGE).save(small, "PNG", optimize=True)
    return small.getvalue()
