"""Figures of table 1's report, as PNG bytes: learning curves (paper, figure 4), robustness (figure 8),
interpenetration and smoothness."""

from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rfs_learning.rl.methods import METHODS
from rfs_learning.rl.table1_plan import BASE
from rfs_learning.rl.table1_record import CellRecord
from rfs_learning.rl.table1_results import ROWS, Results, label

_GRAY, _DPI = "#5f6b7a", 110
_STYLES = {
    BASE: ("#111111", ":"),
    "absolute": ("#b8b8b8", "--"),
    "relative": ("#7d7d7d", "--"),
    "pca": ("#c9a227", "--"),
    "vqvae": ("#8c6d46", "--"),
    "residual_hand_arm": ("#b5453c", "-"),
    "dsrl_hand_arm": ("#6fa8dc", "-"),
    "rfs_hand_arm": ("#1f4e8c", "-"),
    "dsrl_hand": ("#9bcf9b", "-"),
    "rfs_hand": ("#2a7f4f", "-"),
    "rfs_chunk_hand": ("#7b3fa0", "-"),
}
_PAPER_LIMITS = {"RFS": 5.0, "relative joint pose": 55.0}


def figures(results: Results) -> dict[str, bytes]:
    """File names and PNGs; none where no cell is finished."""
    if not any(record.finished for record in results.records):
        return {}
    return {
        "curves.png": curves(results),
        "robustness.png": robustness(results),
        "interpenetration.png": interpenetration(results),
        "smoothness.png": smoothness(results),
    }


def curves(results: Results) -> bytes:
    """Success over control steps, mean and standard deviation over seeds.

    Above: of the mean policy; below: of sampled choices while training.
    """
    titles = ("mean policy", "while training, sampled choices")
    values: tuple[Callable[[CellRecord], Sequence], ...] = (lambda r: r.rates, lambda r: r.training)
    figure = Figure(figsize=(1 + 4.6 * len(results.tasks), 6.4), layout="constrained")
    panels = figure.subplots(2, len(results.tasks), sharex="col", sharey=True, squeeze=False)
    for row, (title, value) in enumerate(zip(titles, values, strict=True)):
        for axes, task in zip(panels[row], results.tasks, strict=True):
            for method in METHODS:
                _curve(axes, method, [value(record) for record in results.of(method, task)])
            _base_line(axes, results, task)
            _frame(axes, f"{task}: {title}", "control steps / 1000" if row else "", "success")
            axes.set_ylim(0.0, 1.0)
    _legend(figure, panels)
    return _png(figure)


def robustness(results: Results) -> bytes:
    """Success over the strength of disturbances, mean and standard deviation over seeds."""
    figure = Figure(figsize=(1 + 4.6 * len(results.tasks), 3.6), layout="constrained")
    panels = figure.subplots(1, len(results.tasks), sharey=True, squeeze=False)
    for axes, task in zip(panels[0], results.tasks, strict=True):
        for method in ROWS:
            found = results.levels(method, task)
            if found:
                color, line = _STYLES[method]
                mean, std = np.array([(estimate.mean, estimate.std) for estimate in found.values()]).T
                axes.plot(list(found), mean, line, color=color, marker="o", markersize=3, label=label(method))
                axes.fill_between(list(found), mean - std, mean + std, color=color, alpha=0.12, linewidth=0)
        _frame(axes, task, "torque pulses, as factors of the task's", "success")
        axes.set_ylim(0.0, 1.0)
    _legend(figure, panels)
    return _png(figure)


def interpenetration(results: Results) -> bytes:
    """Share of the lifting episodes in which fingers went into each other, with 95 % intervals."""
    figure = Figure(figsize=(1 + 4.6 * len(results.tasks), 3.4), layout="constrained")
    panels = figure.subplots(1, len(results.tasks), sharex=True, squeeze=False)
    for axes, task in zip(panels[0], results.tasks, strict=True):
        found = {method: results.infeasible(method, task) for method in ROWS}
        for place, (method, estimate) in enumerate(found.items()):
            if estimate is not None:
                below, above = estimate.mean - estimate.low, estimate.high - estimate.mean
                axes.barh(place, 100 * estimate.mean, color=_STYLES[method][0])
                axes.errorbar(
                    100 * estimate.mean, place, xerr=[[100 * below], [100 * above]], color=_GRAY, linewidth=1
                )
        for limit in _PAPER_LIMITS.values():
            axes.axvline(limit, color=_GRAY, linewidth=0.8, linestyle=":")
        words = ", ".join(f"{name} {limit:g} %" for name, limit in _PAPER_LIMITS.items())
        _rows(axes)
        _frame(axes, f"{task}: infeasible of the lifted / %", f"dotted: {words} in the paper", "")
        axes.set_xlim(0.0, 100.0)
    return _png(figure)


def smoothness(results: Results) -> bytes:
    """Roughness of finger and palm commands; less is smoother. Bars are means, dots are seeds."""
    parts = (("finger_roughness", "fingers / mrad"), ("palm_roughness", "palm / mm"))
    figure = Figure(figsize=(1 + 4.6 * len(results.tasks), 6.0), layout="constrained")
    panels = figure.subplots(len(parts), len(results.tasks), sharex="row", squeeze=False)
    for row, (name, unit) in zip(panels, parts, strict=True):
        for axes, task in zip(row, results.tasks, strict=True):
            for place, method in enumerate(ROWS):
                values = [1e3 * record.final["mean"][name] for record in results.of(method, task)]
                if values:
                    axes.barh(place, np.mean(values), color=_STYLES[method][0])
                    axes.plot(values, [place] * len(values), ".", color=_GRAY, markersize=4)
            _rows(axes)
            _frame(axes, f"{task}: roughness, {unit}", "", "")
    return _png(figure)


def _curve(axes: Axes, method: str, seeds: list[Sequence[tuple[int, float]]]) -> None:
    """Mean and standard deviation over seeds, at the points of the first one."""
    if not seeds:
        return
    color, line = _STYLES[method]
    x = np.array([at for at, _ in seeds[0]])
    values = np.array([np.interp(x, *np.transpose(seed)) for seed in seeds])
    x, mean, spread = x / 1e3, values.mean(axis=0), values.std(axis=0)
    axes.plot(x, mean, line, color=color, linewidth=1.5, label=label(method))
    axes.fill_between(x, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)


def _base_line(axes: Axes, results: Results, task: str) -> None:
    base = results.success(BASE, task, "mean")
    if base is not None:
        color, line = _STYLES[BASE]
        axes.axhline(base.mean, color=color, linestyle=line, linewidth=1.0, label=label(BASE))


def _rows(axes: Axes) -> None:
    """Methods from top to bottom."""
    axes.set_yticks(range(len(ROWS)), [label(method) for method in ROWS])
    axes.set_ylim(len(ROWS) - 0.4, -0.6)


def _legend(figure: Figure, panels: np.ndarray) -> None:
    """One for all panels, in the order of the table."""
    found = {}
    for axes in panels.ravel():
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    labels = [label(method) for method in ROWS if label(method) in found]
    figure.legend(
        [found[name] for name in labels], labels, loc="outside right upper", fontsize=7, frameon=False
    )


def _frame(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
