"""Plots and pictures of a report, as PNG bytes."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from rfs_learning.episode_trace import EpisodeTrace

_GREEN, _RED, _GRAY = "#2a7f4f", "#b5453c", "#5f6b7a"


def picture_png(pixels: NDArray[np.uint8]) -> bytes:
    """(h, w, 3) pixels as PNG."""
    buffer = BytesIO()
    Image.fromarray(pixels).quantize(128).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def reward_plot(traces: Sequence[EpisodeTrace]) -> bytes:
    """Reward and lift of every episode over its time."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for trace in traces:
        color = _GREEN if trace.contract.get("outcome") == "success" else _RED
        left.plot(trace.time, trace.reward, color=color, alpha=0.6, linewidth=1)
        right.plot(trace.time, 100 * trace.lift, color=color, alpha=0.6, linewidth=1)
    right.axhline(20, color=_GRAY, linewidth=0.8, linestyle=":")
    _label(left, "reward", "time / s", "")
    _label(right, "lift of the object / cm (green: success)", "time / s", "")
    return _png(figure)


def cadence_plot(traces: Sequence[EpisodeTrace]) -> bytes:
    """Histograms of the policy's period and of the latency from observation to command, wall time."""
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, name, title in (
        (left, "periods", "period of the policy"),
        (right, "latencies", "observation to command"),
    ):
        values = 1e3 * np.concatenate([getattr(trace, name) for trace in traces])
        if len(values):
            top = np.percentile(values, 99.5)
            axes.hist(np.minimum(values, top), bins=60, color=_GRAY)
            title += f": p50 {np.percentile(values, 50):.1f} ms, p99 {np.percentile(values, 99):.1f} ms"
        _label(axes, title, "ms", "")
    return _png(figure)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
