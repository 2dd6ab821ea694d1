"""Writes the URDF of the robot from its compiled MJCF, for hardware drivers, MoveIt and RViz.

Run `python -m rfs_description.urdf` after a change of data/fr3_leap.xml; a test compares the two.
"""

import argparse
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rfs_description import robot
from rfs_description.mjcf import robot_spec

FILE = Path(__file__).parent / "data" / "fr3_leap.urdf"
_HEADER = " Made by rfs_description.urdf from fr3_leap.xml; numbers from MuJoCo Menagerie, see NOTICE. "
_UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])
_FRAMES = {robot.PALM_SITE: robot.PALM_FRAME, "attachment_site": "fr3_link8"}
_VELOCITY = dict(
    zip(robot.JOINTS, np.concatenate([robot.ARM_VELOCITY_LIMITS, robot.HAND_VELOCITY_LIMITS]), strict=True)
)


def urdf() -> str:
    """The URDF's text: links of the MJCF's bodies and, as fixed links, of its sites."""
    model = robot_spec().compile()
    root = ET.Element("robot", name="fr3_leap")
    root.append(ET.Comment(_HEADER))
    for body in range(1, model.nbody):
        _add_link(root, model, body)
        if model.body_parentid[body]:
            _add_body_joint(root, model, body)
    for site in range(model.nsite):
        _add_frame(root, model, site)
    ET.indent(root)
    return f'<?xml version="1.0"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add_link(root: ET.Element, model: mujoco.MjModel, body: int) -> None:
    link = ET.SubElement(root, "link", name=model.body(body).name)
    if model.body_mass[body] > 0:
        inertial = ET.SubElement(link, "inertial")
        _add_origin(inertial, model.body_ipos[body], model.body_iquat[body])
        ET.SubElement(inertial, "mass", value=_number(model.body_mass[body]))
        moments = dict(zip(("ixx", "iyy", "izz"), map(_number, model.body_inertia[body]), strict=True))
        ET.SubElement(inertial, "inertia", ixy="0", ixz="0", iyz="0", **moments)
    for geom in np.flatnonzero(model.geom_bodyid == body):
        _add_shapes(link, model, int(geom), "visual")
        if model.geom_contype[geom]:
            _add_shapes(link, model, int(geom), "collision")


def _add_shapes(link: ET.Element, model: mujoco.MjModel, geom: int, purpose: str) -> None:
    """One geom; a capsule, which URDF lacks, becomes a cylinder and two spheres."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    place, quaternion = model.geom_pos[geom], model.geom_quat[geom]
    color = model.geom_rgba[geom] if purpose == "visual" else None
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        _add_shape(link, purpose, place, quaternion, color, "box", size=_numbers(2 * size))
        return
    radius, length = _number(size[0]), _number(2 * size[1])
    _add_shape(link, purpose, place, quaternion, color, "cylinder", radius=radius, length=length)
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        axis = _rotation(quaternion).as_matrix()[:, 2]
        for end in (place - size[1] * axis, place + size[1] * axis):
            _add_shape(link, purpose, end, _UPRIGHT, color, "sphere", radius=radius)


def _add_shape(
    link: ET.Element,
    purpose: str,
    place: np.ndarray,
    quaternion: np.ndarray,
    color: np.ndarray | None,
    shape: str,
    **sizes: str,
) -> None:
    element = ET.SubElement(link, purpose)
    _add_origin(element, place, quaternion)
    ET.SubElement(ET.SubElement(element, "geometry"), shape, sizes)
    if color is not None:
        material = ET.SubElement(element, "material", name="rgba_" + "_".join(f"{c:.2f}" for c in color))
        ET.SubElement(material, "color", rgba=_numbers(color.round(3)))


def _add_body_joint(root: ET.Element, model: mujoco.MjModel, body: int) -> None:
    """The joint to the parent link; the fixed palm has none of its own."""
    name = model.body(body).name
    parent = model.body(model.body_parentid[body]).name
    if not model.body_jntnum[body]:
        _add_joint(root, f"{name}_fixed", "fixed", parent, name, model.body_pos[body], model.body_quat[body])
        return
    index = model.body_jntadr[body]
    joint = model.joint(index).name
    element = _add_joint(root, joint, "revolute", parent, name, model.body_pos[body], model.body_quat[body])
    ET.SubElement(element, "axis", xyz=_numbers(model.jnt_axis[index]))
    lower, upper = map(_number, model.jnt_range[index])
    effort = model.jnt_actfrcrange[index, 1] or model.actuator(joint).forcerange[1]
    velocity = _number(_VELOCITY[joint])
    ET.SubElement(element, "limit", lower=lower, upper=upper, effort=_number(effort), velocity=velocity)


def _add_frame(root: ET.Element, model: mujoco.MjModel, site: int) -> None:
    site_name = str(model.site(site).name)
    name = _FRAMES.get(site_name, site_name)
    parent = model.body(model.site_bodyid[site]).name
    ET.SubElement(root, "link", name=name)
    _add_joint(root, f"{name}_fixed", "fixed", parent, name, model.site_pos[site], model.site_quat[site])


def _add_joint(
    root: ET.Element,
    name: str,
    kind: str,
    parent: str,
    child: str,
    place: np.ndarray,
    quaternion: np.ndarray,
) -> ET.Element:
    joint = ET.SubElement(root, "joint", name=name, type=kind)
    _add_origin(joint, place, quaternion)
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=child)
    return joint


def _add_origin(element: ET.Element, place: np.ndarray, quaternion: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pitch of 90 degrees leaves roll and yaw open: any pair will do
        angles = _rotation(quaternion).as_euler("xyz")
    ET.SubElement(element, "origin", xyz=_numbers(place), rpy=_numbers(angles))


def _rotation(quaternion: np.ndarray) -> Rotation:
    """From MuJoCo's wxyz."""
    return Rotation.from_quat(np.roll(quaternion, -1))


def _numbers(values: np.ndarray) -> str:
    return " ".join(map(_number, values))


def _number(value: float) -> str:
    return f"{round(float(value), 12) + 0.0:.10g}"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    FILE.write_text(urdf())
    print(f"wrote {FILE}")
