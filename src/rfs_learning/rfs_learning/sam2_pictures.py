"""Pictures of the task that never look the same twice: random shapes, colors, lights and cameras."""

import copy
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.camera import posed
from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.snapshot import Snapshot

from rfs_sim_bridge import scene

Array = NDArray[np.float64]

_FAR = 5.0  # m
_GROUPS = np.array([1, 1, 1, 1, 0, 0], np.uint8)  # what the simulated camera draws
_BOX, _ELLIPSOID, _CYLINDER = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
)


@dataclass(frozen=True, eq=False)
class View:
    """color (h, w, 3) 0 to 1, not yet clipped; depth (h, w) m, infinite where nothing is; object (h, w)
    bool."""

    color: Array
    depth: Array
    object: NDArray[np.bool_]

    def behind(self, other: "View") -> "View":
        """The two pictures in one, each pixel from what is nearer; the object is this picture's alone."""
        hidden = other.object & (other.depth < self.depth)
        color = np.where(hidden[..., None], other.color, self.color)
        return View(color, np.where(hidden, other.depth, self.depth), self.object & ~hidden)


@dataclass(frozen=True, eq=False)
class Look:
    """What a clip's pictures share. lights (2, 3) directions times strength; sky (2, 3) top and bottom."""

    model: mujoco.MjModel
    lights: Array
    ambient: float
    sky: Array

    def draw(self, snapshot: Snapshot, camera: Camera) -> View:
        """A snapshot of the look's own object."""
        _, data = posed(snapshot)
        mujoco.mj_kinematics(self.model, data)
        geom, depth, normal = _cast(self.model, data, camera)
        shade = self.ambient + np.maximum(normal @ self.lights.T, 0).sum(axis=1)
        surface = self.model.geom_rgba[geom, :3] * shade[:, None]
        down = np.repeat(np.linspace(0, 1, camera.height), camera.width)[:, None]
        sky = self.sky[0] + down * (self.sky[1] - self.sky[0])
        color = np.where((geom >= 0)[:, None], surface, sky)
        shape = (camera.height, camera.width)
        mine = (geom >= 0) & (self.model.geom_bodyid[geom] == self.model.body(scene.OBJECT_BODY).id)
        return View(color.reshape(*shape, 3), depth.reshape(shape), mine.reshape(shape))


def random_look(name: str, repaint: bool, rng: np.random.Generator) -> Look:
    """The named object's scene in random colors, sizes and light; only with `repaint` far from its own."""
    model = copy.copy(scene.drawn_scene(name))
    _recolor(model, repaint, rng)
    _reshape(model, rng)
    far = 1.0 if repaint else 0.25
    lights = far * rng.normal(size=(2, 3)) * [1, 1, 0.4] + [[0.35, -0.45, 0.82], [-0.3, 0.6, 0.74]]
    lights /= np.linalg.norm(lights, axis=1, keepdims=True)
    lights *= rng.uniform([[0.45], [0.1]], [[0.8], [0.4]])
    gray = rng.uniform(0.1, 0.95) if repaint else np.array([[0.55, 0.65, 0.78], [0.86, 0.90, 0.95]])
    sky = np.clip(gray + 0.12 * far * rng.normal(size=(2, 3)), 0, 1)
    return Look(model, lights, rng.uniform(0.2, 0.4), sky)


def other_look(look: Look, name: str, same_color: bool, rng: np.random.Generator) -> Look:
    """Another object in the same light, of the same color or its own."""
    model = copy.copy(scene.drawn_scene(name))
    _recolor(model, False, rng)
    _reshape(model, rng)
    if same_color:
        model.geom_rgba[_object_geoms(model)] = look.model.geom_rgba[_object_geoms(look.model)[0]]
    return Look(model, look.lights, look.ambient, look.sky)


def random_camera(wide: bool, rng: np.random.Generator) -> Camera:
    """Near the task's own camera, or anywhere in front of the table; another opening angle each time."""
    default = Camera()
    target = np.array(default.target) + rng.normal(size=3) * [0.05, 0.06, 0.04]
    if not wide:
        side = rng.choice([-1.0, 1.0], p=[0.3, 0.7])
        position = default.position * np.array([1, side, 1]) + 0.06 * rng.normal(size=3)
        return Camera(tuple(position), tuple(target), default.fovy * rng.uniform(0.75, 1.1))
    azimuth, elevation = rng.uniform(-1.7, 1.7), rng.uniform(0.3, 1.2)
    away = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
    position = target + rng.uniform(0.6, 1.3) * np.array(away)
    return Camera(tuple(position), tuple(target), rng.uniform(0.5, 0.9))


def near_camera(camera: Camera, position: Array, rng: np.random.Generator) -> Camera:
    """The part of a camera's picture around a position (m): half as wide and high, as finely resolved."""
    target = position + 0.04 * rng.normal(size=3)
    fovy = 2 * np.arctan(0.5 * np.tan(0.5 * camera.fovy))
    return Camera(camera.position, tuple(target), float(fovy), camera.width // 2, camera.height // 2)


def _cast(
    model: mujoco.MjModel, data: mujoco.MjData, camera: Camera
) -> tuple[NDArray[np.int32], Array, Array]:
    """Geoms (n,), -1 for none, depths (n,) and normals (n, 3) that face the camera, one ray a pixel."""
    rays = camera.rays
    count = len(rays)
    distance, normal, geom = np.empty(count), np.zeros(3 * count), np.empty(count, np.int32)
    origin = np.asarray(camera.position, np.float64)
    mujoco.mj_multiRay(
        model, data, origin, rays.ravel(), _GROUPS, True, -1, geom, distance, normal, count, _FAR
    )
    normal = normal.reshape(-1, 3)
    facing = np.where((np.einsum("ij,ij->i", normal, rays) > 0)[:, None], -normal, normal)
    return geom, np.where(geom >= 0, distance, np.inf), facing


def _object_geoms(model: mujoco.MjModel) -> NDArray[np.intp]:
    drawn = model.geom_group == scene.OBJECT_GROUP
    return np.flatnonzero(drawn & (model.geom_bodyid == model.body(scene.OBJECT_BODY).id))


def _recolor(model: mujoco.MjModel, repaint: bool, rng: np.random.Generator) -> None:
    """The object in any color, or each of its parts in another; robot and table near their own, or the table
    in any."""
    parts, table = _object_geoms(model), model.geom(scene.TABLE_GEOM).id
    colors = model.geom_rgba[:, :3]
    spread = 1.0 if repaint else 0.4
    colors[:] *= 1 + spread * rng.uniform(-0.4, 0.4)
    colors[:] = np.clip(colors + spread * 0.06 * rng.normal(size=3), 0.02, 1)
    if repaint:
        colors[table] = np.clip(rng.uniform(0.1, 0.95) + 0.15 * rng.normal(size=3), 0.02, 1)
    same = rng.random() < 0.75
    colors[parts] = rng.uniform(0.02, 1, size=3 if same else (len(parts), 3))


def _reshape(model: mujoco.MjModel, rng: np.random.Generator) -> None:
    """Shrink the object or some of its axes; turn boxes into ellipsoids or cylinders inside them.

    Nothing grows: the boxes by which rays skip a body stay valid.
    """
    scale = rng.uniform(0.75, 1.0)
    parts = _object_geoms(model)
    model.geom_size[parts] *= scale
    model.geom_pos[parts] *= scale
    for part in parts[model.geom_type[parts] == _BOX]:
        model.geom_size[part] *= rng.uniform(0.75, 1.0, size=3)
        kind = rng.choice([_BOX, _ELLIPSOID, _CYLINDER], p=[0.5, 0.25, 0.25])
        model.geom_type[part] = kind
        if kind == _CYLINDER:
            x, y, z = model.geom_size[part]
            model.geom_size[part] = [min(x, y), z, 0]
