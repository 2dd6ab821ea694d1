import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_description.mjcf import robot_spec

from rfs_description import kinematics, robot

MODEL = robot_spec().compile()
unit = st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7)


def joints(fractions: list[float]) -> np.ndarray:
    return robot.ARM_LOWER + np.array(fractions) * (robot.ARM_UPPER - robot.ARM_LOWER)


@given(unit)
def test_palm_and_jacobian_agree_with_mujoco(fractions: list[float]) -> None:
    q = joints(fractions)
    data = mujoco.MjData(MODEL)
    data.qpos[:7] = q
    mujoco.mj_forward(MODEL, data)
    expected = np.zeros((6, MODEL.nv))
    mujoco.mj_jacSite(MODEL, data, expected[:3], expected[3:], MODEL.site(robot.PALM_SITE).id)
    position, rotation, jacobian = kinematics.forward_and_jacobian(q[None])
    palm = data.site(robot.PALM_SITE)
    np.testing.assert_allclose(position[0], palm.xpos, atol=1e-12)
    np.testing.assert_allclose(rotation[0], palm.xmat.reshape(3, 3), atol=1e-12)
    np.testing.assert_allclose(jacobian[0], expected[:, :7], atol=1e-12)


def test_any_batch_shape_gives_the_same_as_single_vectors() -> None:
    q = np.random.default_rng(0).uniform(robot.ARM_LOWER, robot.ARM_UPPER, (2, 3, 7))
    position, rotation = kinematics.forward(q)
    assert position.shape == (2, 3, 3)
    single_position, single_rotation = kinematics.forward(q[1, 2])
    np.testing.assert_array_equal(position[1, 2], single_position)
    np.testing.assert_array_equal(rotation[1, 2], single_rotation)


def test_wrong_number_of_joints_is_named() -> None:
    with pytest.raises(ValueError, match="7 numbers"):
        kinematics.forward(np.zeros(6))
