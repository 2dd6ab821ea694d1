"""What a0 does: hands that one base policy predicts from one posture under different noise (figure 7)."""

from typing import Protocol

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rfs_description.robot import ARM_HOME
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.pictures import ROBOT, Camera
from rfs_sim_bridge.snapshot import Snapshot
from torch import Tensor

from rfs_description import kinematics
from rfs_learning.rl.action_space import HAND_DIM
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.features import MEASURED_FINGERS
from rfs_learning.small_png import small_png

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

_BLUE, _RED = np.array([70, 115, 200]), np.array([205, 80, 70])
_VIEW, _CENTER = np.array([0.242, 0.137, -0.256]), np.array([0.032, 0.017, -0.026])  # from palm, m
_WRIST, _REACH = 0.06, 0.25  # m above the palm and from it: what lies beyond is the arm
_WIDTH, _HEIGHT = 220, 165  # pixels


class Base(Protocol):
    """`flow_base.FlowBase`, or what pushes noise as it does."""

    @property
    def horizon(self) -> int: ...

    @property
    def action_dim(self) -> int: ...

    def push(self, observation: Tensor, a0: Tensor) -> Tensor: ...


def spread_postures(demonstrations: Demonstrations, count: int = 3, episode: int = 0) -> Tensor:
    """Observations (count, P) at even times of one demonstration, its end left out."""
    ends = [0, *demonstrations.episode_ends.tolist()]
    if not 0 <= episode < len(ends) - 1:
        raise ValueError(f"there is no demonstration {episode}: there are {len(ends) - 1}")
    times = np.linspace(ends[episode], ends[episode + 1] - 1, count + 1)[:-1]
    return demonstrations.observations[times.astype(int)]


def predicted_fingers(base: Base, observations: Tensor, noises: int, seed: int) -> Array:
    """Finger targets (postures, noises, H, 16), rad: every posture under the same few draws of a0."""
    shape = (noises, base.horizon, base.action_dim)
    a0 = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        chunks = [base.push(seen.expand(noises, -1), a0) for seen in observations]
    return torch.stack(chunks)[..., -HAND_DIM:].numpy().astype(np.float64)


def noise_figure(base: Base, observations: Tensor, noises: int = 2, seed: int = 0) -> bytes:
    """PNG: a row for each posture; on the left, blue, the given hand, then, red, its next H for each a0;
    below, the largest angle between its draws in any finger joint and step.

    Args:
        observations: (postures, P), columns `observations.PRIVILEGED_NAMES`; `spread_postures` picks some.
    """
    predicted = predicted_fingers(base, observations, noises, seed)
    given = observations[:, MEASURED_FINGERS].numpy().astype(np.float64)
    rows, horizon = len(given), base.horizon
    figure = Figure(figsize=(1.5 * (1 + noises * horizon), 1.25 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, 1 + noises * horizon, squeeze=False)
    for row in range(rows):
        _show(axes[row, 0], draw_hand(given[row], _BLUE), "given" if row == 0 else "")
        apart = np.rad2deg(np.ptp(predicted[row], axis=0).max())
        note = f"$a_0$ moves joints by up to {apart:.0f}°"
        axes[row, 0].text(0, _HEIGHT + 4, note, fontsize=6, va="top", color="#555555")
        for column in range(noises * horizon):
            noise, step = divmod(column, horizon)
            title = f"$a_0$ no. {noise + 1}, step {step + 1}" if row == 0 else ""
            _show(axes[row, 1 + column], draw_hand(predicted[row, noise, step], _RED), title)
    return small_png(figure)


def draw_hand(fingers: Array, color: Array) -> Pixels:
    """(h, w, 3) picture of the hand alone, from below its fingers; fingers (16,) rad, color RGB."""
    palm = kinematics.forward(ARM_HOME[None])[0][0]
    center = palm + _CENTER
    camera = Camera(tuple(palm + _VIEW), tuple(center), fovy=0.66, width=_WIDTH, height=_HEIGHT)
    far_away = np.array([0.5, 0.0, -9.0])
    joints = np.concatenate([ARM_HOME, fingers])
    picture = take_picture(Snapshot("sphere", joints, far_away, np.array([0.0, 0.0, 0.0, 1.0])), camera)
    points = camera.rays.reshape(_HEIGHT, _WIDTH, 3) * picture.depth[..., None]
    from_palm = points + np.subtract(camera.position, palm)
    seen = (from_palm[..., 2] < _WRIST) & (np.linalg.norm(from_palm, axis=2) < _REACH)
    seen &= picture.segmentation == ROBOT
    pixels = np.where(seen[..., None], color * _light(points, camera)[..., None], 255.0)
    return np.nan_to_num(pixels, nan=255.0).clip(0, 255).astype(np.uint8)


def _light(points: Array, camera: Camera) -> Array:
    """Brightness (h, w) under a lamp at the camera; the hand's own color is nearly black."""
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True) + 1e-12
    return 0.35 + 0.65 * np.abs(normals @ camera.rotation[:, 2])


def _show(axes: Axes, pixels: Pixels, title: str) -> None:
    axes.imshow(pixels)
    axes.set_axis_off()
    axes.set_title(title, fontsize=8)
