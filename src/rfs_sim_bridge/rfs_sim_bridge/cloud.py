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
from rfs_sim_bridge.task_config import MAX_RAYS, CloudConfig

_TABLE_POINTS = (
    MAX_RAYS  # length of the tables of aim points and noise; frames read them from changing offsets
)
_HAND_JITTER = 0.014  # m: rays scatter around the lines from palm to fingertips and wrist
_ON_PALM = np.array(  # m, palm frame: wrist and corners of the palm
    [
        [-0.17, 0, -0.01],
        [-0.08, 0.05, -0.05],
        [-0.08, -0.05, -0.05],
        [0.02, 0.05, -0.05],
        [0.02, -0.05, -0.05],
    ]
)
_BLOCK = 32  # environments at most whose rays are handled together, so that their arrays stay in the cache


@cache
def surface_points(name: str) -> Array:
    """Points on the named object's primitives, in its frame: _TABLE_POINTS rows, twice."""
    spec, rng = find_object(name), np.random.default_rng(0)
    areas = np.array([p.volume ** (2 / 3) for p in spec.primitives])
    counts = rng.multinomial(_TABLE_POINTS, areas / areas.sum())
    points = [_on_surface(p, n, rng) for p, n in zip(spec.primitives, counts, strict=True)]
    return np.tile(rng.permutation(np.concatenate(points)), (2, 1))


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
    """Casts the clouds of an engine's environments; holds each episode's cameras and their errors.

    The rays and the noise of a frame depend on the episode and the frame number alone: asking twice for a
    frame gives the same points.
    """

    def __init__(self, config: CloudConfig, num_envs: int, threads: int = 2):
        self.config = config
        self._block = max(1, min(_BLOCK, -(-num_envs // threads)))
        self._pool = ThreadPoolExecutor(threads) if threads > 1 and num_envs > 1 else None
        rng = np.random.default_rng(1)
        self._hand_weights, self._hand_jitter = _hand_rays(len(_ON_PALM), rng)
        self._noise = 1.0 + config.depth_noise * rng.standard_normal(2 * _TABLE_POINTS)
        cameras = len(config.cameras)
        self._origins = np.tile(np.asarray(config.cameras, np.float64), (num_envs, 1, 1))
        self._keys = np.zeros(num_envs, np.uint64)
        self._turn = np.zeros((num_envs, cameras, 3, 3))
        self._shift = np.zeros((num_envs, cameras, 1, 3))
        self._surfaces: list[Array] = [surface_points("cylinder")] * num_envs
        self._object_rays = round(config.rays * config.object_share / cameras)
        self._hand_rays = config.rays // cameras - self._object_rays

    def reset(self, env: int, episode: Episode) -> None:
        """Take over the cameras, their errors and the cloud's random key of a new episode."""
        self._keys[env] = episode.cloud_key
        self._origins[env] = episode.camera_positions
        self._turn[env] = rotations.from_vector(episode.camera_rotation).transpose(0, 2, 1)
        self._shift[env, :, 0] = self._origins[env] + episode.camera_translation
        self._surfaces[env] = surface_points(episode.start.object.name)

    def cast(self, engine: Engine, palm: Array, palm_rotation: Array, frames: NDArray) -> NDArray[np.float32]:
        """Clouds (n, points, 3), base frame, m.

        palm (n, 3) and palm_rotation (n, 3, 3): measured palm pose; frames (n,): frame numbers.
        """
        state = engine.state
        out = np.empty((engine.num_envs, self.config.points, 3), np.float32)
        key = self._keys + np.asarray(frames).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        first = (_mix(key) % np.uint64(_TABLE_POINTS)).astype(np.intp)
        anchors = np.concatenate(
            [state.fingertips, palm[:, None] + _ON_PALM @ palm_rotation.transpose(0, 2, 1)], 1
        )
        pose = Rotation.from_quat(state.object_quaternion).as_matrix().transpose(0, 2, 1)

        def cast_block(begin: int) -> None:
            envs = range(begin, min(begin + self._block, engine.num_envs))
            rays = self._rays(envs, first, anchors, pose, state.object_position)
            out[envs.start : envs.stop] = self._hits(engine, envs, first, rays, palm)

        blocks = range(0, engine.num_envs, self._block)
        list(self._pool.map(cast_block, blocks) if self._pool else map(cast_block, blocks))
        return out

    def _rays(self, envs: range, first: NDArray, anchors: Array, pose: Array, position: Array) -> Array:
        """Directions (b, cameras, rays, 3) of a block of environments, from camera to the point aimed at."""
        cameras, split = self._origins.shape[1], self._object_rays
        on_object, by_hand = cameras * split, cameras * self._hand_rays
        begin = first[envs.start : envs.stop].tolist()
        block = slice(envs.start, envs.stop)
        surface = np.stack([self._surfaces[e][b : b + on_object] for e, b in zip(envs, begin, strict=True)])
        weights = np.stack([self._hand_weights[b : b + by_hand] for b in begin])
        around = np.stack([self._hand_jitter[b : b + by_hand] for b in begin]) + weights @ anchors[block]
        rays = np.empty((len(envs), cameras, split + self._hand_rays, 3))
        aimed = surface @ pose[block] + position[block, None]
        rays[:, :, :split] = aimed.reshape(-1, cameras, split, 3)
        rays[:, :, split:] = around.reshape(-1, cameras, self._hand_rays, 3)
        rays -= self._origins[block, :, None]
        return rays

    def _hits(self, engine: Engine, envs: range, first: NDArray, rays: Array, palm: Array) -> NDArray:
        """Clouds (b, points, 3) of a block of environments."""
        alone = (range(env, env + 1) for env in envs)  # each environment has its own cameras
        distance = np.concatenate(
            [engine.raycast(a, self._origins[a.start], rays[i : i + 1]) for i, a in enumerate(alone)]
        )
        seen = distance >= 0.0
        count = distance[0].size
        for row, env in enumerate(envs):
            distance[row].reshape(-1)[:] *= self._noise[first[env] : first[env] + count]
        rays *= distance[..., None]
        block = slice(envs.start, envs.stop)
        points = rays @ self._turn[block] + self._shift[block]
        for axis in range(3):
            values = points[..., axis]
            seen &= (values >= WORKSPACE_BOX[0, axis]) & (values <= WORKSPACE_BOX[1, axis])
        return _fit(
            points.reshape(len(envs), count, 3),
            seen.reshape(len(envs), count),
            self.config.points,
            palm[block],
        )


def _hand_rays(on_palm: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Weights over the hand's anchors (fingertips, wrist, corners of the palm) and scatter, one row a ray."""
    count, anchors = 2 * _TABLE_POINTS, 4 + on_palm
    rows, weights = np.arange(count), np.zeros((count, anchors))
    along = rng.random(count)
    weights[rows, rng.integers(anchors, size=count)] += along
    weights[rows, rng.integers(4, anchors, size=count)] += 1.0 - along
    return weights, _HAND_JITTER * rng.standard_normal((count, 3))


def _fit(points: Array, seen: NDArray[np.bool_], count: int, palm: Array) -> NDArray:
    """The seen ones of points (b, m, 3), repeated to count each; without any, the palm's position (b, 3)."""
    found = seen.sum(1)
    rows = np.append(np.flatnonzero(seen), 0)
    begin = np.cumsum(found) - found
    turn = np.arange(count)
    chosen = np.stack([b + turn % max(f, 1) for b, f in zip(begin.tolist(), found.tolist(), strict=True)])
    fitted = points.reshape(-1, 3).take(rows.take(chosen, mode="clip"), axis=0)
    fitted[found == 0] = palm[found == 0, None]
    return fitted


def _mix(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer: spreads (episode, frame) keys evenly."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
