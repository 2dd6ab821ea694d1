"""Plots of evaluations, as PNG: success by group (paper, figure 6) and by object, by region of the table
(figure 12), reward over time (figure 10)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rfs_learning.method_results import MethodResults
from rfs_learning.small_png import small_png
from rfs_learning.table_region import TableRegion

_COLORS = ("#8a94a0", "#3f7fd0", "#1f9e6e", "#e0a030", "#c8443a", "#7a5bb0", "#3aa6b0", "#a0522d")
_WIDTH, _GRID = 8.2, "#e3e7ec"


def success_bars(methods: Sequence[MethodResults], groups: Mapping[str, Sequence[str]]) -> bytes:
    """A bar for each method in each group of objects, with 95 % intervals; a dot for each training seed."""
    figure = Figure(figsize=(_WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    width = 0.84 / len(methods)
    for index, method in enumerate(methods):
        for group, objects in enumerate(groups.values()):
            x = group + (index - (len(methods) - 1) / 2) * width
            _bar(axes, method, objects, x, width, _COLORS[index % len(_COLORS)], label=group == 0)
    axes.set_xticks(range(len(groups)), list(groups), rotation=30 * (len(groups) > 6))
    axes.set(ylim=(0, 100))
    axes.set_ylabel("success / %", fontsize=8)
    _plain(axes)
    if len(methods) > 1:
        columns = min(len(methods), 5)
        figure.legend(loc="outside upper center", ncols=columns, fontsize=8, frameon=False)
    return small_png(figure)


def _bar(
    axes: Axes,
    method: MethodResults,
    objects: Sequence[str],
    x: float,
    width: float,
    color: str,
    label: bool,
) -> None:
    rate = method.rate(objects)
    if rate is None:
        return
    name = method.name if label else None
    axes.bar(x, 100 * rate.mean, 0.92 * width, color=color, label=name)
    error = [[100 * (rate.mean - rate.low)], [100 * (rate.high - rate.mean)]]
    axes.errorbar(x, 100 * rate.mean, error, color="#1d2733", linewidth=0.9, capsize=2)
    counts = method.counts(objects)
    if len(counts) > 1:
        rates = [100 * successes / trials for successes, trials in counts]
        axes.plot([x] * len(rates), rates, ".", color="#1d2733", markersize=3)


def region_maps(methods: Sequence[MethodResults], region: TableRegion) -> bytes:
    """Success in each cell of the table, a map for each method; the robot stands below, looking up."""
    columns = min(len(methods), 3)
    rows = -(-len(methods) // columns)
    figure = Figure(figsize=(_WIDTH, 0.5 + 1.6 * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, method in zip(cells, methods, strict=False):
        _map(axes, method, region)
    for axes in cells[len(methods) :]:
        axes.axis("off")
    return small_png(figure)


def cell_counts(method: MethodResults, region: TableRegion) -> tuple[NDArray, NDArray]:
    """Successes and trials (rows, columns) by cell; trials elsewhere are left out."""
    won, tried = np.zeros(region.cells, np.int64), np.zeros(region.cells, np.int64)
    for trial in method.trials():
        cell = None if trial.place is None else region.cell_of(trial.place)
        if cell is not None:
            tried[cell] += 1
            won[cell] += trial.success
    shape = (region.rows, region.columns)
    return won.reshape(shape), tried.reshape(shape)


def _map(axes: Axes, method: MethodResults, region: TableRegion) -> None:
    won, tried = cell_counts(method, region)
    rate = np.where(tried > 0, won / np.maximum(tried, 1), np.nan)
    extent = (region.y[0], region.y[1], region.x[0], region.x[1])
    axes.imshow(rate, cmap=colormaps["RdYlGn"], vmin=0, vmax=1, extent=extent, origin="lower", alpha=0.8)
    for (row, column), count in np.ndenumerate(tried):
        x = np.interp((row + 0.5) / region.rows, (0, 1), region.x)
        y = np.interp((column + 0.5) / region.columns, (0, 1), region.y)
        axes.text(y, x, f"{won[row, column]}/{count}", ha="center", va="center", fontsize=7)
    axes.invert_xaxis()  # y points to the robot's left
    axes.set_title(method.name, fontsize=9, loc="left")
    axes.set_xlabel("y / m", fontsize=7)
    axes.set_ylabel("x / m", fontsize=7)
    axes.tick_params(labelsize=7)


def reward_curves(methods: Sequence[MethodResults]) -> bytes:
    """Mean reward over time with 95 % bands; an episode that has ended keeps its last reward."""
    figure = Figure(figsize=(_WIDTH, 2.8), layout="constrained")
    axes = figure.subplots()
    for index, method in enumerate(methods):
        times, mean, half = reward_course(method)
        color = _COLORS[index % len(_COLORS)]
        axes.plot(times, mean, color=color, label=method.name)
        axes.fill_between(times, mean - half, mean + half, color=color, alpha=0.2, linewidth=0)
    axes.set_xlabel("time / s", fontsize=8)
    axes.set_ylabel("reward", fontsize=8)
    axes.legend(fontsize=8, frameon=False)
    _plain(axes)
    return small_png(figure)


def reward_course(method: MethodResults) -> tuple[NDArray, NDArray, NDArray]:
    """Times (s), mean reward and half of its 95 % interval, (T,) each, over all trials of the method.

    Its runs face the same episodes, so the interval is that of one run's number of them.
    """
    courses = [trial.rewards for trial in method.trials() if trial.rewards]
    length = max(map(len, courses), default=0)
    filled = np.array([[*course, *[course[-1]] * (length - len(course))] for course in courses])
    if not len(filled):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    period = method.records[0].task.period
    half = 1.96 * filled.std(axis=0) / np.sqrt(len(filled) / len(method.records))
    return period * np.arange(1, length + 1), filled.mean(axis=0), half


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
