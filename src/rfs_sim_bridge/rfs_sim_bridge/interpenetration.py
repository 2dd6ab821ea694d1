"""How deep the fingers sink into each other, from joint angles alone, for any engine.

Each finger link is a capsule. The metric is the deepest overlap between links of two different fingers;
grasps with more than 5 mm count as infeasible (paper, appendix A.2.3).
"""

from functools import cache
from itertools import combinations

import numpy as np
from rfs_description.mjcf import robot_spec
from rfs_description.robot import HAND_JOINTS

from rfs_sim_bridge.engine import Array

# Capsules (link within its finger: 1 rot/axl, 2 pip/mcp, 3 dip/ipl; ends in the link's frame; radius), m.
_FINGER = (
    (2, (0.002, -0.008, 0.015), (0.002, -0.034, 0.015), 0.011),
    (3, (0.0, -0.008, 0.0146), (0.0, -0.0385, 0.0146), 0.0115),
)
_THUMB = (
    (2, (0.0, 0.0, -0.014), (0.0, 0.024, -0.014), 0.011),
    (3, (0.0, 0.002, -0.0148), (0.0, -0.05, -0.0146), 0.0112),
)
_CAPSULES = (_FINGER, _FINGER, _FINGER, _THUMB)


@cache
def _chains() -> tuple[Array, Array]:
    """Fixed transforms (4 fingers, 4 joints) from parent link to joint: rotations (4, 4, 3, 3), offsets (4,
    4, 3)."""
    spec = robot_spec()
    rotation, offset = np.zeros((16, 3, 3)), np.zeros((16, 3))
    for index, name in enumerate(HAND_JOINTS):
        body = spec.joint(name).parent
        w, x, y, z = body.quat / np.linalg.norm(body.quat)
        rotation[index] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        offset[index] = body.pos
    return rotation.reshape(4, 4, 3, 3), offset.reshape(4, 4, 3)


@cache
def _axis_signs() -> Array:
    """(4, 4): +1 or -1, direction of each joint's axis along its link's z."""
    spec = robot_spec()
    axes = np.array([spec.joint(name).axis for name in HAND_JOINTS])
    if not np.allclose(np.abs(axes), [0, 0, 1]):
        raise ValueError("the hand's joints must turn about their links' z axes")
    return np.sign(axes[:, 2]).reshape(4, 4)


def link_frames(q_hand: Array) -> tuple[Array, Array]:
    """Frames of the finger links in the palm body's frame, q_hand (n, 16) rad.

    Returns origins (n, 4 fingers, 4 links, 3) and rotations (n, 4, 4, 3, 3).
    """
    q = np.asarray(q_hand, np.float64).reshape(-1, 4, 4) * _axis_signs()
    fixed, offset = _chains()
    n = len(q)
    rotation = np.broadcast_to(np.eye(3), (n, 4, 3, 3))
    origin = np.zeros((n, 4, 3))
    origins, rotations = [], []
    for joint in range(4):
        origin = origin + np.einsum("nfij,fj->nfi", rotation, offset[:, joint])
        rotation = rotation @ fixed[:, joint]
        c, s = np.cos(q[..., joint])[..., None], np.sin(q[..., joint])[..., None]
        x, y = rotation[..., 0], rotation[..., 1]
        rotation = np.stack([c * x + s * y, c * y - s * x, rotation[..., 2]], -1)
        origins.append(origin)
        rotations.append(rotation)
    return np.stack(origins, 2), np.stack(rotations, 2)


def finger_capsules(q_hand: Array) -> tuple[Array, Array, Array]:
    """Capsules of the finger links: ends (n, 4, k, 3) twice, in the palm body's frame, and radii (4, k),
    m."""
    origins, rotations = link_frames(q_hand)
    starts, ends = [], []
    for finger, capsules in enumerate(_CAPSULES):
        for link, a, b, _ in capsules:
            p, r = origins[:, finger, link], rotations[:, finger, link]
            starts.append(p + r @ np.array(a))
            ends.append(p + r @ np.array(b))
    shape = (len(origins), 4, len(starts) // 4, 3)
    radii = np.array([[c[3] for c in capsules] for capsules in _CAPSULES])
    return np.stack(starts, 1).reshape(shape), np.stack(ends, 1).reshape(shape), radii


def segment_distance(a0: Array, a1: Array, b0: Array, b1: Array) -> Array:
    """Shortest distance between segments a0-a1 and b0-b1, each (..., 3), also for parallel segments; to
    1e-6 of their length, where two are so nearly parallel that rounding hides how they cross."""
    u, v, w = a1 - a0, b1 - b0, a0 - b0
    uu, vv = np.maximum(_dot(u, u), 1e-30), np.maximum(_dot(v, v), 1e-30)
    uv, uw, vw = _dot(u, v), _dot(u, w), _dot(v, w)
    determinant = uu * vv - uv * uv
    crossing = determinant > 1e-14 * uu * vv
    s = np.where(crossing, np.clip((uv * vw - vv * uw) / np.where(crossing, determinant, 1.0), 0, 1), 0.0)
    t = np.clip((uv * s + vw) / vv, 0, 1)
    s = np.clip((uv * t - uw) / uu, 0, 1)
    return np.linalg.norm(w + s[..., None] * u - t[..., None] * v, axis=-1)


def interpenetration(q_hand: Array) -> Array:
    """Deepest overlap (n,) in m between links of different fingers, q_hand (n, 16) rad; 0 when none touch."""
    starts, ends, radii = finger_capsules(q_hand)
    a, b = np.array(list(combinations(range(4), 2))).T  # all pairs of fingers at once
    distance = segment_distance(
        starts[:, a, :, None], ends[:, a, :, None], starts[:, b, None], ends[:, b, None]
    )
    overlap = radii[a][:, :, None] + radii[b][:, None] - distance
    return np.maximum(overlap.max(axis=(1, 2, 3)), 0.0)


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("...i,...i->...", a, b)
