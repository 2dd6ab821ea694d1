"""Finger interpenetration: distances of segments, kinematics against MuJoCo, postures of known outcome."""

import mujoco
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_description.robot import HAND_HOME, HAND_JOINTS, HAND_LOWER, HAND_UPPER
from rfs_sim_bridge.interpenetration import interpenetration, link_frames, segment_distance

from rfs_sim_bridge import scene

point = st.tuples(*[st.floats(-1, 1, allow_nan=False, width=32)] * 3).map(np.array)


@given(point, point, point, point)
@settings(max_examples=200, deadline=None)
def test_segment_distance_is_the_smallest_over_samples(a0, a1, b0, b1):
    s = np.linspace(0, 1, 60)
    a, b = a0 + s[:, None] * (a1 - a0), b0 + s[:, None] * (b1 - b0)
    sampled = np.linalg.norm(a[:, None] - b[None], axis=2).min()
    exact = float(segment_distance(a0, a1, b0, b1))
    assert exact <= sampled + 1e-6
    assert sampled - exact < 0.06
    assert np.isclose(exact, segment_distance(b1, b0, a1, a0), atol=1e-6)


def test_parallel_segments():
    x = np.array([1.0, 0, 0])
    assert segment_distance(0 * x, x, 2 * x, 3 * x) == 1.0
    assert segment_distance(0 * x, x, np.array([0.5, 0.3, 0]), np.array([2, 0.3, 0])) == 0.3


def test_link_frames_agree_with_mujoco():
    model = scene.compiled_scene("cylinder", 0.0025)
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    q = rng.uniform(HAND_LOWER, HAND_UPPER, (5, 16))
    origins, rotations = link_frames(q)
    palm = model.body("leap_palm").id
    for row, joints in enumerate(q):
        data.qpos[7:23] = joints
        mujoco.mj_kinematics(model, data)
        turn = data.xmat[palm].reshape(3, 3)
        for index, name in enumerate(HAND_JOINTS):
            body = model.jnt_bodyid[model.joint(name).id]
            finger, link = divmod(index, 4)
            expected = turn.T @ (data.xpos[body] - data.xpos[palm])
            np.testing.assert_allclose(origins[row, finger, link], expected, atol=1e-6)
            matrix = turn.T @ data.xmat[body].reshape(3, 3)
            np.testing.assert_allclose(rotations[row, finger, link], matrix, atol=1e-5)


def test_open_hand_is_free_and_crossed_fingers_are_not():
    crossed = HAND_HOME.copy()
    crossed[[1, 5]] = [0.6, -0.6]
    outward = HAND_HOME.copy()
    outward[[1, 9]] = [-0.4, 0.4]
    depth = interpenetration(np.stack([HAND_HOME, crossed, -crossed, outward]))
    assert depth[0] == 0
    assert depth[1:3].max() > 0.005
    assert (depth >= 0).all()
