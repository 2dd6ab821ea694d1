"""Rendered strips of evaluated episodes: each is run again, which gives the same episode, and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.render import render

from rfs_learning.episode_course import EpisodeCourse
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.rollout import Rollout, Trial
from rfs_learning.small_png import small_png

_COLUMNS, _WIDTH, _HEIGHT = 6, 200, 190  # pictures, pixels
_VIEW, _MIDDLE, _FOVY = (
    (0.52, 0.52, 0.22),
    0.16,
    0.80,
)  # m from the middle to the camera, m over the table, rad
_GREEN, _RED = "#1f9e6e", "#c8443a"


@dataclass(frozen=True)
class Strip:
    """One episode in pictures."""

    trial: Trial
    course: EpisodeCourse


def chosen_trials(trials: Sequence[Trial], each: int) -> list[Trial]:
    """`each` successes of different objects, then as many failures of different modes, as far as there are
    some."""
    won = [trial for trial in trials if trial.success]
    lost = [trial for trial in trials if not trial.success]
    return _spread(won, [t.object for t in won], each) + _spread(lost, [t.reason for t in lost], each)


def _spread(trials: Sequence[Trial], kinds: Sequence[str], count: int) -> list[Trial]:
    """The first of each kind, then the second of each, and so on."""
    order = sorted(range(len(trials)), key=lambda i: (kinds[:i].count(kinds[i]), i))
    return [trials[i] for i in order[:count]]


class EpisodesAgain:
    """Runs episodes of an evaluation once more.

    Raises:
        ValueError: the checkpoint that is found now is not the one that was evaluated.
        OSError: it is gone.
    """

    def __init__(self, record: EvaluationRecord) -> None:
        self._record = record
        modulation = record.modulation_file or None
        self._policy = FlowPolicy.load(record.checkpoint, DELTA_POSE, runtime="onnx", modulation=modulation)
        found = (self._policy.id, self._policy.modulation_id)
        if found != (record.policy, record.modulation):
            raise ValueError(f"the checkpoints at {record.checkpoint} {record.modulation_file} have changed")

    def strip(self, trial: Trial) -> Strip:
        """The episode of a trial. ValueError: it went another way than then."""
        task = GraspTask(self._record.task, 1, [trial.object])
        rollout = Rollout(self._policy, task, self._record.policy_seed)
        again = rollout.run([trial.seed], [trial.object])[0]
        if (again.success, again.seconds) != (trial.success, trial.seconds):
            raise ValueError(
                f"{trial.object}, seed {trial.seed}, went another way than when it was evaluated"
            )
        return Strip(again, rollout.courses.of(0))


def strips_picture(strips: Sequence[Strip]) -> bytes:
    """PNG: a row of pictures for each episode, evenly over its own time."""
    figure = Figure(figsize=(1.25 * _COLUMNS + 1.5, 1.25 * len(strips)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0.0, hspace=0.0)  # type: ignore[union-attr]
    axes = figure.subplots(len(strips), _COLUMNS, squeeze=False)
    for row, strip in zip(axes, strips, strict=True):
        for cell, time in zip(row, np.linspace(0.0, strip.trial.seconds, _COLUMNS), strict=True):
            _draw(cell, strip, float(time))
        _label(row[0], strip.trial)
    return small_png(figure)


def _draw(axes: Axes, strip: Strip, seconds: float) -> None:
    x, y = strip.course.place
    place = (x + _VIEW[0], y + _VIEW[1], _MIDDLE + _VIEW[2])
    camera = Camera(place, (x, y, _MIDDLE), fovy=_FOVY, width=_WIDTH, height=_HEIGHT)
    axes.imshow(render(strip.course.at(seconds), camera))
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{seconds:.1f} s", fontsize=6, labelpad=1)
    axes.spines[:].set(color=_GREEN if strip.trial.success else _RED, linewidth=1.2)


def _label(axes: Axes, trial: Trial) -> None:
    words = f"{trial.object}\nseed {trial.seed}\n{'success' if trial.success else trial.reason}"
    place = {"ha": "right", "va": "center", "transform": axes.transAxes}
    axes.text(-0.08, 0.5, words, fontsize=7, color=_GREEN if trial.success else _RED, **place)
