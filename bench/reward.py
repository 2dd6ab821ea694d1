"""The reward from vision against the simulator's truth: error of the centroid, success, mask, time.

Episodes of the shipped policy over all objects, at 10 Hz, with seeds that no demonstration used, prompted
automatically. The camera has noise and a pose error, the hand covers the object as it does. In every fifth
episode the hand opens when the object is 12 cm high, so that there are failures to tell from successes: what
the simulator calls a success is the truth. A frame counts as visible when at least 10 % of the pixels that
show the object in the first frame still do. Frames in which the judge says that it does not know the object
have no error; their share is given.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import HAND_HOME
from rfs_policy.policy import FlowPolicy
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.judge import Judge, Tracking
from rfs_reward.measurements import make_frame
from rfs_reward.robot_view import RobotView
from rfs_reward.tracker import Tracker
from rfs_reward.trackers.registry import make_tracker
from rfs_reward.trackers.segmentation import OBJECT, SegmentationTracker
from rfs_sim_bridge.camera_noise import Exposure, noisy_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.pictures import Camera

EPISODES, FIRST_SEED = 50, 2_200_000
DROP_EVERY, DROP_LIFT = 5, 0.12  # episodes, m
AFTER = 10  # frames after the simulator's success, or until the judge's
VISIBLE = 0.1
MEDIAN, P95, AGREEMENT = 1.0, 2.5, 98.0  # cm, cm, %: goals
_PERIOD = 100_000_000  # ns


@dataclass(frozen=True)
class Moment:
    """A frame, and what is true in it: object's center, m, share of it that is visible, success."""

    frame: Frame
    center: NDArray[np.float64]
    visible: float
    success: bool


@dataclass
class Score:
    """What a judge said, frame by frame and episode by episode."""

    errors: list[float] = field(default_factory=list)
    visible: list[bool] = field(default_factory=list)
    unknown: list[bool] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)
    tracker_ms: list[float] = field(default_factory=list)
    judge_ms: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    agreed: list[bool] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class TimedTracker:
    """A tracker whose time is taken."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker, self.name, self.seconds = tracker, tracker.name, 0.0
        self.prompt, self.reset = tracker.prompt, tracker.reset

    def track(self, frame: Frame):
        began = time.perf_counter()
        track = self._tracker.track(frame)
        self.seconds = time.perf_counter() - began
        return track


def run() -> list[dict[str, Any]]:
    """Figures of all trackers that are there. Some minutes."""
    return measure(EPISODES, FIRST_SEED)


def measure(episodes: int, first_seed: int) -> list[dict[str, Any]]:
    """Figures of that many episodes, with seeds from the first; prints progress and a table of objects."""
    judges = {name: Judge(tracker) for name, tracker in trackers().items()}
    ideal = "rgbd_ideally_calibrated"
    judges[ideal] = Judge(TimedTracker(make_tracker("rgbd")))
    scores = {name: Score() for name in judges}
    policy, view = FlowPolicy.load("default", runtime="onnx"), RobotView()
    task, names = GraspTask(num_envs=1, threads=1), object_names()
    for number in range(episodes):
        seed, name = first_seed + number, names[number % len(names)]
        drop = number % DROP_EVERY == DROP_EVERY - 1
        ended = play(policy, task, view, seed, name, drop, judges, scores, ideal)
        print(f"{number + 1:3d} {name:15s} {'dropped' if drop else '':8s} {ended}", flush=True)
    for kind, score in scores.items():
        print(table(kind, score))
    return [figure for kind, score in scores.items() for figure in figures(kind, score)]


def trackers() -> dict[str, TimedTracker]:
    """By name; SAM2 only where its weights are."""
    found: dict[str, Tracker] = {"segmentation": SegmentationTracker(), "rgbd": make_tracker("rgbd")}
    try:
        found["sam2"] = make_tracker("sam2", device="cpu")
    except (FileNotFoundError, ValueError) as error:
        print(f"without sam2: {error}", file=sys.stderr)
    return {name: TimedTracker(tracker) for name, tracker in found.items()}


def play(policy, task, view, seed, name, drop, judges, scores, ideal) -> str:
    """One episode, judged by all; how it ended."""
    task.reset([seed], [name])
    for judge in judges.values():
        judge.reset()
    last, errors = {}, {kind: [] for kind in judges}
    for moment, ideally in moments(policy, task, view, seed, drop):
        for kind, judge in judges.items():
            frame = ideally if kind == ideal else moment.frame
            last[kind] = judged(judge, frame, moment, name, scores[kind])
            errors[kind].append(scores[kind].errors[-1])
        if moment.success and all(last.values()):
            break
    for kind, success in last.items():
        scores[kind].agreed.append(success == moment.success)
        if success != moment.success:
            scores[kind].wrong.append(f"{name} {seed} ({'missed' if moment.success else 'false'})")
    worst = ", ".join(f"{kind} {100 * np.nanmedian(errors[kind]):.1f}" for kind in judges)
    return f"{'success' if moment.success else 'failure'}; median error, cm: {worst}"


def judged(judge: Judge, frame: Frame, moment: Moment, name: str, score: Score) -> bool:
    """Let a judge see a frame, and score it; whether it says success."""
    judge.tracker.seconds = 0.0
    began = time.perf_counter()
    judgement = judge.observe(frame)
    total, tracker = time.perf_counter() - began, judge.tracker.seconds
    if tracker > 0:
        score.tracker_ms.append(1e3 * tracker)
        score.judge_ms.append(1e3 * (total - tracker))
    truth = frame.segmentation == OBJECT
    union = (judgement.mask | truth).sum()
    score.overlaps.append(float((judgement.mask & truth).sum() / union) if union else np.nan)
    score.errors.append(float(np.linalg.norm(judgement.centroid - moment.center)))
    score.visible.append(moment.visible >= VISIBLE)
    score.unknown.append(judgement.tracking in (Tracking.LOST, Tracking.NONE))
    score.names.append(name)
    return judgement.success


def moments(policy, task, view: RobotView, seed: int, drop: bool) -> Iterator[tuple[Moment, Frame]]:
    """Every control step with the camera's picture; and the same frame of an ideally calibrated camera."""
    noise, camera = np.random.default_rng([0, seed]), Camera()
    whole, dropping, after = 0, False, 0
    while task.steps[0] < task.config.max_steps and after < AFTER:
        frame = picture(task, view, camera, task.exposure())
        exact = replace(task.exposure(), translation=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.0))
        shown = int((frame.segmentation == OBJECT).sum())
        whole = whole or shown
        center = task.object_pose[0][0].copy()
        moment = Moment(frame, center, shown / max(whole, 1), bool(task.success[0]))
        yield moment, picture(task, view, camera, exact)
        after += bool(task.success[0])
        output = policy.act(task.clouds(), task.state(), policy.draw_noise(noise)[None])
        action = output.action[:, 0].copy()
        dropping |= drop and task.lift[0] > DROP_LIFT
        if dropping:
            action[:, 6:] = HAND_HOME
        task.step(action)


def picture(task: GraspTask, view: RobotView, camera: Camera, exposure: Exposure) -> Frame:
    """The task's present frame, as the node would make it, with the truth beside it."""
    taken = noisy_picture(task.snapshot(), camera, exposure)
    stamp = int(task.steps[0]) * _PERIOD
    nominal = calibrated(camera)
    frame = make_frame(stamp, taken.color, taken.depth, nominal, task.joint_positions[0].copy(), view)
    return replace(frame, segmentation=taken.segmentation)


@cache
def calibrated(camera: Camera) -> PinholeCamera:
    """The camera as the judge believes it to be."""
    return PinholeCamera(
        camera.intrinsics, np.array(camera.position), camera.rotation, camera.width, camera.height
    )


def figures(kind: str, score: Score) -> list[dict[str, Any]]:
    """Of one tracker."""
    errors, visible, unknown = np.array(score.errors), np.array(score.visible), np.array(score.unknown)
    known = np.isfinite(errors)
    seen, every = 100 * errors[visible & known], 100 * errors[known]
    median, p95 = np.median(seen), np.percentile(seen, 95)
    agreement = 100.0 * np.mean(score.agreed)
    overlap = np.array(score.overlaps)[visible]
    share = f"not known in {100 * unknown[visible].mean():.1f} % of {visible.sum()} visible frames"
    counts = f"{sum(score.agreed)} of {len(score.agreed)} episodes"
    wrong = ": " + ", ".join(score.wrong) if score.wrong else ""
    rows = [
        ("centroid_median_cm", median, "cm", f"< {MEDIAN:g}", median < MEDIAN, share),
        (
            "centroid_p95_cm",
            p95,
            "cm",
            f"< {P95:g}",
            p95 < P95,
            f"all frames: median {np.median(every):.2f}, p95 {np.percentile(every, 95):.2f}",
        ),
        ("success_agreement", agreement, "%", f">= {AGREEMENT:g}", agreement >= AGREEMENT, counts + wrong),
        ("mask_iou", np.nanmean(overlap), "", None, None, f"p5 {np.nanpercentile(overlap, 5):.2f}, visible"),
        ("tracker_ms", np.median(score.tracker_ms), "ms", None, None, _p95(score.tracker_ms)),
        ("judge_ms", np.median(score.judge_ms), "ms", None, None, _p95(score.judge_ms)),
    ]
    keys = ("name", "value", "unit", "goal", "holds", "note")
    return [
        dict(
            zip(
                keys,
                (f"reward.{kind}.{row[0]}", round(float(row[1]), 3), row[2], row[3], _plain(row[4]), row[5]),
                strict=True,
            )
        )
        for row in rows
    ]


def _p95(values: list[float]) -> str:
    return f"p95 {np.percentile(values, 95):.1f} ms"


def _plain(holds: Any) -> bool | None:
    return None if holds is None else bool(holds)


def table(kind: str, score: Score) -> str:
    """Errors by object, while visible."""
    errors, names, visible = np.array(score.errors), np.array(score.names), np.array(score.visible)
    lines = [f"{kind:25s} median  p95, cm  mask IoU"]
    for name in object_names():
        chosen = (names == name) & visible
        if (chosen & np.isfinite(errors)).any():
            middle, high = 100 * np.nanpercentile(errors[chosen], [50, 95])
            overlap = np.nanmean(np.array(score.overlaps)[chosen])
            lines.append(f"  {name:23s} {middle:6.2f} {high:6.2f}   {overlap:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    for row in measure(*(int(word) for word in (*sys.argv[1:], EPISODES, FIRST_SEED)[:2])):
        print(row)
