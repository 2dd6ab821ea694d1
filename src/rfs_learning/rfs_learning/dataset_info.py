"""What is in a transition dataset: as JSON data, and as tables in a terminal."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rfs_learning.transitions import TransitionDataset

_BINS = 13
_BARS = "▁▂▃▄▅▆▇█"
_AXES = ("x", "y", "z")


def describe(dataset: TransitionDataset) -> dict[str, Any]:
    """Episodes, outcomes, corrections, actions, cadence, dropped ticks and contract; only JSON's types.

    Raises:
        ValueError: nothing is in it yet.
    """
    if not len(dataset):
        raise ValueError(f"{dataset.path} has no episode yet; run './rfs dataset build' again")
    rows = dataset.rows()
    intervened = dataset.array("intervened")[: dataset.steps][rows]
    return {
        "dataset": str(dataset.path),
        "episodes": len(dataset),
        "transitions": len(rows),
        "seconds": round(len(rows) / dataset.layout.rate_hz, 3),
        "contract": _contract(dataset),
        "modulations": dict(dataset.modulations()),
        "outcomes": _outcomes(dataset),
        "corrected": {"transitions": int(intervened.sum()), "share": _share(intervened)},
        "residuals": _residuals(dataset, rows[intervened]),
        "actions": _actions(dataset, rows),
        "rewards": {**dataset.rewards, "sources": dict(dataset.reward_sources())},
        "reward": _range(dataset.array("reward")[: dataset.steps][rows]),
        "done": int(dataset.array("done")[: dataset.steps].sum()),
        "cadence_ms": _cadence(dataset),
        "dropped": dict(dataset.dropped().most_common()),
    }


def _contract(dataset: TransitionDataset) -> dict[str, Any]:
    layout = dataset.layout
    of_all = {
        f"{name}s": sorted(set(map(str, dataset.array(name)[: len(dataset)])) - {""})
        for name in ("checkpoint", "operator", "session", "sim_time")
    }
    sizes = {"horizon": layout.horizon, "rate_hz": layout.rate_hz, "cloud_points": layout.cloud_points}
    return {"layout": layout.name, **sizes, **of_all, "robots": sorted(set(dataset.robots()) - {""})}


def _outcomes(dataset: TransitionDataset) -> dict[str, dict[str, int]]:
    """Number of episodes by object and outcome."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    objects, outcomes = (dataset.array(name)[: len(dataset)] for name in ("object", "outcome"))
    for name, outcome in zip(objects, outcomes, strict=True):
        counts[str(name)][str(outcome)] += 1
    return {name: dict(counted) for name, counted in sorted(counts.items())}


def _residuals(dataset: TransitionDataset, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Of the corrected transitions: histograms of each translation (mm) and of the fingers' largest (rad)."""
    if not len(rows):
        return {}
    human = dataset.array("human_residual")[: dataset.steps][rows]
    fingers = human[:, 6:]
    largest = np.take_along_axis(fingers, np.abs(fingers).argmax(axis=1)[:, None], axis=1)[:, 0]
    parts = {f"translation_{axis}_mm": 1e3 * human[:, i] for i, axis in enumerate(_AXES)}
    return {name: _histogram(values) for name, values in {**parts, "largest_finger_rad": largest}.items()}


def _histogram(values: NDArray) -> dict[str, Any]:
    """From the largest value to the same on the other side, so that zero is in the middle."""
    limit = float(np.abs(values).max())
    counts, _ = np.histogram(values, bins=_BINS, range=(-limit, limit))
    return {"counts": counts.tolist(), "from": 0.0 - limit, "to": limit, **_range(values)}


def _actions(dataset: TransitionDataset, rows: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Of each number of the executed action: smallest, mean, largest."""
    executed = dataset.array("executed")[: dataset.steps][rows]
    names = dataset.layout.action_names
    return {name: _range(values) for name, values in zip(names, executed.T, strict=True)}


def _cadence(dataset: TransitionDataset) -> dict[str, float]:
    """Time from one observation to the next within chains, as stamped."""
    stamps, begins = (dataset.array(name)[: dataset.steps] for name in ("stamp", "transition"))
    periods = np.diff(stamps)[begins[:-1]] * 1e-6
    p50, p99 = np.percentile(periods, [50, 99]) if len(periods) else (np.nan, np.nan)
    return {"p50": float(p50), "p99": float(p99)}


def _range(values: NDArray) -> dict[str, float]:
    return {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0


# ---- for people ----
def show(description: dict[str, Any], console: Console) -> None:
    """Print what `describe` gave."""
    d, c = description, description["contract"]
    corrected = f"{d['corrected']['transitions']} corrected ({100 * d['corrected']['share']:.1f} %)"
    cadence = d["cadence_ms"]
    lines = [
        f"{d['dataset']}: {d['episodes']} episodes, {d['transitions']} transitions ({d['seconds']:g} s)",
        f"{corrected}, {d['done']} terminal; reward {_span(d['reward'])}, {_origin(d)}",
        f"cadence p50 {cadence['p50']:.1f} ms, p99 {cadence['p99']:.1f} ms, layout {c['layout']} at "
        f"{c['rate_hz']:g} Hz, {c['horizon']} actions a chunk, {c['cloud_points']} points",
        f"dropped ticks: {_counts(d['dropped'])}",
        *(f"{name}: {', '.join(v[:12] for v in c[name]) or 'none'}" for name in ("checkpoints", "operators")),
        f"modulations: {_modulations(d['modulations'])}",
        f"sessions: {', '.join(c['sessions']) or 'none'}; time: {', '.join(c['sim_times']) or 'unknown'}; "
        f"robot: {', '.join(c['robots']) or 'not noted'}",
    ]
    if len(c["checkpoints"]) > 1:
        lines.append("several checkpoints acted in it: a0 means something else for each of them")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    console.print(_outcome_table(d["outcomes"]))
    if d["residuals"]:
        console.print(_residual_table(d["residuals"]))
    console.print(_action_table(d["actions"]))


def _modulations(episodes: dict[str, int]) -> str:
    """Episodes by the modulation that acted."""
    if not any(episodes):
        return "none"
    return ", ".join(f"{name[:12] or 'none'} in {count} episodes" for name, count in episodes.items())


def _origin(description: dict[str, Any]) -> str:
    """Where the rewards are from, in words."""
    rewards = description["rewards"]
    sources = ", ".join(name or "unknown" for name in rewards["sources"]) or "unknown"
    return f"label '{rewards['label']}' ({sources})" if rewards.get("label") else f"recorded ({sources})"


def _outcome_table(outcomes: dict[str, dict[str, int]]) -> Table:
    kinds = sorted({kind for counted in outcomes.values() for kind in counted})
    table = Table("object", *kinds, title="Outcomes")
    for name, counted in outcomes.items():
        table.add_row(escape(name or "unnamed"), *(str(counted.get(kind, 0)) for kind in kinds))
    return table


def _residual_table(residuals: dict[str, Any]) -> Table:
    table = Table("residual", "from", "histogram", "to", title="Corrections of the operator")
    for name, histogram in residuals.items():
        low, high = f"{histogram['from']:.3g}", f"{histogram['to']:.3g}"
        table.add_row(name, low, bars(histogram["counts"]), high)
    return table


def _action_table(actions: dict[str, dict[str, float]]) -> Table:
    table = Table("executed action", "min", "mean", "max", title="Actions (m, rad)")
    for name, span in actions.items():
        table.add_row(name, *(f"{span[key]:.4f}" for key in ("min", "mean", "max")))
    return table


def bars(counts: list[int]) -> str:
    """A histogram in one line; what is not empty shows."""
    most = max(counts) or 1
    return "".join(" " if not n else _BARS[max(0, -(-n * len(_BARS) // most) - 1)] for n in counts)


def _span(span: dict[str, float]) -> str:
    return f"{span['min']:.3g} to {span['max']:.3g}, mean {span['mean']:.3g}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
