"""Point clouds of hand and object by casting rays from two or more cameras.

A depth camera's picture, cropped to the workspace and thinned, shows the same surfaces: here only the rays
that matter are cast. They are aimed at points on the object's surface and around the hand; what they hit
first counts, so occlusion is real. The table is cropped away, as it would be from a camera's cloud.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rfs_policy.observation import WORKSPACE_BOX
from scipy.spatial.transform import Rotation

from rfs_description import rotations
from rfs_sim_bridge.engine import Array, Engine
from rfs_sim_bridge.episodes import Episode
from rfs_sim_bridge.objects import Primitive, find_object
from rfs_sim_bridge.task_config import CloudConfig

_TABLE_POINTS = 8192  # length of the tables of aim points and noise; frames read them from changing offsets
_HAND_JITTER = 0.014  # m: rays scatter around the lines from palm to fingertips and wrist
_WRIST = (-0.17, 0.0, -0.01)  # m, palm frame
_PALM_CORNERS = ((-0.08, 0.05, -0.05), (-0.08, -0.05, -0.05), (0.02, 0.05, -0.05), (0.02, -0.05, -0.05))


@cache
def surface_points(name: str) -> Array:
    """(_TABLE_POINTS, 3) points on the named object's primitives, in its frame, uniform by area."""
    spec, rng = find_object(name), np.random.default_rng(0)
    areas = np.array([p.volume ** (2 / 3) for p in spec.primitives])
    counts = rng.multinomial(_TABLE_POINTS, areas / areas.sum())
    points = [_on_surface(p, n, rng) for p, n in zip(spec.primitives, counts, strict=True)]
    return rng.permutation(np.concatenate(points))


def _on_surface(primitive: Primitive, count: int, rng: np.random.Generator) -> Array:
    """Points on one primitive, object frame. Rays pass through them, so a coarse density is good enough."""
    size = np.array([*primitive.size, 0, 0])[:3]
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    if primitive.shape == "box":
        points = _on_box(size, count, rng)
    elif primitive.shape == "ellipsoid":
        points = direction * size
    elif primitive.shape == "sphere":
        points = direction * size[0]
    else:
        angle, height = rng.uniform(0, 2 * np.pi, count), rng.uniform(-1, 1, count)
        radius = np.full(count, size[0])
        if primitive.shape == "cylinder":
            cap = rng.random(count) < size[0] / (size[0] + 2 * size[1])
            radius = np.where(cap, size[0] * np.sqrt(rng.random(count)), radius)
            height = np.where(cap, np.sign(height), height)
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle), height * size[1]], 1)
        if primitive.shape == "capsule":
            ball = rng.random(count) < size[0] / (size[0] + size[1])
            ends = direction * size[0] + [0, 0, 1] * np.sign(direction[:, 2:]) * size[1]
            points = np.where(ball[:, None], ends, points)
    return Rotation.from_quat(primitive.quaternion).apply(points) + primitive.position


def _on_box(half: Array, count: int, rng: np.random.Generator) -> Array:
    points = rng.uniform(-1, 1, (count, 3)) * half
    faces = np.array([half[1] * half[2], half[0] * half[2], half[0] * half[1]])
    axis = rng.choice(3, count, p=faces / faces.sum())
    rows = np.arange(count)
    points[rows, axis] = half[axis] * rng.choice([-1.0, 1.0], count)
    return points


class CloudCaster:
    """Casts the clouds of an engine's environments; holds each episode's camera errors.

    The rays and the noise of a frame depend on the episode and the frame number alone: asking twice for a
    frame gives the same points.
    """

    def __init__(self, config: CloudConfig, num_envs: int, threads: int = 2):
        self.config, self._threads = config, threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        rng = np.random.default_rng(1)
        anchors = 5 + len(_PALM_CORNERS)
        self._hand_weights, self._hand_jitter = _hand_rays(anchors, rng)
        self._noise = rng.standard_normal(2 * _TABLE_POINTS)
        cameras = len(config.cameras)
        self._origins = np.asarray(config.cameras, np.float64)
        self._keys = np.zeros(num_envs, np.uint64)
        self._rotation = np.zeros((num_envs, cameras, 3, 3))
        self._shift = np.zeros((num_envs, cameras, 3))
        self._surfaces: list[Array] = [surface_points("cylinder")] * num_envs
        self._object_rays = round(config.points * config.object_share / cameras)
        self._hand_rays = config.points // cameras - self._object_rays

    def reset(self, env: int, episode: Episode) -> None:
        """Take over the camera errors and the cloud's random key of a new episode."""
        self._keys[env] = episode.cloud_key
        self._rotation[env] = rotations.from_vector(episode.camera_rotation)
        self._shift[env] = self._origins + episode.camera_translation
        self._surfaces[env] = surface_points(episode.start.object.name)

    def cast(self, engine: Engine, palm: Array, palm_rotation: Array, frames: NDArray) -> NDArray[np.float32]:
        """Clouds (n, points, 3), base frame, m; palm (n, 3) and its rotation (n, 3, 3), frame numbers
        (n,)."""
        out = np.empty((engine.num_envs, self.config.points, 3), np.float32)
        offsets = _mix(self._keys + np.asarray(frames).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        aims = self._aims(engine, palm, palm_rotation, offsets)

        def some(envs: range) -> None:
            for env in envs:
                out[env] = self._cloud(engine, env, aims[env], int(offsets[env]), palm[env])

        shares = [range(t, engine.num_envs, self._threads) for t in range(self._threads)]
        if self._pool is None or engine.num_envs == 1:
            some(range(engine.num_envs))
        else:
            list(self._pool.map(some, shares))
        return out

    def _aims(self, engine: Engine, palm: Array, palm_rotation: Array, offsets: NDArray) -> Array:
        """Points (n, cameras, rays, 3) through which the rays go."""
        n, cameras = engine.num_envs, len(self._origins)
        rows, hand_rows = cameras * self._object_rays, cameras * self._hand_rays
        aims = np.empty((n, cameras, self._object_rays + self._hand_rays, 3))
        state = engine.state
        local = np.concatenate([np.array([_WRIST]), np.array(_PALM_CORNERS)])
        fixed = palm[:, None] + local @ palm_rotation.transpose(0, 2, 1)
        anchors = np.concatenate([state.fingertips, fixed], 1)
        matrix = Rotation.from_quat(state.object_quaternion).as_matrix()
        for env in range(n):
            first = int(offsets[env] % np.uint64(_TABLE_POINTS))
            chosen = self._surfaces[env][np.arange(first, first + rows) % _TABLE_POINTS]
            on_object = chosen @ matrix[env].T + state.object_position[env]
            aims[env, :, : self._object_rays] = on_object.reshape(cameras, -1, 3)
            hand = slice(first, first + hand_rows)
            near_hand = self._hand_weights[hand] @ anchors[env] + self._hand_jitter[hand]
            aims[env, :, self._object_rays :] = near_hand.reshape(cameras, -1, 3)
        return aims

    def _cloud(self, engine: Engine, env: int, aims: Array, offset: int, palm: Array) -> NDArray[np.float32]:
        """One environment's cloud (points, 3)."""
        directions = aims - self._origins[:, None]
        count = directions.shape[1]
        distance, hit = np.empty(directions.shape[:2]), np.empty(directions.shape[:2], np.int8)
        for camera, origin in enumerate(self._origins):
            distance[camera], hit[camera] = engine.raycast(env, origin, directions[camera])
        first = offset % _TABLE_POINTS
        noise = self._noise[first : first + distance.size].reshape(-1, count)
        distance *= 1.0 + self.config.depth_noise * noise
        seen = (distance[..., None] * directions) @ self._rotation[env].transpose(0, 2, 1)
        points = (seen + self._shift[env][:, None]).reshape(-1, 3)
        low, high = WORKSPACE_BOX
        inside = ((points >= low) & (points <= high)).all(1) & (hit.reshape(-1) > 0)
        return _fit(points[inside], self.config.points, palm)


def _hand_rays(anchors: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Weights over the hand's anchors (fingertips, wrist, corners of the palm) and scatter, one row a ray."""
    count = 2 * _TABLE_POINTS
    rows, weights = np.arange(count), np.zeros((count, anchors))
    along = rng.random(count)
    weights[rows, rng.integers(anchors, size=count)] += along
    weights[rows, rng.integers(5, anchors, size=count)] += 1.0 - along
    return weights, _HAND_JITTER * rng.standard_normal((count, 3))


def _fit(points: Array, count: int, palm: Array) -> NDArray[np.float32]:
    """Repeat points until there are count; a cloud without any point becomes the palm's position."""
    if len(points) == 0:
        points = palm[None]
    return points[np.arange(count) % len(points)].astype(np.float32)


def _mix(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer: spreads (episode, frame) keys evenly."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
