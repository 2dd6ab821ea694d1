"""Pictures as a real depth camera takes them: noise, holes at edges, and a pose that is not quite the
calibrated one.

    snapshot, exposure = task.snapshot(), task.exposure()   # of one moment, while the task stands still
    picture = noisy_picture(snapshot, camera, exposure)     # whenever, on any thread

The picture is taken from the camera's true pose; what is published as its extrinsics stays `camera`'s own,
as a calibration with small errors would say. Everything follows from the episode and the frame alone.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rfs_description import rotations
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.engine import Array
from rfs_sim_bridge.episodes import Episode
from rfs_sim_bridge.pictures import Camera, Picture
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift
from rfs_sim_bridge.snapshot import Snapshot
from rfs_sim_bridge.task_config import CameraConfig

_EDGE = 0.02  # m by which depth bends: the pixel sees parts of two surfaces
_VOID = 5.0  # m: stands for what has no depth when edges are looked for


@dataclass(frozen=True)
class Exposure:
    """What makes one frame differ from the ideal picture.

    translation (3,) m and rotation (3,) rotation vector, rad: from the calibrated to the true pose, base
    frame, about the camera. key: of the frame's noise. shift: of the robot; of it, the calibration's error
    that comes on top in each of its episodes.
    """

    config: CameraConfig
    translation: tuple[float, ...]
    rotation: tuple[float, ...]
    key: tuple[int, ...]
    shift: RobotShift = TRAINING_ROBOT

    @classmethod
    def of(cls, episode: Episode, config: CameraConfig, shift: RobotShift = TRAINING_ROBOT) -> Self:
        """Of an episode's first frame."""
        translation, rotation = episode.picture_translation.tolist(), episode.picture_rotation.tolist()
        return cls(config, tuple(translation), tuple(rotation), (episode.picture_key, 0), shift)

    def at(self, frame: int) -> Self:
        """The same of another frame, by its number (>= 0)."""
        return replace(self, key=(self.key[0], frame))


@dataclass(frozen=True)
class DisplacedCamera(Camera):
    """A camera turned about itself by a rotation vector (rad, base frame) from where it seems to look."""

    turn: tuple[float, ...] = (0.0, 0.0, 0.0)

    @cached_property
    def rotation(self) -> Array:
        """(3, 3) optical frame in the base frame: columns right, down, forward."""
        return rotations.from_vector(np.array(self.turn)) @ super().rotation


def true_camera(camera: Camera, exposure: Exposure) -> DisplacedCamera:
    """Where the calibrated camera really is."""
    shift, turn = exposure.shift.true_cameras(camera.position)
    shift, turn = np.add(exposure.translation, shift), np.add(exposure.rotation, turn)
    x, y, z = np.add(camera.position, shift)
    target = tuple(np.add(camera.target, shift))
    return DisplacedCamera((x, y, z), target, camera.fovy, camera.width, camera.height, tuple(turn))


def noisy_picture(snapshot: Snapshot, camera: Camera, exposure: Exposure) -> Picture:
    """What a real camera, calibrated as `camera`, would see of a snapshot. The segmentation stays exact."""
    picture = take_picture(snapshot, true_camera(camera, exposure))
    rng = np.random.default_rng(exposure.key)
    color = _noisy_color(picture.color, exposure.config, rng)
    return Picture(color, _noisy_depth(picture.depth, exposure.config, rng), picture.segmentation)


def _noisy_color(color: NDArray[np.uint8], config: CameraConfig, rng: np.random.Generator) -> NDArray:
    noise = config.color_noise * rng.standard_normal(color.shape, np.float32)
    return np.clip(color + noise, 0, 255).astype(np.uint8)


def _noisy_depth(depth: NDArray[np.float32], config: CameraConfig, rng: np.random.Generator) -> NDArray:
    """Noise that grows with the square of the distance, as of stereo cameras; at edges mixtures of the two
    surfaces, and holes."""
    edge, near, far = _edges(depth)
    share, chance = rng.random(depth.shape, np.float32), rng.random(depth.shape, np.float32)
    mixed = edge & (far < _VOID) & (chance < config.edge_mixing)
    measured = np.where(mixed, near + share * (far - near), depth)
    measured = measured + config.depth_noise * measured**2 * rng.standard_normal(depth.shape, np.float32)
    lost = rng.random(depth.shape, np.float32) < np.where(edge, config.edge_holes, config.holes)
    return np.where(lost, np.nan, measured).astype(np.float32)


def _edges(depth: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray, NDArray]:
    """Whether a pixel lies at a step between surfaces, and nearest and farthest of its neighborhood, m.

    A step bends the depth along rows or columns; a slanted plane, however steep, does not.
    """
    filled = np.pad(np.where(np.isfinite(depth), depth, _VOID), 1, mode="reflect", reflect_type="odd")
    here, up, down = filled[1:-1, 1:-1], filled[:-2, 1:-1], filled[2:, 1:-1]
    left, right = filled[1:-1, :-2], filled[1:-1, 2:]
    edge = np.maximum(np.abs(up + down - 2 * here), np.abs(left + right - 2 * here)) > _EDGE
    around = [here, up, down, left, right]
    return edge, np.minimum.reduce(around), np.maximum.reduce(around)
