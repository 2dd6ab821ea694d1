"""What is converted to USD, as MJCF: the robot without motors, and each object as one body of its own."""

from functools import cache

import mujoco
from rfs_description.mjcf import robot_spec
from rfs_sim_bridge.objects import ObjectSpec
from rfs_sim_bridge.scene import OBJECT_BODY, UNUSED_GROUP

from rfs_sim_bridge import scene

ROBOT_NAME = "fr3_leap"
_BALL_FILE = "ball.obj"


def robot() -> mujoco.MjSpec:
    """The robot of the task's scene. Its motors are Isaac Lab's actuators, so they are left out here."""
    spec = robot_spec()
    scene.compensate_gravity(spec)
    for part in (*spec.actuators, *spec.sites):
        spec.delete(part)
    for body in spec.bodies:
        for index, geom in enumerate(body.geoms):
            geom.name = geom.name or f"{body.name}_shell_{index}"
    spec.modelname = ROBOT_NAME
    return spec


def single_object(source: ObjectSpec) -> mujoco.MjSpec:
    """The object as in the task's scene, at the origin; mass and inertia stated, not derived from shapes."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    scene.add_object(spec, source)
    model = spec.compile()
    index = model.body(OBJECT_BODY).id
    body = spec.body(OBJECT_BODY)
    for geom in list(body.geoms):
        if geom.group == UNUSED_GROUP:
            spec.delete(geom)
        elif geom.type == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            _to_mesh(spec, geom)
    body.pos = [0.0, 0.0, 0.0]
    body.explicitinertial = True
    body.mass, body.ipos, body.iquat = model.body_mass[index], model.body_ipos[index], model.body_iquat[index]
    body.inertia = model.body_inertia[index]
    spec.modelname = source.name
    return spec


def _to_mesh(spec: mujoco.MjSpec, ellipsoid: mujoco.MjsGeom) -> None:
    """USD has no ellipsoid: a ball of triangles, stretched; its faces lie up to 0.12 % inside."""
    mesh = spec.add_mesh(name=f"{ellipsoid.name}_mesh", file=_BALL_FILE, scale=list(ellipsoid.size))
    spec.assets = {_BALL_FILE: _obj(_ball())}  # the converter reads meshes from files alone
    ellipsoid.type, ellipsoid.meshname, ellipsoid.size = mujoco.mjtGeom.mjGEOM_MESH, mesh.name, [0.0] * 3


@cache
def _ball() -> mujoco.MjModel:
    """A model with a mesh of radius 1."""
    spec = mujoco.MjSpec()
    spec.add_mesh(name="ball").make_sphere(4)
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="ball")
    return spec.compile()


def _obj(model: mujoco.MjModel) -> bytes:
    """The model's mesh in Wavefront's format."""
    points = [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in model.mesh_vert]
    return "\n".join(points + [f"f {a} {b} {c}" for a, b, c in model.mesh_face + 1]).encode()
