"""The scene as a MuJoCo model: robot, table and one object. All objects give models of one structure."""

from collections.abc import Sequence
from functools import cache

import mujoco
import numpy as np
from rfs_description.mjcf import robot_spec
from rfs_description.robot import FINGERTIPS, HAND_JOINTS

from rfs_sim_bridge.objects import MAX_PRIMITIVES, ObjectSpec, Primitive, find_object
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift

OBJECT_BODY = "object"
OBJECT_JOINT = "object_free"
TABLE_GEOM = "table"
TABLE_TOP_GEOM = "table_top"
TABLE_FRICTION = 0.8
"""Sliding friction of the table's top."""
# Finger roots (contact is counted on the whole subtree) and the palm body, in the order of the contact flags.
CONTACT_BODIES = ("leap_if_bs", "leap_mf_bs", "leap_rf_bs", "leap_th_mp", "leap_palm")
# Geom groups: what point clouds see is ROBOT and OBJECT. Visual meshes of the robot share OBJECT's group.
TABLE_GROUP, ROBOT_GROUP, OBJECT_GROUP, FAR_GROUP, UNUSED_GROUP = 0, 1, 2, 3, 5
# The arm up to its elbow never comes between a camera and the workspace: point clouds leave it out.
_FAR_LINKS = tuple(f"fr3_link{i}" for i in range(5))

_OBJECT_BIT, _HAND_BIT, _TABLE_BIT = 1, 2, 4
_INERT_BIT = 1 << 10  # nothing answers to it; a geom without any bit would change the model's structure
_TABLE_SIZE = (0.40, 0.55, 0.02)
_TABLE_CENTER = (0.55, 0.0, -0.02)
_GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}


def scene_spec(
    spec: ObjectSpec, timestep: float, meshes: bool = False, shift: RobotShift = TRAINING_ROBOT
) -> mujoco.MjSpec:
    """Robot, table, light, object and the sensors that the task reads; timestep in s."""
    scene = robot_spec(meshes=meshes)
    scene.modelname = f"grasp_{spec.name}"
    _set_physics(scene, timestep)
    _add_surroundings(scene)
    add_object(scene, shift.of_object(spec))
    _scale_hand_motors(scene, shift)
    _hide_far_links(scene)
    compensate_gravity(scene)
    _add_sensors(scene)
    return scene


@cache
def compiled_scene(name: str, timestep: float, shift: RobotShift = TRAINING_ROBOT) -> mujoco.MjModel:
    """Model of the named object's scene. Shared and cached: copy it before changing a number in it."""
    return scene_spec(find_object(name), timestep, shift=shift).compile()


@cache
def drawn_scene(name: str) -> mujoco.MjModel:
    """Model of the named object's scene for pictures only."""
    model = scene_spec(find_object(name), timestep=0.0025).compile()
    # mj_multiRay skips a body by the box around its colliding geoms, seen through its corners: too tight for
    # some.
    model.bvh_aabb[:, 3:] *= 1.5
    return model


def _hide_far_links(scene: mujoco.MjSpec) -> None:
    for link in _FAR_LINKS:
        for geom in scene.body(link).geoms:
            geom.group = FAR_GROUP if geom.group == ROBOT_GROUP else geom.group


def _scale_hand_motors(scene: mujoco.MjSpec, shift: RobotShift) -> None:
    for actuator in (scene.actuator(joint) for joint in HAND_JOINTS):
        actuator.gainprm[0] *= shift.hand_gain
        actuator.biasprm[1] *= shift.hand_gain
        actuator.forcerange *= shift.hand_force


def _set_physics(scene: mujoco.MjSpec, timestep: float) -> None:
    """Settings under which grasps hold.

    Do not relax them for speed without counting grasps: steps of 10 ms lost 9 of 10 pinches and half of the
    boxes, 5 solver iterations or pyramidal cones half of the power grasps.
    """
    option = scene.option
    option.timestep = timestep
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.iterations = 10
    option.ls_iterations = 20
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10


def _add_surroundings(scene: mujoco.MjSpec) -> None:
    world = scene.worldbody
    world.add_light(pos=[0.2, -0.8, 2.0], dir=[0.15, 0.4, -1], diffuse=[0.55, 0.55, 0.55])
    world.add_light(pos=[1.5, 1.0, 1.8], dir=[-0.6, -0.5, -1], diffuse=[0.3, 0.3, 0.3], castshadow=False)
    headlight = scene.visual.headlight
    headlight.ambient, headlight.diffuse = [0.32, 0.32, 0.32], [0.35, 0.35, 0.35]
    scene.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.62, 0.71, 0.82],
        rgb2=[0.92, 0.94, 0.96],
        width=64,
        height=64 * 6,
    )
    world.add_geom(
        name=TABLE_GEOM,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=_TABLE_SIZE,
        pos=_TABLE_CENTER,
        contype=0,
        conaffinity=0,
        group=TABLE_GROUP,
        rgba=[0.72, 0.64, 0.52, 1],
    )
    # What collides is the plane of the table's top: cheaper than a box, and nothing falls off the table for
    # ever.
    world.add_geom(
        name=TABLE_TOP_GEOM,
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[1, 1, 1],
        contype=_TABLE_BIT,
        conaffinity=_OBJECT_BIT | _HAND_BIT,
        friction=[TABLE_FRICTION, 0.005, 0.0001],
        group=UNUSED_GROUP,
    )


def compensate_gravity(scene: mujoco.MjSpec) -> None:
    """Gravity compensation costs time for every body: only where it acts.

    The first link turns about the vertical; the palm carries the fingers' weight, and they droop by 7 mrad.
    """
    scene.body("fr3_link1").gravcomp = 0.0
    hand = [body for body in scene.bodies if body.name.startswith("leap_")]
    palm = scene.body("leap_palm")
    palm.gravcomp = sum(body.mass for body in hand) / palm.mass
    for body in hand:
        if body.name != palm.name:
            body.gravcomp = 0.0


def add_object(scene: mujoco.MjSpec, spec: ObjectSpec) -> None:
    """The object's body with its free joint, standing on the table at x = 0.55 m."""
    body = scene.worldbody.add_body(name=OBJECT_BODY, pos=[0.55, 0, spec.rest_height])
    body.add_freejoint(name=OBJECT_JOINT)
    volume = sum(p.volume for p in spec.primitives)
    for index in range(MAX_PRIMITIVES):
        if index < len(spec.primitives):
            primitive = spec.primitives[index]
            _add_primitive(body, index, spec, primitive, spec.mass * primitive.volume / volume)
        else:
            _add_inert(body, f"object_{index}", mass=0.0)
    # A body whose center of mass is its origin gets a sparser inertia matrix. This speck, off center, gives
    # all objects the same structure, which models that share a data pool must have.
    _add_inert(body, "object_speck", mass=1e-4, position=(0.002, 0.002, 0.002))


def _add_inert(body: mujoco.MjsBody, name: str, mass: float, position: Sequence[float] = (0, 0, 0)) -> None:
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=[0.001, 0, 0],
        pos=position,
        mass=mass,
        contype=_INERT_BIT,
        conaffinity=0,
        group=UNUSED_GROUP,
    )


def _add_primitive(
    body: mujoco.MjsBody, index: int, spec: ObjectSpec, primitive: Primitive, mass: float
) -> None:
    x, y, z, w = primitive.quaternion
    soft = spec.softness
    body.add_geom(
        name=f"object_{index}",
        type=_GEOM_TYPES[primitive.shape],
        size=[*primitive.size, 0, 0][:3],
        pos=primitive.position,
        quat=[w, x, y, z],
        mass=mass,
        contype=_OBJECT_BIT,
        conaffinity=_HAND_BIT | _TABLE_BIT,
        # The object decides how its contacts feel: friction and compliance are its own, not the other side's.
        priority=1,
        condim=6 if spec.rolling else 4,
        friction=[spec.friction, 0.005, spec.rolling or 0.0001],
        solref=[0.01 + 0.025 * soft, 1],
        solimp=[0.9 - 0.5 * soft, 0.95, 0.001 + 0.014 * soft, 0.5, 2],
        group=OBJECT_GROUP,
        rgba=[*spec.color, 1],
    )


def _add_sensors(scene: mujoco.MjSpec) -> None:
    sensor, kind = mujoco.mjtSensor, mujoco.mjtObj
    for tip in FINGERTIPS:
        scene.add_sensor(name=tip, type=sensor.mjSENS_FRAMEPOS, objtype=kind.mjOBJ_SITE, objname=tip)
    for body in CONTACT_BODIES:
        subtree = body != "leap_palm"
        scene.add_sensor(
            name=f"touch_{body}",
            type=sensor.mjSENS_CONTACT,
            objtype=kind.mjOBJ_XBODY if subtree else kind.mjOBJ_BODY,
            objname=body,
            reftype=kind.mjOBJ_BODY,
            refname=OBJECT_BODY,
            intprm=[1, 0, 1],  # report whether there is contact, any order, one contact
        )


def scale_object(
    model: mujoco.MjModel, base: mujoco.MjModel, mass: float, friction: float, scratch: mujoco.MjData
) -> None:
    """Give the object in a copy of `base` its mass (and inertia) and friction there times factors, in place;
    whatever they were before. `scratch`: data of that structure, overwritten."""
    body = model.body(OBJECT_BODY).id
    model.body_mass[body] = base.body_mass[body] * mass
    model.body_inertia[body] = base.body_inertia[body] * mass
    geoms = np.flatnonzero(model.geom_bodyid == body)
    model.geom_friction[geoms, 0] = base.geom_friction[geoms, 0] * friction
    mujoco.mj_setConst(model, scratch)
