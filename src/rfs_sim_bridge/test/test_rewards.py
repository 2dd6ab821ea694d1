"""Reward terms: bounds, and each stage is worth more than the one before it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_sim_bridge.grasp_task import GraspTask

from rfs_sim_bridge import rewards

meters = st.floats(-1, 1, allow_nan=False)


@given(st.lists(meters, min_size=3, max_size=3), st.lists(meters, min_size=3, max_size=3))
@settings(max_examples=50, deadline=None)
def test_proximity_is_bounded_and_falls_with_distance(palm, target):
    a, b = np.array([palm]), np.array([target])
    near, far = rewards.palm_proximity(a, b)[0], rewards.palm_proximity(a, b + 2 * (b - a))[0]
    assert 0 <= far <= near <= 1
    tips = np.repeat(a[:, None], 4, axis=1)
    assert 0 <= rewards.finger_proximity(tips, b)[0] <= 1


def stage(palm_distance: float, contacts: list[int], lift: float, margin: float = 1.0) -> float:
    touching = np.array([contacts], bool)
    position = np.zeros((1, 3))
    tips = np.full((1, 4, 3), palm_distance / np.sqrt(3))
    terms = {
        "palm_proximity": rewards.palm_proximity(tips[:, 0], position),
        "finger_proximity": rewards.finger_proximity(tips, position),
        "touch": rewards.touch(touching),
        "hold": rewards.hold(touching),
        "lift": rewards.lift_progress(np.array([lift]), touching),
        "lifted": np.array([float(lift >= 0.2)]),
        "excessive_lift": rewards.excessive_lift(np.array([lift])),
        "joint_limits": rewards.joint_limits(np.array([margin])),
    }
    return float(rewards.total(terms)[0])


def test_stages_are_ordered():
    far, near = stage(0.5, [0] * 5, 0), stage(0.05, [0] * 5, 0)
    held, lifting, lifted = stage(0.05, [1] * 5, 0), stage(0.05, [1] * 5, 0.1), stage(0.05, [1] * 5, 0.25)
    assert far < near < held < lifting < lifted


def test_unsafe_behavior_costs():
    assert stage(0.05, [1] * 5, 0.5) < stage(0.05, [1] * 5, 0.3)
    assert stage(0.05, [1] * 5, 0.3, margin=0.0) < stage(0.05, [1] * 5, 0.3, margin=0.5)


def test_lifting_without_touching_earns_nothing():
    assert rewards.lift_progress(np.array([0.3]), np.zeros((1, 5), bool))[0] == 0


def test_task_terms_have_the_weights_names():
    assert set(GraspTask(num_envs=1).reward_terms()) == set(rewards.WEIGHTS)
