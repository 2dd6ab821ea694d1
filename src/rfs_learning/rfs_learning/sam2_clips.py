"""Training clips: a prompted frame and tracked ones, with masks."""

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.snapshot import Snapshot

from rfs_learning.sam2_config import Sam2Config
from rfs_learning.sam2_pictures import Look, View, near_camera, other_look, random_camera, random_look
from rfs_learning.sam2_poses import Poses

Array = NDArray[np.float64]
PromptKind = Literal["point", "points", "box"]

_LEAST = 12  # visible pixels that an object needs to be prompted
_TRIES = 20


@dataclass(frozen=True, eq=False)
class Clip:
    """frames (t, h, w, 3) uint8, masks (t, h, w) bool of the object that is to be tracked."""

    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]


def draw_clip(poses: Poses, config: Sam2Config, near: bool, rng: np.random.Generator) -> Clip:
    """A random clip whose first frame shows the object well enough to be prompted; `near`: only the
    surroundings of where it then is.
    """
    for _ in range(_TRIES):
        steps = _steps(poses.poses.shape[1], config, rng)
        stage = _Stage.random(int(rng.integers(len(poses.objects))), poses, config, rng)
        if near:
            stage = stage.near(int(steps[0]), rng)
        first = stage.view(steps[0])
        if first.object.sum() >= _LEAST:
            views = [first, *(stage.tracked(step, config, rng) for step in steps[1:])]
            return _develop(views, config, rng)
    raise ValueError("hardly any pose shows its object: check the poses")


def draw_prompt(
    mask: NDArray[np.bool_], kind: PromptKind, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """Pixel coordinates (n, 2) as x, y and SAM's labels (n,): 1 a point inside, 2 and 3 a box's corners."""
    rows, columns = np.nonzero(mask)
    pixels = np.stack([columns, rows], axis=1).astype(np.float64)
    if kind == "box":
        box = np.array([pixels.min(axis=0), pixels.max(axis=0)])
        size = box[1] - box[0] + 1
        return box + rng.uniform(-0.1, 0.1, size=(2, 2)) * size + rng.uniform(-1, 1, (2, 2)), np.array([2, 3])
    count = 1 if kind == "point" else 3
    if rng.random() < 0.5:  # people click near the middle
        distance = np.linalg.norm(pixels - pixels.mean(axis=0), axis=1)
        pixels = pixels[np.argsort(distance, kind="stable")[: max(count, len(pixels) // 4)]]
    return pixels[rng.integers(len(pixels), size=count)], np.ones(count, np.int64)


def _steps(length: int, config: Sam2Config, rng: np.random.Generator) -> NDArray[np.int64]:
    """Steps of an episode, in order or backwards, with one random stride."""
    longest = min(config.max_stride, (length - 1) // (config.frames - 1))
    stride = int(rng.integers(1, longest + 1))
    span = stride * (config.frames - 1)
    steps = rng.integers(length - span) + stride * np.arange(config.frames)
    return steps[::-1] if rng.random() < 0.3 else steps


@dataclass(frozen=True, eq=False)
class _Stage:
    """One episode, how it looks, from where, and what else stands there."""

    poses: Poses
    episode: int
    look: Look
    camera: Camera
    other: tuple[Look, str, Array] | None

    @classmethod
    def random(cls, episode: int, poses: Poses, config: Sam2Config, rng: np.random.Generator) -> "_Stage":
        look = random_look(poses.objects[episode], bool(rng.random() < config.repaint), rng)
        camera = random_camera(bool(rng.random() < config.wide_camera), rng)
        other = None
        if rng.random() < config.distractor:
            name = str(rng.choice(object_names("train")))
            place = np.concatenate([rng.uniform([0.4, -0.3, 0.03], [0.75, 0.3, 0.08]), rng.normal(size=4)])
            place[3:] /= np.linalg.norm(place[3:])
            other = (other_look(look, name, bool(rng.random() < 0.3), rng), name, place)
        return cls(poses, episode, look, camera, other)

    def near(self, step: int, rng: np.random.Generator) -> "_Stage":
        place = self.poses.snapshot(self.episode, step).object_position
        return replace(self, camera=near_camera(self.camera, place, rng))

    def view(self, step: int, absent: bool = False) -> View:
        snapshot = self.poses.snapshot(self.episode, step)
        if absent:  # below the table
            below = np.array([0.55, 0.0, -0.5])
            snapshot = Snapshot(snapshot.object, snapshot.joint_positions, below, snapshot.object_quaternion)
        view = self.look.draw(snapshot, self.camera)
        if self.other is not None:
            look, name, place = self.other
            there = Snapshot(name, snapshot.joint_positions, place[:3], place[3:])
            view = view.behind(look.draw(there, self.camera))
        return view

    def tracked(self, step: int, config: Sam2Config, rng: np.random.Generator) -> View:
        view = self.view(step, absent=bool(rng.random() < config.absent))
        return _cover(view, rng) if rng.random() < config.occluder else view


def _cover(view: View, rng: np.random.Generator) -> View:
    """An ellipse of one color in front, near the object if it is seen."""
    height, width = view.object.shape
    rows, columns = np.nonzero(view.object)
    center = rng.uniform(0, 1, 2) * [width, height]
    if len(rows):
        center = np.array([columns.mean(), rows.mean()]) + 8 * rng.normal(size=2)
    axes = rng.uniform(4, 22, size=2)
    shape = np.zeros((height, width), np.uint8)
    cv2.ellipse(shape, (*map(int, center),), (*map(int, axes),), rng.uniform(0, 180), 0, 360, 1, -1)
    covered = shape.astype(bool)
    color = np.where(covered[..., None], rng.uniform(0, 1, size=3), view.color)
    return View(color, view.depth, view.object & ~covered)


def _develop(views: list[View], config: Sam2Config, rng: np.random.Generator) -> Clip:
    """The sensor: exposure, blur and noise, the same strength over a clip."""
    gain, gamma = rng.uniform(0.75, 1.25), rng.uniform(0.8, 1.25)
    blur, noise = rng.uniform(0.3, 1.0) * (rng.random() < 0.4), config.noise * rng.random()
    frames = []
    for view in views:
        color = np.clip(view.color, 0, 1) ** gamma * gain
        if blur:
            color = cv2.GaussianBlur(color, (0, 0), blur)
        color = color + noise * rng.standard_normal(color.shape)
        frames.append((255 * np.clip(color, 0, 1)).astype(np.uint8))
    return Clip(np.stack(frames), np.stack([view.object for view in views]))
