"""Episodes of several policies from one start, as rows of pictures (figure 9)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.interpenetration import interpenetration
from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.render import render
from rfs_sim_bridge.snapshot import Snapshot

from rfs_learning.rl.episode_choices import Noise, Steering
from rfs_learning.rl.evaluation import EpisodeResults, Evaluation
from rfs_learning.rl.rl_config import RlTask
from rfs_learning.small_png import small_png

_GREEN, _RED, _GRAY = "#1f9e6e", "#c8443a", "#9aa4b0"
_VIEW = (0.52, 0.52, 0.22)  # m, from the middle of what happens to the camera
_MIDDLE = 0.18  # m over the table: the middle of what happens
_FOVY, _WIDTH, _HEIGHT = 0.80, 180, 210  # rad, pixels
_DEEP = 0.005  # m: fingers that sink deeper into each other are drawn in a red frame


@dataclass(frozen=True)
class Film:
    """One episode: its poses, the first before the first step, then one a step; and what became of it."""

    snapshots: tuple[Snapshot, ...]
    period: float
    results: EpisodeResults

    @property
    def seconds(self) -> float:
        """Length of the episode."""
        return float(self.results.seconds[0])

    def at(self, time: float) -> Snapshot:
        """The pose at a time, s; the last one after the end."""
        return self.snapshots[min(round(time / self.period), len(self.snapshots) - 1)]

    def outcome(self) -> str:
        """In a few words."""
        end = f"success in {self.seconds:.1f} s" if self.results.success[0] else self.results.reasons[0]
        overlap = 1000 * self.results.depth[0]
        return f"{end}\nfingers overlap by {overlap:.0f} mm in the air" if overlap > 0 else end


def film(policy: Steering, task: RlTask, seed: int, name: str, noise: Noise = "mean") -> Film:
    """The episode of a seed and object, which is the one that `evaluate` sees."""
    snapshots: list[Snapshot] = []

    def keep(simulation: GraspTask) -> None:
        snapshots.append(simulation.snapshot())

    one = replace(task, objects=(name,))
    results = Evaluation(policy, one, [seed], noise=noise, environments=1, watch=keep).run()
    return Film(tuple(snapshots), task.task.period, results)


def rollout_figure(films: Mapping[str, Film], columns: int = 6) -> bytes:
    """PNG: a row for each film under its label, `columns` even times of the longest one.

    A green frame ends a success, a red one shows different fingers more than 5 mm in each other.
    """
    if not films or columns < 2:
        raise ValueError(f"{len(films)} films at {columns} times: give at least one film and two times")
    times = np.linspace(0.0, max(each.seconds for each in films.values()), columns)
    figure = Figure(figsize=(1.15 + 1.3 * columns, 1.5 * len(films) + 0.25), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)  # type: ignore[union-attr]
    axes = figure.subplots(len(films), columns, squeeze=False)
    for row, (label, each) in zip(axes, films.items(), strict=True):
        _label(row[0], label, each.outcome())
        camera = _camera(each.snapshots[0])
        for cell, time in zip(row, times, strict=True):
            _draw(cell, each, float(time), camera)
    for cell, time in zip(axes[0], times, strict=True):
        cell.set_title(f"{time:.1f} s", fontsize=8, pad=2)
    return small_png(figure)


def _camera(start: Snapshot) -> Camera:
    x, y, _ = start.object_position
    place = (x + _VIEW[0], y + _VIEW[1], _MIDDLE + _VIEW[2])
    return Camera(place, (x, y, _MIDDLE), fovy=_FOVY, width=_WIDTH, height=_HEIGHT)


def _draw(axes: Axes, each: Film, time: float, camera: Camera) -> None:
    snapshot, over = each.at(time), time >= each.seconds
    axes.imshow(render(snapshot, camera), alpha=0.8 if time > each.seconds + each.period else 1.0)
    axes.set(xticks=[], yticks=[])
    color = _GREEN if over and each.results.success[0] else _GRAY
    if interpenetration(snapshot.joint_positions[None, 7:])[0] > _DEEP:
        color = _RED
    axes.spines[:].set(color=color, linewidth=0.8 if color == _GRAY else 2.5)


def _label(axes: Axes, label: str, outcome: str) -> None:
    place = {"ha": "right", "transform": axes.transAxes}
    axes.text(-0.08, 0.62, label, fontsize=9, weight="bold", va="bottom", **place)
    axes.text(-0.08, 0.58, outcome, fontsize=7, color="#444444", va="top", **place)
