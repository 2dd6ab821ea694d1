import mujoco
import numpy as np
import pytest
from rfs_description.mjcf import robot_spec

from rfs_description import robot


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return robot_spec().compile()


def test_joints_and_limits_are_those_of_robot(model: mujoco.MjModel) -> None:
    names = [model.joint(i).name for i in range(model.njnt)]
    assert tuple(names) == robot.JOINTS
    lower, upper = model.jnt_range.T
    np.testing.assert_allclose(lower, np.concatenate([robot.ARM_LOWER, robot.HAND_LOWER]))
    np.testing.assert_allclose(upper, np.concatenate([robot.ARM_UPPER, robot.HAND_UPPER]))
    np.testing.assert_allclose(model.actuator_ctrlrange, model.jnt_range)


def test_actuators_are_in_joint_order(model: mujoco.MjModel) -> None:
    assert tuple(model.actuator(i).name for i in range(model.nu)) == robot.JOINTS
    np.testing.assert_array_equal(model.actuator_trnid[:, 0], np.arange(model.njnt))


def test_model_has_no_meshes_and_every_body_can_be_seen(model: mujoco.MjModel) -> None:
    assert model.nmesh == 0
    assert all(model.body_geomnum[1:] > 0)
    assert all(model.geom_group == 1)


def test_fingers_meet_the_thumb_but_not_each_other(model: mujoco.MjModel) -> None:
    def collide(a: str, b: str) -> bool:
        first, second = model.geom(a), model.geom(b)
        return bool((first.contype & second.conaffinity) | (second.contype & first.conaffinity))

    assert collide("leap_th_tip_cap", "leap_if_tip_cap")
    assert not collide("leap_mf_tip_cap", "leap_if_tip_cap")


def test_robot_stands_still_at_home_without_contacts(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    home = np.concatenate([robot.ARM_HOME, robot.HAND_HOME])
    data.qpos[:] = data.ctrl[:] = home
    mujoco.mj_step(model, data, 400)
    assert data.ncon == 0
    np.testing.assert_allclose(data.qpos, home, atol=1e-3)


def test_palm_faces_down_at_home(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    data.qpos[:7] = robot.ARM_HOME
    mujoco.mj_forward(model, data)
    palm = data.site(robot.PALM_SITE)
    np.testing.assert_allclose(palm.xpos, [0.5, 0.0, 0.35], atol=1e-6)
    np.testing.assert_allclose(palm.xmat.reshape(3, 3), np.diag([1.0, -1.0, -1.0]), atol=1e-6)


def test_arm_follows_a_moving_target_within_a_centimeter(model: mujoco.MjModel) -> None:
    """Joint 1 at 1 rad/s moves the palm at 0.5 m/s; the lag is what the velocity gain leaves."""
    data = mujoco.MjData(model)
    data.qpos[:7] = data.ctrl[:7] = robot.ARM_HOME
    for _ in range(200):
        data.ctrl[0] += 1.0 * model.opt.timestep
        mujoco.mj_step(model, data)
    assert 0.5 * abs(data.ctrl[0] - data.qpos[0]) < 0.01


def test_closing_brings_every_finger_and_the_thumb_together(model: mujoco.MjModel) -> None:
    open_hand = np.array([0.6, 0.0, 0.6, 0.5] * 3 + [1.0, 0.5, 0.4, 0.4])

    def gaps(hand: np.ndarray) -> np.ndarray:
        data = mujoco.MjData(model)
        data.qpos[:] = np.concatenate([robot.ARM_HOME, hand])
        mujoco.mj_kinematics(model, data)
        tips = np.array([data.site(name).xpos for name in robot.FINGERTIPS])
        return np.linalg.norm(tips[:3] - tips[3], axis=1)

    assert np.all(gaps(open_hand + 0.05 * robot.HAND_CLOSING) < gaps(open_hand) - 0.01)
    spreading = [name.endswith(("_rot", "th_cmc", "th_axl")) for name in robot.HAND_JOINTS]
    np.testing.assert_array_equal(robot.HAND_CLOSING == 0, spreading)
