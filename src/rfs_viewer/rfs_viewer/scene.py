"""The three-dimensional part of one browser's page: robot, cloud, object, target, camera."""

from collections.abc import Callable
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from rfs_viewer.picture import pixel_of, rotation_of
from rfs_viewer.robot_model import RobotModel
from rfs_viewer.view import Array, CameraModel, View

_TABLE_CENTER, _TABLE_SIZE = (0.55, 0.0, -0.02), (0.80, 1.10, 0.04)  # m, top at z = 0
_MOST_POINTS = 20_000
_HEIGHTS = np.array([0.0, 0.12, 0.25, 0.45])  # m, with a color each
_HEIGHT_COLORS = np.array([[60, 90, 240], [20, 180, 190], [120, 210, 60], [250, 180, 40]], float)
_PLANE = 0.1  # m in front of the camera, where its picture is hung up to be clicked
_OPENING = {"position": (1.38, -1.12, 0.85), "look_at": (0.44, 0.04, 0.19)}


class Scene:
    """What one browser draws.

    Args:
        client: the browser.
        robot: its meshes; `update` takes the poses of its links.
    """

    def __init__(self, client: viser.ClientHandle, robot: RobotModel) -> None:
        self._client = client
        self._links: dict[str, Any] = {}
        self._seen: dict[str, object] = {}
        self._picture: Any = None
        self._left: dict[str, Any] = {}
        self._cloud: Any = None
        self._frustum: Any = None
        self._add_surroundings()
        self._add_robot(robot)
        self._target = client.scene.add_frame("/target", axes_length=0.09, axes_radius=0.003, visible=False)
        self._object = client.scene.add_icosphere(
            "/object", radius=0.012, color=(255, 70, 160), opacity=0.8, visible=False
        )

    def _add_surroundings(self) -> None:
        scene, camera = self._client.scene, self._client.camera
        scene.configure_default_lights(cast_shadow=False)  # the operator's machine may draw without a GPU
        scene.add_box("/table", color=(120, 112, 100), dimensions=_TABLE_SIZE, position=_TABLE_CENTER)
        scene.add_grid(
            "/floor",
            3.0,
            3.0,
            cell_size=0.1,
            section_size=0.5,
            cell_color=(60, 66, 74),
            section_color=(84, 92, 102),
            position=(0.5, 0.0, -0.041),
        )
        camera.position, camera.look_at = _OPENING["position"], _OPENING["look_at"]
        camera.fov = 0.72

    def _add_robot(self, robot: RobotModel) -> None:
        for link in robot.links:
            self._links[link] = self._client.scene.add_frame(f"/robot/{link}", show_axes=False, visible=False)
        for index, part in enumerate(robot.parts):
            self._client.scene.add_mesh_simple(
                f"/robot/{part.link}/{index}", part.vertices, part.faces, color=part.color
            )

    # ---- updates ----
    def update(self, view: View, positions: Array | None, wxyz: Array | None) -> None:
        """Draw what changed; `positions` (n, 3) and `wxyz` (n, 4) of the robot's links."""
        if positions is not None and wxyz is not None:
            for link, position, quaternion in zip(self._links.values(), positions, wxyz, strict=True):
                _place(link, position, quaternion)
        if view.points is not None and self._is_new("points", view.points):
            self._draw_cloud(view.points)
        if view.tick is not None and np.isfinite(view.tick.position).all():
            _place(self._target, view.tick.position, view.tick.wxyz)
        centroid = None if view.sight is None else view.sight.centroid
        if centroid is not None:
            _place(self._object, centroid, np.array([1.0, 0.0, 0.0, 0.0]))
        elif self._object.visible:
            self._object.visible = False
        if view.camera is not None and view.picture is not None:
            self._draw_camera(view.camera, view.picture)

    def _is_new(self, name: str, thing: object) -> bool:
        """Whether another one than last time."""
        fresh = self._seen.get(name) is not thing
        self._seen[name] = thing
        return fresh

    def _draw_cloud(self, points: NDArray[np.float32]) -> None:
        points = points[:: 1 + (len(points) - 1) // _MOST_POINTS]
        colors = np.stack(
            [np.interp(points[:, 2], _HEIGHTS, channel) for channel in _HEIGHT_COLORS.T], axis=1
        )
        colors = colors.astype(np.uint8)
        if self._cloud is None or len(self._cloud.points) != len(points):
            self._cloud = self._client.scene.add_point_cloud(
                "/cloud", points, colors, point_size=0.005, point_shape="circle", precision="float32"
            )
        else:
            self._cloud.points, self._cloud.colors = points, colors

    def _draw_camera(self, camera: CameraModel, picture: NDArray[np.uint8]) -> None:
        height, width = picture.shape[:2]
        if self._frustum is None:
            fov = 2 * np.arctan(0.5 * height / camera.intrinsics[1, 1])
            self._frustum = self._client.scene.add_camera_frustum(
                "/camera", float(fov), width / height, scale=0.05, thickness=0.002, color=(120, 130, 150)
            )
        _place(self._frustum, camera.position, camera.wxyz)

    # ---- the picture, to be clicked ----
    def look_through(self, view: View, on_pixel: Callable[[tuple[float, float]], None]) -> None:
        """Stand where the camera is, before its picture as it is now, and report the pixel (x, y) that is
        clicked. Nothing happens without a picture."""
        if view.picture is None:
            return
        shape = view.picture.shape[:2]
        camera = view.camera or assumed_camera(shape)
        size = _PLANE / camera.intrinsics[0, 0] * np.array(shape)
        forward = rotation_of(camera.wxyz)[:, 2]
        self._remember()
        self._picture = self._client.scene.add_image(
            "/picture", view.picture, size[1], size[0], position=plane_center(camera, shape), wxyz=camera.wxyz
        )

        @self._picture.on_click
        def _(event: viser.SceneNodePointerEvent) -> None:
            pixel = clicked_pixel(np.array(event.ray_origin), np.array(event.ray_direction), camera, shape)
            if pixel is not None:
                on_pixel(pixel)

        self._stand(camera.position, camera.position + forward, -rotation_of(camera.wxyz)[:, 1])
        self._client.camera.fov = float(2 * np.arctan(0.52 * shape[0] / camera.intrinsics[1, 1]))

    def leave(self) -> None:
        """Back to where the operator stood before."""
        if self._picture is not None:
            self._picture.remove()
            self._picture = None
            self._stand(self._left["position"], self._left["look_at"], self._left["up_direction"])
            self._client.camera.fov = self._left["fov"]

    @property
    def looks_through(self) -> bool:
        """Whether the picture is up."""
        return self._picture is not None

    def _remember(self) -> None:
        camera = self._client.camera
        self._left = {name: getattr(camera, name) for name in ("position", "look_at", "up_direction", "fov")}

    def _stand(self, position: Array, look_at: Array, up: Array) -> None:
        camera = self._client.camera
        camera.position, camera.look_at, camera.up_direction = position, look_at, up


def assumed_camera(shape: tuple[int, ...]) -> CameraModel:
    """A camera for pictures (h, w) of unknown intrinsics or pose; clicks find their pixel with it."""
    height, width = shape[:2]
    intrinsics = np.array([[width, 0, 0.5 * (width - 1)], [0, width, 0.5 * (height - 1)], [0, 0, 1.0]])
    return CameraModel(intrinsics, np.array([1.0, 0.0, 0.8]), np.array([0.0, 0.70710678, -0.70710678, 0.0]))


def plane_center(camera: CameraModel, shape: tuple[int, ...]) -> Array:
    """(3,) m: center of the picture hung up before the camera."""
    center = np.array([0.5 * (shape[1] - 1), 0.5 * (shape[0] - 1), 1.0])
    return camera.position + rotation_of(camera.wxyz) @ (_PLANE * np.linalg.solve(camera.intrinsics, center))


def clicked_pixel(
    origin: Array, direction: Array, camera: CameraModel, shape: tuple[int, ...]
) -> tuple[float, float] | None:
    """Pixel (x, y) of the hung-up picture that a ray (m, base frame) meets."""
    forward = rotation_of(camera.wxyz)[:, 2]
    along = direction @ forward
    if along <= 0:
        return None
    distance = (camera.position + _PLANE * forward - origin) @ forward / along
    return pixel_of(origin + distance * direction - camera.position, camera, (shape[0], shape[1]))


def _place(node: Any, position: Array, wxyz: Array) -> None:
    """Move a node, if it is not there yet, and show it."""
    if not np.allclose(node.position, position, atol=1e-5):
        node.position = position
    if not np.allclose(node.wxyz, wxyz, atol=1e-5):
        node.wxyz = wxyz
    if not node.visible:
        node.visible = True
