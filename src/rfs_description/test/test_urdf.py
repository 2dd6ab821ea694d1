from xml.etree import ElementTree as ET

import mujoco
import numpy as np
import pytest
from rfs_description.mjcf import robot_spec
from scipy.spatial.transform import Rotation

from rfs_description import kinematics, robot, urdf

pinocchio = pytest.importorskip("pinocchio")

FRAMES = ("fr3_link7", "fr3_link8", robot.PALM_FRAME, *robot.FINGERTIPS)
LOWER = np.concatenate([robot.ARM_LOWER, robot.HAND_LOWER])
UPPER = np.concatenate([robot.ARM_UPPER, robot.HAND_UPPER])
MODEL = robot_spec().compile()


def mujoco_frame(data: mujoco.MjData, frame: str) -> tuple[np.ndarray, np.ndarray]:
    if frame == "fr3_link7":
        return data.body(frame).xpos, data.body(frame).xmat.reshape(3, 3)
    site = data.site({robot.PALM_FRAME: robot.PALM_SITE, "fr3_link8": "attachment_site"}.get(frame, frame))
    return site.xpos, site.xmat.reshape(3, 3)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(Rotation.from_matrix(a @ b.T).magnitude())


def test_frames_agree_between_urdf_and_mjcf_and_kinematics() -> None:
    model = pinocchio.buildModelFromUrdf(str(urdf.FILE))
    data, scene = model.createData(), mujoco.MjData(MODEL)
    order = [model.joints[model.getJointId(name)].idx_q for name in robot.JOINTS]
    for q in np.random.default_rng(0).uniform(LOWER, UPPER, (200, len(robot.JOINTS))):
        shuffled = np.empty(len(q))
        shuffled[order] = q
        pinocchio.framesForwardKinematics(model, data, shuffled)
        scene.qpos[:] = q
        mujoco.mj_kinematics(MODEL, scene)
        for frame in FRAMES:
            pose = data.oMf[model.getFrameId(frame)]
            position, rotation = mujoco_frame(scene, frame)
            assert np.linalg.norm(pose.translation - position) < 1e-6
            assert angle(pose.rotation, rotation) < 1e-6
        palm, palm_rotation = kinematics.forward(q[:7])
        pose = data.oMf[model.getFrameId(robot.PALM_FRAME)]
        assert np.linalg.norm(pose.translation - palm) < 1e-6
        assert angle(pose.rotation, palm_rotation) < 1e-6


def test_dynamics_agree_with_mujoco() -> None:
    """The mass matrix sees every mass, center of mass and inertia; MuJoCo's armature is not in a URDF."""
    model = pinocchio.buildModelFromUrdf(str(urdf.FILE))
    data, scene = model.createData(), mujoco.MjData(MODEL)
    order = [model.joints[model.getJointId(name)].idx_q for name in robot.JOINTS]
    q = np.concatenate([robot.ARM_HOME, 0.5 * HAND_MIDDLE])
    shuffled = np.empty(len(q))
    shuffled[order] = q
    upper = pinocchio.crba(model, data, shuffled)
    full = np.triu(upper) + np.triu(upper, 1).T
    scene.qpos[:] = q
    mujoco.mj_forward(MODEL, scene)
    expected = np.zeros((MODEL.nv, MODEL.nv))
    mujoco.mj_fullM(MODEL, scene, expected)
    expected -= np.diag(MODEL.dof_armature)
    np.testing.assert_allclose(full[np.ix_(order, order)], expected, atol=1e-6)


HAND_MIDDLE = 0.5 * (robot.HAND_LOWER + robot.HAND_UPPER)


def test_limits_are_those_of_robot() -> None:
    model = pinocchio.buildModelFromUrdf(str(urdf.FILE))
    order = [model.joints[model.getJointId(name)].idx_q for name in robot.JOINTS]
    np.testing.assert_allclose(model.lowerPositionLimit[order], LOWER)
    np.testing.assert_allclose(model.upperPositionLimit[order], UPPER)
    np.testing.assert_allclose(model.velocityLimit[order][:7], robot.ARM_VELOCITY_LIMITS)
    np.testing.assert_allclose(model.effortLimit[order], [87] * 4 + [12] * 3 + [0.95] * 16)


def test_every_moving_link_can_be_seen() -> None:
    links = {link.get("name"): link for link in ET.parse(urdf.FILE).getroot().iter("link")}
    moving = {joint.find("child").get("link") for joint in ET.parse(urdf.FILE).getroot().iter("joint")}
    seen = {name for name, link in links.items() if link.find("visual") is not None}
    assert moving - seen == {"fr3_link8", robot.PALM_FRAME, *robot.FINGERTIPS}


def test_the_file_is_what_the_generator_writes() -> None:
    assert urdf.FILE.read_text() == urdf.urdf(), "run `python -m rfs_description.urdf`"
