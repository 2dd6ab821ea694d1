"""Pictures for reports: OpenGL through EGL or OSMesa where it works, the ray caster everywhere else."""

import atexit
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rfs_sim_bridge import scene
from rfs_sim_bridge.camera import posed, take_picture
from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.snapshot import Snapshot

REPORT_CAMERA = Camera(
    position=(1.25, 0.75, 0.62), target=(0.42, 0.0, 0.22), fovy=0.72, width=480, height=360
)


def gl_backend() -> str | None:
    """'egl' or 'osmesa', whichever works here first; None if neither does."""
    return next((name for name in ("egl", "osmesa") if _context(name, 64, 64) is not None), None)


def render(snapshot: Snapshot, camera: Camera = REPORT_CAMERA, gl: bool = True) -> NDArray[np.uint8]:
    """(height, width, 3) color picture of a snapshot; gl=False uses the ray caster in any case."""
    backend = gl_backend() if gl else None
    if backend is None:
        return take_picture(snapshot, camera).color
    model, data = posed(snapshot)
    mujoco.mj_camlight(model, data)
    return _Canvas.of(snapshot.object, backend, camera.width, camera.height).draw(data, camera)


def render_many(snapshots: list[Snapshot], camera: Camera = REPORT_CAMERA) -> NDArray[np.uint8]:
    """Pictures side by side (height, count * width, 3)."""
    return np.concatenate([render(s, camera) for s in snapshots], axis=1)


def close_up(snapshot: Snapshot, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """Picture (height, width, 3) of hand and object from near."""
    x, y, z = snapshot.object_position
    camera = replace(
        REPORT_CAMERA,
        position=(x + 0.38, y + 0.42, z + 0.20),
        target=(x, y, z + 0.03),
        width=width,
        height=height,
    )
    return render(snapshot, camera)


@cache
def _context(backend: str, width: int, height: int) -> Any:
    """An OpenGL context, or None where the backend does not work."""
    try:
        context = import_module(f"mujoco.{backend}").GLContext(width, height)
        context.make_current()
        atexit.register(context.free)  # its own finalizer comes too late, when OpenGL's module is gone
        return context
    except Exception:  # missing libraries show as whatever PyOpenGL happens to raise
        return None


class _Canvas:
    """An off-screen buffer for one object's model."""

    def __init__(self, model: mujoco.MjModel, backend: str, width: int, height: int):
        self._gl = _context(backend, width, height)
        self._gl.make_current()
        self._model, self._rect = model, mujoco.MjrRect(0, 0, width, height)
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=500)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = [1, 1, 1, 1, 0, 0]
        self._image = np.empty((height, width, 3), np.uint8)

    @staticmethod
    @cache
    def of(name: str, backend: str, width: int, height: int) -> "_Canvas":
        return _Canvas(scene.drawn_scene(name), backend, width, height)

    def draw(self, data: mujoco.MjData, camera: Camera) -> NDArray[np.uint8]:
        self._gl.make_current()
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        category = mujoco.mjtCatBit.mjCAT_ALL.value
        view = _free_camera(camera)
        self._model.vis.global_.fovy = np.rad2deg(camera.fovy)
        mujoco.mjv_updateScene(self._model, data, self._option, None, view, category, self._scene)
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._image, None, self._rect, self._context)
        return self._image[::-1].copy()


def _free_camera(camera: Camera) -> mujoco.MjvCamera:
    view = mujoco.MjvCamera()
    sight = np.subtract(camera.target, camera.position)
    view.lookat[:] = camera.target
    view.distance = np.linalg.norm(sight)
    view.azimuth = np.rad2deg(np.arctan2(sight[1], sight[0]))
    view.elevation = np.rad2deg(np.arcsin(sight[2] / view.distance))
    return view
