"""What is converted to USD, as MJCF: the robot without motors, and each object as one body of its own."""

import mujoco
from rfs_description.mjcf import robot_spec
from rfs_sim_bridge.objects import ObjectSpec
from rfs_sim_bridge.scene import OBJECT_BODY, UNUSED_GROUP

from rfs_sim_bridge import scene

ROBOT_NAME = "fr3_leap"


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
    body.pos = [0.0, 0.0, 0.0]
    body.explicitinertial = True
    body.mass, body.ipos, body.iquat = model.body_mass[index], model.body_ipos[index], model.body_iquat[index]
    body.inertia = model.body_inertia[index]
    spec.modelname = source.name
    return spec


def convertible(source: ObjectSpec) -> bool:
    """Whether the converter knows all of the object's shapes: USD has no ellipsoid."""
    return all(primitive.shape != "ellipsoid" for primitive in source.primitives)
