"""How well a SAM2 folder tracks in the simulator: IoU over episodes of all objects."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray
from rfs_policy.checkpoint import write_atomically
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.tracker import PromptError
from rfs_reward.trackers.sam2 import Sam2Tracker
from rfs_sim_bridge.camera import posed
from rfs_sim_bridge.camera_noise import Exposure, noisy_picture, true_camera
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.objects import find_object, object_names
from rfs_sim_bridge.pictures import OBJECT, Camera
from rfs_sim_bridge.snapshot import Snapshot
from rfs_sim_bridge.task_config import TaskConfig

from rfs_learning.sam2_clips import draw_prompt
from rfs_learning.sam2_poses import Poses, play
from rfs_sim_bridge import scene

EVALUATION_FILE = "evaluation.json"
FIRST_SEED = 1_000_000
_VISIBLE = 0.1  # share of the object, from which on a frame counts as one that shows it


@dataclass(frozen=True)
class Score:
    """One object's: mean IoU over tracked frames that show at least a tenth of it, how many of those were
    given an empty mask, and how many of the frames without any of it were given a mask; counts of frames.
    """

    object: str
    split: str
    iou: float
    visible: int
    missed: int
    hidden: int
    false_positives: int


@dataclass(frozen=True, eq=False)
class _Tracked:
    """truth and mask (h, w) bool of one frame, and the share (0 to 1) of the object that is visible."""

    truth: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    visible: float

    @property
    def iou(self) -> float:
        return float((self.truth & self.mask).sum() / max(1, (self.truth | self.mask).sum()))


def evaluate(folder: Path, episodes: int, steps: int = 80) -> Iterator[Score]:
    """A score for each object over `episodes` episodes of the scripted expert, with the camera's noise.

    The first frame is prompted, by a box in the first episode, a click in the next, and so in turn.

    Raises:
        FileNotFoundError, ValueError: no SAM2 in that folder.
    """
    tracker = Sam2Tracker(str(folder))
    for name in object_names():
        frames: list[_Tracked] = []
        for index in range(episodes):
            frames += _track(tracker, name, FIRST_SEED + index, steps)
        yield _score(name, frames)


def report(folder: Path, episodes: int, output: Path) -> None:
    """Print a table of `evaluate`, and write it as OUTPUT/evaluation.json."""
    if episodes < 1:
        raise ValueError("--episodes has to be at least 1")
    scores: list[Score] = []
    print(f"{'object':16}{'split':9}{'IoU':>6}{'visible':>9}{'missed':>8}{'hidden':>8}{'false':>7}")
    for score in evaluate(folder, episodes):
        scores.append(score)
        print(
            f"{score.object:16}{score.split:9}{score.iou:6.3f}{score.visible:9}{score.missed:8}"
            f"{score.hidden:8}{score.false_positives:7}",
            flush=True,
        )
    for split in ("train", "heldout"):
        print(f"mean IoU, {split}: {mean_iou([s for s in scores if s.split == split]):.3f}")
    print(f"mean IoU: {mean_iou(scores):.3f}")
    output.mkdir(parents=True, exist_ok=True)
    rows = [asdict(score) for score in scores]
    write_atomically(output / EVALUATION_FILE, json.dumps(rows, indent=2).encode())


def mean_iou(scores: Sequence[Score]) -> float:
    """Mean over the visible frames of these objects."""
    seen = [score for score in scores if score.visible]
    return float(np.average([s.iou for s in seen], weights=[s.visible for s in seen]))


def _score(name: str, frames: Sequence[_Tracked]) -> Score:
    seen = [frame for frame in frames if frame.visible >= _VISIBLE]
    hidden = [frame for frame in frames if not frame.truth.any()]
    return Score(
        name,
        find_object(name).split,
        float(np.mean([frame.iou for frame in seen])) if seen else float("nan"),
        len(seen),
        sum(not frame.mask.any() for frame in seen),
        len(hidden),
        sum(bool(frame.mask.any()) for frame in hidden),
    )


def _track(tracker: Sam2Tracker, name: str, seed: int, steps: int) -> Iterator[_Tracked]:
    """The tracked frames of one episode; after a refused prompt no frame gets a mask."""
    poses = Poses(play([name], np.array([seed]), steps), (name,))
    config, camera = TaskConfig.default(), Camera()
    exposure = Exposure.of(draw(seed, find_object(name), config), config.camera)
    prompted = False
    for step in range(steps):
        snapshot = poses.snapshot(0, step)
        picture = noisy_picture(snapshot, camera, exposure.at(step))
        frame, truth = _frame(picture.color, snapshot, camera, step), picture.segmentation == OBJECT
        if step == 0:
            prompted = _prompt(tracker, frame, truth, seed)
            continue
        mask = tracker.track(frame).mask if prompted else np.zeros_like(truth)
        whole = _silhouette(snapshot, true_camera(camera, exposure))
        yield _Tracked(truth, mask, truth.sum() / max(1, whole.sum()))


def _prompt(tracker: Sam2Tracker, frame: Frame, truth: NDArray[np.bool_], seed: int) -> bool:
    """Prompt by a box (even seeds) or a click as people set them; whether the tracker took it."""
    kind = "box" if seed % 2 == 0 else "point"
    points, _ = draw_prompt(truth, kind, np.random.default_rng(seed))
    try:
        tracker.prompt(frame, **({"box": points.ravel()} if kind == "box" else {"points": points}))
    except PromptError:
        return False
    return True


def _frame(color: NDArray[np.uint8], snapshot: Snapshot, camera: Camera, step: int) -> Frame:
    """What SAM2 looks at: color alone."""
    shape = (camera.height, camera.width)
    pinhole = PinholeCamera(
        camera.intrinsics, np.asarray(camera.position), camera.rotation, camera.width, camera.height
    )
    nothing = np.full(shape, np.nan, np.float32)
    return Frame(step, color, nothing, pinhole, snapshot.joint_positions, np.zeros(shape, bool))


def _silhouette(snapshot: Snapshot, camera: Camera) -> NDArray[np.bool_]:
    """(h * w,) pixels that would show the object if nothing were in front."""
    model, data = posed(snapshot)
    groups = np.zeros(6, np.uint8)
    groups[scene.OBJECT_GROUP] = 1
    rays, origin = camera.rays, np.asarray(camera.position, np.float64)
    geom, distance = np.empty(len(rays), np.int32), np.empty(len(rays))
    mujoco.mj_multiRay(
        model, data, origin, rays.ravel(), groups, True, -1, geom, distance, None, len(rays), 5.0
    )
    return geom >= 0
