"""A scripted expert for power and pinch grasps that knows the object's pose.

Its action depends on what the policy sees (commanded palm and fingers, object) and on constants of the
episode, not on a clock: how far the fingers are commanded closed decides whether it approaches, closes,
lifts or holds. So behavior cloning from point clouds can represent it, and it recovers from disturbances: it
re-aims when the object moved, and opens and tries again when the object slipped out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.grasp_task import GraspTask

from rfs_description import rotations
from rfs_learning.grasps import Grasp, find_grasp

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ExpertConfig:
    """Speeds in m/s, rad/s, 1/s; lengths m; `noise` scales every human-like variation (0: none).

    The standard deviations below it are drawn once per episode, `tremor` is an Ornstein-Uhlenbeck process on
    top: (m, rad, rad per step) for palm translation, palm rotation, fingers.
    """

    approach_speed: float = 0.42
    turn_speed: float = 1.2
    finger_speed: float = 3.0
    closing_rate: float = 1.7
    lift_speed: float = 0.34
    hold_height: float = 0.37
    hover: float = 0.11
    start_tolerance: float = 0.012
    lost_distance: float = 0.075
    noise: float = 1.0
    aim_std: tuple[float, float, float] = (0.004, 0.004, 0.003)
    yaw_std: float = 0.10
    tilt_std: float = 0.04
    speed_std: float = 0.15
    finger_std: float = 0.03
    hold_std: float = 0.010
    tremor: tuple[float, float, float] = (0.0010, 0.004, 0.012)
    tremor_memory: float = 0.8


class Expert:
    """Acts on every environment of a GraspTask. `reset` after resetting environments of the task."""

    def __init__(
        self,
        task: GraspTask,
        seed: int = 0,
        config: ExpertConfig | None = None,
        grasps: Sequence[Grasp] | None = None,
    ):
        self.task, self.config = task, config or ExpertConfig()
        n = task.num_envs
        self._seed = seed
        self._fixed = grasps
        self._grasps = list(grasps) if grasps is not None else [find_grasp(o) for o in task.objects]
        self._rngs = [np.random.default_rng(seed)] * n
        self._aim, self._yaw, self._tilt = np.zeros((n, 3)), np.zeros(n), np.zeros(n)
        self._speed, self._hold = np.ones((n, 2)), np.full(n, self.config.hold_height)
        self._tremor = np.zeros((n, 22))
        self._offset, self._align, self._align_yaw = np.zeros((n, 3)), np.zeros(n, int), np.zeros(n)
        self._open, self._closed = np.zeros((n, 16)), np.zeros((n, 16))
        self.reset(np.arange(n), np.arange(n))

    def reset(self, env_ids: Sequence[int] | NDArray, seeds: Sequence[int] | NDArray) -> None:
        """Draw the variations of new episodes in these environments, from the episodes' seeds."""
        c = self.config
        for env, seed in zip(env_ids, seeds, strict=True):
            rng = self._rngs[env] = np.random.default_rng([self._seed, int(seed)])
            if self._fixed is None:
                self._grasps[env] = find_grasp(self.task.objects[env])
            grasp = self._grasps[env]
            draws = c.noise * np.clip(rng.standard_normal(30), -2.0, 2.0)
            self._aim[env] = draws[:3] * c.aim_std
            self._yaw[env] = c.yaw_std * draws[3]
            self._tilt[env] = grasp.tilt + c.tilt_std * draws[4]
            self._speed[env] = np.exp(c.speed_std * draws[5:7])
            self._hold[env] = c.hold_height + c.hold_std * draws[7]
            scale = 1.0 + c.finger_std * (draws[8] + 0.5 * draws[9:25])
            self._offset[env], self._align[env], self._align_yaw[env] = (
                grasp.offset,
                grasp.align,
                grasp.align_yaw,
            )
            self._open[env] = grasp.fingers_open
            self._closed[env] = grasp.fingers_open + scale * (grasp.fingers_closed - grasp.fingers_open)
            self._tremor[env] = 0.0

    def act(self) -> Array:
        """(n, 22) actions for the task's present state."""
        position, rotation = self._target()
        closure = self.closure()
        gap = position - self.task.command.position
        turn = rotations.to_vector(rotation @ self.task.command.rotation.transpose(0, 2, 1))
        distance, angle = np.linalg.norm(gap, axis=1), np.linalg.norm(turn, axis=1)
        ready = (distance < self.config.start_tolerance) & (angle < 0.12) & (self._finger_error() < 0.15)
        grasping = np.where(closure < 0.3, ready, distance < self.config.lost_distance)
        approach = self._approach(gap, turn, closure)
        grasp = self._grasp(gap, turn, closure)
        return np.where(grasping[:, None], grasp, approach) + self._shake()

    def closure(self) -> Array:
        """(n,) in 0..1: how far the commanded fingers are from open to closed."""
        span = self._closed - self._open
        along = np.einsum("ni,ni->n", self.task.command.fingers - self._open, span)
        return np.clip(along / np.einsum("ni,ni->n", span, span), 0.0, 1.0)

    def _finger_error(self) -> Array:
        """(n,) rad: farthest finger from the open posture, for closures below the point of no return."""
        return np.abs(self.task.command.fingers - self._fingers(self.closure())).max(axis=1)

    def _fingers(self, closure: Array) -> Array:
        return self._open + np.clip(closure, 0.0, 1.0)[:, None] * (self._closed - self._open)

    def _target(self) -> tuple[Array, Array]:
        """Palm pose (n, 3), (n, 3, 3) at which the fingers should close, for the object's present pose."""
        center, quaternion = self.task.object_pose
        yaw = np.arctan2(center[:, 1], center[:, 0]) + self._yaw
        heading = _heading(self.task.command.rotation)
        aligned = (
            _nearest_axis(_object_yaw(quaternion) + self._align_yaw, heading, np.maximum(self._align, 1))
            + 0.5 * self._yaw
        )
        rotation = palm_down(self._tilt, np.where(self._align > 0, aligned, yaw))
        return center + self._aim - (rotation @ self._offset[..., None])[..., 0], rotation

    def _approach(self, gap: Array, turn: Array, closure: Array) -> Array:
        """Come from above: the farther from the axis over the object, the higher; open the hand on the
        way."""
        c, period = self.config, self.task.config.period
        side = np.linalg.norm(gap[:, :2], axis=1)
        angle = np.linalg.norm(turn, axis=1)
        opening = np.abs(self.task.command.fingers - self._open).max(axis=1)
        height = 1.5 * (side - 0.008) + 0.25 * (angle - 0.08) + 0.1 * (opening - 0.15)
        goal = gap + np.array([0.0, 0.0, 1.0]) * np.clip(height, 0.0, c.hover)[:, None]
        gain = 1.0 - np.exp(-7.0 * period)
        move = _shorten(gain * goal, c.approach_speed * period * self._speed[:, 0])
        move = np.where((closure > 0.3)[:, None], [0.0, 0.0, 0.15 * period], move)  # let go first
        turn = _shorten(gain * turn, np.full(len(gap), c.turn_speed * period))
        step = c.finger_speed * period
        fingers = self.task.command.fingers
        fingers = fingers + np.clip(self._open - fingers, -step, step)
        return np.concatenate([move, turn, fingers], axis=1)

    def _grasp(self, gap: Array, turn: Array, closure: Array) -> Array:
        """Close; lift as soon as the fingers are commanded closed; stay at the holding height."""
        c, period = self.config, self.task.config.period
        fingers = self._fingers(closure + c.closing_rate * period * self._speed[:, 1])
        follow = np.clip(1.0 - 2.0 * closure, 0.0, 1.0)[:, None]
        settle = follow * _shorten(0.3 * gap, np.full(len(gap), 0.04 * period))
        lifted = np.maximum(self.task.lift, 0.0)
        speed = np.minimum(c.lift_speed * self._speed[:, 0], 0.10 + 4.0 * lifted)
        left = self._hold - self.task.command.position[:, 2]
        rise = np.clip((1.0 - np.exp(-6.0 * period)) * left, -0.1 * period, speed * period)
        rise *= np.clip((closure - 0.9) / 0.08, 0.0, 1.0)
        settle[:, 2] += rise
        turn = follow * _shorten(0.3 * turn, np.full(len(gap), 0.3 * period))
        return np.concatenate([settle, turn, fingers], axis=1)

    def _shake(self) -> Array:
        """Ornstein-Uhlenbeck tremor (n, 22), each environment from its own stream."""
        c = self.config
        scale = c.noise * np.repeat(c.tremor, [3, 3, 16])
        fresh = np.stack([rng.standard_normal(22) for rng in self._rngs])
        self._tremor = c.tremor_memory * self._tremor + np.sqrt(1 - c.tremor_memory**2) * scale * fresh
        return self._tremor


def palm_down(tilt: Array, yaw: Array) -> Array:
    """Rotations (n, 3, 3) of a palm that looks down with its fingers towards yaw, pitched down by tilt."""
    c, s, zero = np.cos(tilt), np.sin(tilt), np.zeros_like(tilt)
    x, z = np.stack([c, zero, -s], -1), np.stack([-s, zero, -c], -1)
    palm = np.stack([x, np.cross(z, x), z], -1)
    return rotations.from_vector(yaw[:, None] * np.array([0.0, 0.0, 1.0])) @ palm


def _heading(rotation: Array) -> Array:
    """Yaw (n,) of the palm's x axis."""
    return np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])


def _object_yaw(quaternion: Array) -> Array:
    """Yaw (n,) of the horizontal direction of the object's x axis, or of its z axis where that one lies
    flatter."""
    x, y, z, w = quaternion.T
    x_axis = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z)])
    z_axis = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x)])
    flat = np.linalg.norm(x_axis, axis=0) >= np.linalg.norm(z_axis, axis=0)
    axis = np.where(flat, x_axis, z_axis)
    return np.arctan2(axis[1], axis[0])


def _nearest_axis(yaw: Array, heading: Array, count: NDArray) -> Array:
    """The yaw plus a multiple of a turn / count that is nearest to heading."""
    step = 2 * np.pi / count
    return heading + (yaw - heading + step / 2) % step - step / 2


def _shorten(vector: Array, longest: Array) -> Array:
    length = np.linalg.norm(vector, axis=1)
    return vector * np.minimum(1.0, longest / np.maximum(length, 1e-9))[:, None]
