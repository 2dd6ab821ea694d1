"""Camera pictures without OpenGL: color, depth and segmentation by casting one ray a pixel."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from rfs_sim_bridge import scene
from rfs_sim_bridge.pictures import BACKGROUND, OBJECT, ROBOT, TABLE, Camera, Picture
from rfs_sim_bridge.snapshot import Snapshot

Array = NDArray[np.float64]

_SKY = np.array([[0.55, 0.65, 0.78], [0.86, 0.90, 0.95]])  # top and bottom of the background
_LIGHTS = ((np.array([0.35, -0.45, 0.82]), 0.65), (np.array([-0.3, 0.6, 0.74]), 0.25))
_AMBIENT = 0.30
_FAR = 5.0  # m


def posed(snapshot: Snapshot) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """A model for drawing and data in the snapshot's pose."""
    model = scene.drawn_scene(snapshot.object)
    data = mujoco.MjData(model)
    data.qpos[:23] = snapshot.joint_positions
    data.qpos[23:26] = snapshot.object_position
    data.qpos[26:30] = np.roll(snapshot.object_quaternion, 1)
    mujoco.mj_kinematics(model, data)
    return model, data


def take_picture(snapshot: Snapshot, camera: Camera) -> Picture:
    """What the camera sees of a snapshot."""
    model, data = posed(snapshot)
    rays = camera.rays
    count = len(rays)
    distance, normal = np.empty(count), np.zeros(3 * count)
    geom = np.empty(count, np.int32)
    groups = np.array([1, 1, 1, 1, 0, 0], np.uint8)
    origin = np.asarray(camera.position, np.float64)
    mujoco.mj_multiRay(
        model, data, origin, rays.ravel(), groups, True, -1, geom, distance, normal, count, _FAR
    )
    shape = (camera.height, camera.width)
    color = _shade(model, geom, normal.reshape(-1, 3), rays, camera)
    depth = np.where(geom >= 0, distance, np.nan).astype(np.float32)
    kinds = _kinds(model)[geom]
    return Picture(color.reshape(*shape, 3), depth.reshape(shape), kinds.reshape(shape))


def _shade(
    model: mujoco.MjModel, geom: NDArray, normal: Array, rays: Array, camera: Camera
) -> NDArray[np.uint8]:
    """Lambert shading by two distant lights; a vertical gradient where rays hit nothing."""
    toward = np.where((np.einsum("ij,ij->i", normal, rays) > 0)[:, None], -normal, normal)
    light = np.full(len(geom), _AMBIENT)
    for direction, strength in _LIGHTS:
        light += strength * np.maximum(toward @ (direction / np.linalg.norm(direction)), 0.0)
    surface = model.geom_rgba[geom, :3] * light[:, None]
    height = np.repeat(np.linspace(0, 1, camera.height), camera.width)[:, None]
    sky = _SKY[0] + height * (_SKY[1] - _SKY[0])
    return (255 * np.clip(np.where((geom >= 0)[:, None], surface, sky), 0, 1)).astype(np.uint8)


def _kinds(model: mujoco.MjModel) -> NDArray[np.uint8]:
    """Geom id to segmentation value; the last entry, which index -1 reads, is BACKGROUND."""
    kinds = np.full(model.ngeom + 1, ROBOT, np.uint8)
    kinds[:-1][model.geom_bodyid == model.body(scene.OBJECT_BODY).id] = OBJECT
    kinds[model.geom(scene.TABLE_GEOM).id] = TABLE
    kinds[-1] = BACKGROUND
    return kinds
